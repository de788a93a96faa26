"""PCI functions, by whatever shows them."""

"""The suite: what a hypervisor has to be like, a folder for each layer, causes first."""

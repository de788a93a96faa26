"""Options, gathering, handing recordings to workers."""

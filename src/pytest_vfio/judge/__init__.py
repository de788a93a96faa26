"""(suite, hypervisor) -> findings -> verdict and causes. Knows no pytest, does no I/O."""

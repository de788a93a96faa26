"""Makes this folder pytest's root. Options, checks and hosts come from the plugin `pytest_vfio`."""

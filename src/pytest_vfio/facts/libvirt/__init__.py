"""libvirt itself, and its domains."""

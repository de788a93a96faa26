"""Tells whether a KVM/libvirt hypervisor can hand its PCI devices to its guests."""

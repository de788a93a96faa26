"""Drivers: modules, modprobe.d, the initramfs, pins."""

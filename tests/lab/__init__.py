"""Real hypervisors without hardware, broken on purpose.

QEMU in pure emulation (TCG) runs whole Debian hosts with an emulated IOMMU, SR-IOV NIC and shared
groups; the suite judges them over SSH like any other host.  Start with ``python -m tests.lab``.
"""

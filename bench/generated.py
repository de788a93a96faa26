"""Evidence of a healthy hypervisor with as many devices as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from pytest_vfio.evidence import Evidence, Item, Status

_LINE = "BOOT_IMAGE=/vmlinuz-6.12.0-amd64 root=/dev/sda1 ro intel_iommu=on vfio-pci.ids=8086:1572"
_MODULES = ("KVM", "KVM_INTEL", "VFIO", "VFIO_IOMMU_TYPE1", "VFIO_PCI", "VFIO_PCI_CORE")
_DRIVERS = "../../../../bus/pci/drivers"


def host(name: str, devices: int) -> Evidence:
    """A host with that many X710 functions, eight behind each root port, each in its own group."""
    texts = {
        "proc/cmdline": f"{_LINE}\n",
        "proc/sys/kernel/osrelease": "6.12.0-amd64\n",
        "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx lm\n\n",
        "uname": f"Linux {name} 6.12.0-amd64 #1 SMP x86_64 GNU/Linux\n",
        "kernel-config": "".join(f"CONFIG_{name}=m\n" for name in _MODULES)
        + "CONFIG_INTEL_IOMMU=y\nCONFIG_IRQ_REMAP=y\n",
        "proc/modules": "".join(f"{name.lower()} 16384 1 - Live 0x0\n" for name in _MODULES),
        "dmesg": f"[    0.000000] Command line: {_LINE}\n[    0.500000] DMAR: IOMMU enabled\n"
        "[    0.600000] DMAR-IR: Enabled IRQ remapping in x2apic mode\n",
        "sys/class/iommu": "dmar0/intel-iommu/cap=d2008c222f0686\ndmar0/intel-iommu/ecap=f050df\n",
        "sys/bus/pci/devices": "\n".join(_pci(devices)) + "\n",
        "sys/kernel/iommu_groups": "\n".join(_groups(devices)) + "\n",
    }
    items = {key: Item(key, Status.PRESENT, text.encode()) for key, text in texts.items()}
    return Evidence(name, "recording", MappingProxyType(items))


def _addresses(devices: int) -> Iterator[tuple[str, str]]:
    """Root port and function, with the domain moving on when its buses are used up."""
    for number in range(devices):
        port, function = divmod(number, 8)
        domain, bus = divmod(port, 240)
        yield (
            f"{domain:04x}:00:{bus // 8:02x}.{bus % 8}",
            f"{domain:04x}:{bus + 1:02x}:00.{function}",
        )


def _pci(devices: int) -> Iterator[str]:
    for port in dict.fromkeys(port for port, _ in _addresses(devices)):
        yield f"{port}->../../../devices/pci{port[:7]}/{port}"
        yield from _files(port, vendor="0x8086", device="0x2030", **{"class": "0x060400"})
        yield f"{port}/driver->{_DRIVERS}/pcieport"
    for group, (port, function) in enumerate(_addresses(devices)):
        yield f"{function}->../../../devices/pci{port[:7]}/{port}/{function}"
        yield from _files(
            function,
            vendor="0x8086",
            device="0x1572",
            subsystem_vendor="0x103c",
            subsystem_device="0x22fc",
            **{"class": "0x020000"},
            revision="0x02",
            numa_node="0",
            driver_override="(null)",
            reset_method="flr bus",
            power_state="D0",
            current_link_speed="8.0 GT/s PCIe",
            current_link_width="8",
            max_link_speed="8.0 GT/s PCIe",
            max_link_width="8",
            sriov_totalvfs="64",
            sriov_numvfs="0",
        )
        yield f"{function}/driver->{_DRIVERS}/vfio-pci"
        yield f"{function}/iommu_group->../../../../kernel/iommu_groups/{group}"


def _groups(devices: int) -> Iterator[str]:
    for group, (port, function) in enumerate(_addresses(devices)):
        yield f"{group}/type=DMA-FQ"
        yield f"{group}/reserved_regions=0x00000000fee00000 0x00000000feefffff msi"
        target = f"../../../../devices/pci{port[:7]}/{port}/{function}"
        yield f"{group}/devices/{function}->{target}"


def _files(address: str, **files: str) -> Iterator[str]:
    for name, value in files.items():
        yield f"{address}/{name}={value}"

"""A sound Debian host that boots by GRUB, to be changed in a test in the one thing it is about."""

from __future__ import annotations

from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from tests.hosts import acpi_tables as tables
from tests.hosts import plain as build

RELEASE = "6.1.0-18-amd64"
NIC = "0000:12:00.0"
LINE = f"BOOT_IMAGE=/boot/vmlinuz-{RELEASE} root=UUID=1 ro quiet intel_iommu=on iommu=pt"

GRUB_CFG = """\
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${{next_entry}}" ] ; then
   set default="${{next_entry}}"
else
   set default="0"
fi
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-1' {{
	load_video
	linux	/boot/vmlinuz-{release} root=UUID=1 ro quiet {words}
	initrd	/boot/initrd.img-{release}
}}
submenu 'Advanced options for Debian' $menuentry_id_option 'gnulinux-advanced-1' {{
	menuentry 'Debian, with Linux {release}' $menuentry_id_option 'gnulinux-{release}-advanced-1' {{
		linux	/boot/vmlinuz-{release} root=UUID=1 ro quiet {words}
	}}
	menuentry 'Debian, with Linux {release} (recovery)' $menuentry_id_option 'rec-1' {{
		linux	/boot/vmlinuz-{release} root=UUID=1 ro single
	}}
}}
"""

CONFIG = """\
CONFIG_X86_64=y
CONFIG_INTEL_IOMMU=y
# CONFIG_INTEL_IOMMU_DEFAULT_ON is not set
CONFIG_AMD_IOMMU=y
CONFIG_IRQ_REMAP=y
CONFIG_VFIO_PCI=m
CONFIG_I40E=m
"""

#: A kernel that has VFIO in its image, as Ubuntu's has.
BUILTIN = {
    "modules.builtin": "kernel/drivers/vfio/pci/vfio-pci.ko\nkernel/drivers/vfio/vfio.ko\n"
    "kernel/drivers/vfio/vfio_iommu_type1.ko\n",
    "modules.dep": "kernel/arch/x86/kvm/kvm.ko:\n",
    "sys/module": "vfio_pci=\nvfio=\nvfio_iommu_type1=\ni40e=\ni40e/initstate=live\n",
    "proc/modules": "i40e 1 0\n",
    "kernel-config": CONFIG.replace("CONFIG_VFIO_PCI=m", "CONFIG_VFIO_PCI=y"),
}

NIC_TREE = (
    "".join(
        f"{NIC}/{name}={value}\n"
        for name, value in (("vendor", "0x8086"), ("device", "0x1572"), ("class", "0x020000"))
    )
    + f"{NIC}->../../../devices/pci0000:11/0000:11:00.0/{NIC}\n"
)


def grub_cfg(words: str, release: str = RELEASE) -> str:
    """What grub-mkconfig makes of these words."""
    return GRUB_CFG.format(words=words, release=release)


def default_grub(words: str, always: str = "") -> str:
    """An /etc/default/grub with these words."""
    return (
        "GRUB_DEFAULT=0\nGRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
        f'GRUB_CMDLINE_LINUX_DEFAULT="quiet {words}"\nGRUB_CMDLINE_LINUX="{always}"\n'
    )


def items(changes: dict[str, object] | None = None, *, driver: str = "vfio-pci") -> dict:
    """All items of a sound host on which one NIC is meant for guests."""
    words = "intel_iommu=on iommu=pt"
    whole = {
        "proc/cmdline": f"{LINE}\n",
        "uname": f"Linux bmt {RELEASE} #1 SMP x86_64 GNU/Linux\n",
        "proc/sys/kernel/osrelease": f"{RELEASE}\n",
        "proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t\t: lm vmx\n",
        "kernel-config": CONFIG,
        "etc/os-release": "ID=debian\nVERSION_ID=12\n",
        "etc/default/grub": default_grub(words),
        "etc/default/grub.d/": None,
        "boot/grub/grub.cfg": grub_cfg(words),
        "boot/grub2/grub.cfg": None,
        "boot/grub/grubenv": "# GRUB Environment Block\n",
        "run/ostree-booted": None,
        "etc/kernel/cmdline": None,
        "etc/default/kdump-tools": None,
        "etc/modprobe.d/": "",
        "run/modprobe.d/": None,
        "usr/local/lib/modprobe.d/": None,
        "usr/lib/modprobe.d/": "",
        "lib/modprobe.d/": None,
        "etc/modules": "# none\n",
        "etc/modules-load.d/": "",
        "usr/lib/modules-load.d/": "",
        "etc/initramfs-tools/modules": "vfio_pci\n",
        "etc/dracut.conf": None,
        "etc/dracut.conf.d/": None,
        "usr/lib/dracut/dracut.conf.d/": None,
        "etc/mkinitcpio.conf": None,
        "initramfs": "usr/lib/modules/x/kernel/drivers/vfio/pci/vfio-pci.ko\n",
        "modules.builtin": "kernel/drivers/iommu/intel/iommu.ko\n",
        "modules.dep": "kernel/drivers/vfio/pci/vfio-pci.ko\nkernel/drivers/vfio/vfio.ko\n"
        "kernel/drivers/vfio/vfio_iommu_type1.ko\n",
        "sys/module": "vfio_pci=\nvfio_pci/initstate=live\nvfio=\nvfio/initstate=live\n"
        "vfio_iommu_type1=\nvfio_iommu_type1/initstate=live\ni40e=\ni40e/initstate=live\n",
        "proc/modules": "vfio_pci 16384 0 - Live 0x0\n",
        "sys/class/iommu": "",
        "sys/kernel/iommu_groups": "",
        "sys/bus/pci/devices": f"{NIC_TREE}{NIC}/driver->../../../bus/pci/drivers/{driver}\n",
        "sys/bus/pci/drivers": "i40e=\nvfio-pci=\n",
        "sys/firmware/acpi/tables/DMAR": tables.dmar(),
        "sys/firmware/acpi/tables/IVRS": None,
        "sys/firmware/acpi/tables/IORT": None,
        "dmesg": f"[    0.000000] Linux version {RELEASE} (x@y)\n",
    }
    return {**whole, **(changes or {})}


def host(changes: dict[str, object] | None = None, *, driver: str = "vfio-pci") -> Hypervisor:
    """That host, with some items changed."""
    declared = Declared(devices=(WantedDevice(address=NIC),))
    return build.hypervisor(items(changes, driver=driver), declared)


def told(words: str) -> dict[str, object]:
    """A running command line of these words."""
    return {"proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz-{RELEASE} root=UUID=1 ro quiet {words}\n"}


def nobody() -> Hypervisor:
    """A host of which nothing was read."""
    return build.hypervisor({})

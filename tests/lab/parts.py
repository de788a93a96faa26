"""The words that faults are made of: devices of the lab's topology and pieces of shell.

Every function returns POSIX shell that root runs on the host.  Nothing here is judged.
"""

from xml.sax.saxutils import quoteattr

NIC = "0000:01:00.0"
"""igb, alone in its group; its virtual functions are 0000:01:10.0, 10.2, 10.4 ..."""
NIC_ID = "8086:10c9"
VF0, VF1 = "0000:01:10.0", "0000:01:10.2"
TWIN0, TWIN1 = "0000:03:01.0", "0000:03:02.0"
"""Two e1000e behind a PCIe-to-PCI bridge: one group with the bridge."""
DUAL0, DUAL1 = "0000:04:00.0", "0000:04:00.1"
"""Two functions of one e1000e card: one group."""
E1000E_ID = "8086:10d3"
MANAGEMENT_ID = "1af4:1041"
MANAGEMENT, ROOT_DISK = "0000:00:02.0", "0000:00:03.0"
PORT = "0000:00:10.0"
DISPLAY = "0000:05:00.0"
SCREEN, NVME, NVME_ID = "0000:00:04.0", "0000:06:00.0", "1b36:0010"
"""On ``trixie-nvme``: the firmware's screen, and an NVMe of the same model as the root disk."""
VIRSH = "virsh -q -c qemu:///system"


def device(address: str) -> str:
    """Its folder in sysfs."""
    return f"/sys/bus/pci/devices/{address}"


def write(path: str, text: str) -> str:
    """Make a file of exactly this text."""
    return f"cat >{path} <<'LAB_END'\n{text.rstrip()}\nLAB_END\n"


def grub_words(words: str) -> str:
    """Add kernel words to GRUB's configuration, without generating anything."""
    pattern = r's|^\(GRUB_CMDLINE_LINUX_DEFAULT="[^"]*\)"|\1 ' + words + '"|'
    return f"sed -i '{pattern}' /etc/default/grub\n"


def kernel_words(words: str) -> str:
    """Add kernel words for the next boot, as a careful administrator does."""
    return grub_words(words) + "update-grub 2>&1\n"


def bind(address: str, driver: str) -> str:
    """Move one device to another driver by ``driver_override``, and prove it."""
    sysfs = device(address)
    return (
        f"modprobe {driver}; echo {driver} >{sysfs}/driver_override\n"
        f"[ ! -e {sysfs}/driver ] || echo {address} >{sysfs}/driver/unbind\n"
        f"echo {address} >/sys/bus/pci/drivers_probe\n"
        f'test "$(basename "$(readlink {sysfs}/driver)")" = {driver}\n'
    )


def virtual_functions(count: int) -> str:
    """Enable VFs of the igb card."""
    return f"echo {count} >{device(NIC)}/sriov_numvfs\nudevadm settle\n"


def hostdev(address: str, managed: str = "yes", driver: str = "") -> str:
    """One assigned device in libvirt's XML."""
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    source = f"<address domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>"
    attribute = f" managed={quoteattr(managed)}" if managed else ""
    return (
        f"<hostdev mode='subsystem' type='pci'{attribute}>{driver}"
        f"<source>{source}</source></hostdev>"
    )


def domain(
    name: str,
    *devices: str,
    memory: int = 128,
    extra: str = "",
    machine: str = "q35",
    arch: str = "x86_64",
) -> str:
    """A small guest's XML: direct kernel boot, a console in a file, and the devices given."""
    acpi = "<acpi/>" if arch == "x86_64" else ""  # elsewhere libvirt wants UEFI for it
    return f"""
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name><memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>{extra}
  <os><type arch='{arch}' machine='{machine}'>hvm</type>
    <kernel>/var/lib/lab/vmlinuz</kernel><initrd>/var/lib/lab/initrd</initrd>
    <cmdline>console=ttyS0 panic=-1</cmdline></os>
  <features>{acpi}</features><on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-{arch}</emulator>
    <serial type='file'><source path='/var/log/libvirt/qemu/{name}.console'/></serial>
    <memballoon model='none'/>
    {"".join(devices)}
  </devices>
</domain>
"""


#: What the guests boot is there, also on hosts on which none is to boot: the host's own kernel.
BOOTABLE = """
mkdir -p /var/lib/lab
for f in vmlinuz initrd; do
    [ -e /var/lib/lab/$f ] || cp -L /boot/$f*-"$(uname -r)" /var/lib/lab/$f || : >/var/lib/lab/$f
done
"""


def define(name: str, *devices: str, autostart: bool = False, **options: object) -> str:
    """Hand a guest to libvirt; bare addresses are hostdevs with managed='yes'."""
    elements = [d if d.startswith("<") else hostdev(d) for d in devices]
    xml = domain(name, *elements, **options)  # type: ignore[arg-type]
    script = (
        BOOTABLE
        + write(f"/tmp/{name}.xml", xml)
        + f"{VIRSH} define /tmp/{name}.xml; rm /tmp/{name}.xml\n"
    )
    return script + (f"{VIRSH} autostart {name}\n" if autostart else "")

"""Edits that people make to a guest's XML beside its devices: machine, firmware, CPUs, memory, security.

Each offers good and bad values: which is which, only the host knows.
"""

import xml.etree.ElementTree as ET
from random import Random

from tests.lab.oracle import tree
from tests.lab.oracle.devicewise import DEVICE_EDITS, MISSING
from tests.lab.oracle.ground import LAB
from tests.lab.oracle.nodewise import TreeEdit

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


def emulator(random: Random, root: ET.Element) -> None:
    """Another emulator, perhaps none."""
    path = "/usr/bin/qemu-system-x86_64"
    paths = ["/usr/bin/kvm", "/usr/bin/qemu-kvm", "/usr/libexec/qemu-kvm", "/bin/true", path[:-3]]
    tree.under(tree.devices(root), "emulator").text = random.choice(
        [*paths, tree.near(random, path)]
    )


def machine(random: Random, root: ET.Element) -> None:
    """Another machine type."""
    types = ["pc-q35-2.4", "pc-q35-8.2", "pc-q35-7.1", "pc", "pc-q35-rhel9.4.0", "pc-q35-99.0"]
    tree.under(root, "os/type").set("machine", random.choice([*types, "q35-", "microvm"]))


def architecture(random: Random, root: ET.Element) -> None:
    """Another architecture."""
    tree.under(root, "os/type").set("arch", random.choice(["aarch64", "i686", "x86-64", "ppc64le"]))


def hypervisor(random: Random, root: ET.Element) -> None:
    """Another kind of domain."""
    root.set("type", random.choice(["qemu", "xen", "lxc", "kqemu"]))


def kernel(random: Random, root: ET.Element) -> None:
    """A kernel or initramfs elsewhere."""
    node = tree.under(root, f"os/{random.choice(['kernel', 'initrd'])}")
    texts = [MISSING, "/boot", tree.near(random, node.text or "x"), f"{LAB}/disk.img", "/vmlinuz"]
    node.text = random.choice(texts)


def loader(random: Random, root: ET.Element) -> None:
    """Firmware and variables, there or not."""
    under = tree.under(root, "os")
    for old in (*under.findall("loader"), *under.findall("nvram")):
        under.remove(old)
    code = random.choice([f"{LAB}/code.fd", "/usr/share/OVMF/OVMF_CODE.fd", f"{LAB}/initrd", LAB])
    template = random.choice([f"{LAB}/vars.fd", "/usr/share/OVMF/OVMF_VARS.fd", MISSING])
    secure = random.choice(["", " secure='yes'"])
    tree.put(under, f"<loader readonly='yes'{secure} type='pflash'>{code}</loader>")
    name = root.findtext("name") or "g"
    tree.put(
        under, f"<nvram template='{template}'>/var/lib/libvirt/qemu/nvram/{name}-new.fd</nvram>"
    )


def firmware(random: Random, root: ET.Element) -> None:
    """Firmware that libvirt is to choose."""
    tree.under(root, "os").set("firmware", random.choice(["efi", "bios"]))


def vcpus(random: Random, root: ET.Element) -> None:
    """More or fewer CPUs, placed somewhere."""
    places = ["0", "1", "0-1", "0-7", "2", "1,3", "^0,1", "4-6"]
    place = f" cpuset='{random.choice(places)}'"
    count = random.choice([1, 2, 4, 8, 64, 300, 1024])
    tree.replace(root, "vcpu", f"<vcpu placement='static'{place}>{count}</vcpu>", first=True)


def pinning(random: Random, root: ET.Element) -> None:
    """A virtual CPU, or the emulator, pinned to a CPU."""
    tune = tree.under(root, "cputune")
    cpus = random.choice(["0", "1", "2", "0-1", "7", "1-8"])
    word = random.choice([f"vcpupin vcpu='{random.choice([0, 0, 3])}'", "emulatorpin"])
    tree.put(tune, f"<{word} cpuset='{cpus}'/>")


def nodes(random: Random, root: ET.Element) -> None:
    """Memory of a NUMA node."""
    mode = random.choice(["strict", "preferred", "interleave"])
    node = random.choice(["0", "1", "0-1", "7"])
    tree.replace(root, "numatune", f"<numatune><memory mode='{mode}' nodeset='{node}'/></numatune>")


def memory(random: Random, root: ET.Element) -> None:
    """Another amount of memory."""
    amount = random.choice([64, 192, 512, 1024, 2048, 2900, 4096, 65536])
    node = tree.under(root, "memory")
    node.set("unit", random.choice(["MiB", "MiB", "MiB", "MB"]))
    node.text = str(amount)
    for old in root.findall("currentMemory"):
        root.remove(old)


def hugepages(random: Random, root: ET.Element) -> None:
    """Memory in hugepages of some size."""
    size, unit = random.choice(
        [("2", "MiB"), ("2048", "KiB"), ("1", "GiB"), ("1048576", "KiB"), ("64", "KiB")]
    )
    node = random.choice(["", "", " nodeset='0'"])
    tree.replace(
        root,
        "memoryBacking",
        f"<memoryBacking><hugepages><page size='{size}' unit='{unit}'{node}/></hugepages></memoryBacking>",
    )
    if random.random() < 0.5:
        tree.under(root, "memory").text = random.choice(["128", "200", "256", "300", "512"])


def backing(random: Random, root: ET.Element) -> None:
    """Where memory comes from, and whether it is locked."""
    words = [
        "<locked/>",
        "<nosharepages/>",
        "<source type='memfd'/><access mode='shared'/>",
        "<source type='file'/>",
        "<allocation mode='immediate'/>",
        "<discard/>",
    ]
    tree.replace(root, "memoryBacking", f"<memoryBacking>{random.choice(words)}</memoryBacking>")


def limits(random: Random, root: ET.Element) -> None:
    """A limit on memory."""
    key = random.choice(["hard_limit", "hard_limit", "soft_limit", "swap_hard_limit"])
    amount = random.choice([16, 64, 128, 256, 1024, 1200, 2048, 8192])
    tree.replace(root, "memtune", f"<memtune><{key} unit='MiB'>{amount}</{key}></memtune>")


def cpu(random: Random, root: ET.Element) -> None:
    """Another CPU model, or a feature that must be there."""
    words = [
        "<cpu mode='host-model'/>",
        "<cpu mode='host-passthrough' migratable='off'/>",
        "<cpu mode='custom' match='exact'><model fallback='forbid'>EPYC</model></cpu>",
        "<cpu mode='custom' match='exact'><model fallback='allow'>Skylake-Client</model></cpu>",
        "<cpu mode='custom'><model>qemu64</model></cpu>",
        "<cpu mode='custom'><model>EPYC-Naples</model></cpu>",
        "<cpu mode='host-passthrough'><feature policy='require' name='vmx'/></cpu>",
        "<cpu mode='host-passthrough'><feature policy='require' name='svm'/></cpu>",
        "<cpu mode='host-passthrough'><topology sockets='2' dies='1' cores='4' threads='1'/></cpu>",
        "<cpu mode='maximum'/>",
    ]
    tree.replace(root, "cpu", random.choice(words))


def raw_words(random: Random, root: ET.Element) -> None:
    """QEMU's own words."""
    words = ["-no-such-option", "-nodefaults", "-snapshot", "-msg", "-device", "-set"]
    values = {
        "-msg": "timestamp=on",
        "-device": "no-such-device",
        "-set": "device.hostdev0.x-no-mmap=on",
    }
    word = random.choice(words)
    given = "".join(f"<q:arg value='{text}'/>" for text in (word, values.get(word)) if text)
    tree.put(root, f"<q:commandline xmlns:q='{QEMU}'>{given}</q:commandline>")


def security(random: Random, root: ET.Element) -> None:
    """A security model."""
    words = [
        "<seclabel type='none'/>",
        "<seclabel type='dynamic' model='selinux'/>",
        "<seclabel type='dynamic' model='apparmor'/>",
        "<seclabel type='static' model='dac'><label>root:root</label></seclabel>",
        "<seclabel type='static' model='dac'><label>nobody:nogroup</label></seclabel>",
        (
            "<launchSecurity type='sev'><policy>0x0001</policy><cbitpos>47</cbitpos>"
            "<reducedPhysBits>1</reducedPhysBits></launchSecurity>"
        ),
    ]
    tree.put(root, random.choice(words))


def resource(random: Random, root: ET.Element) -> None:
    """The control group of the guest."""
    place = random.choice(["/machine", "/machine/labs", "/system", "machine"])
    tree.replace(root, "resource", f"<resource><partition>{place}</partition></resource>")


def features(random: Random, root: ET.Element) -> None:
    """Features of the machine."""
    words = [
        "<apic eoi='on'/>",
        "<smm state='on'/>",
        "<ioapic driver='qemu'/>",
        "<ioapic driver='kvm'/>",
    ]
    words += ["<kvm><hidden state='on'/></kvm>", "<vmport state='off'/>", "<gic version='3'/>"]
    words += [
        "<hyperv mode='custom'><relaxed state='on'/></hyperv>",
        "<tcg><tb-cache>64</tb-cache></tcg>",
    ]
    words += [
        "<hyperv mode='custom'><evmcs state='on'/></hyperv>",
        "<xen><passthrough state='on'/></xen>",
    ]
    tree.put(tree.under(root, "features"), random.choice(words))


def identity(random: Random, root: ET.Element) -> None:
    """Names and notes on which nothing hangs, or everything."""
    match random.randrange(5):
        case 0:
            tree.replace(root, "title", "<title>another title</title>")
        case 1:
            tree.replace(
                root, "metadata", "<metadata><note xmlns='urn:lab'>by hand</note></metadata>"
            )
        case 2:
            tree.replace(
                root, "uuid", "<uuid>6a3c25a1-59d1-4b8b-9a3f-7a4a4b7f2d10</uuid>", first=True
            )
        case 3:
            tree.under(root, "name").text = f"{root.findtext('name')}-old"
        case _:
            tree.replace(root, "on_reboot", "<on_reboot>destroy</on_reboot>")


GUEST_EDITS: dict[str, TreeEdit] = {
    "emulator": emulator,
    "machine type": machine,
    "architecture": architecture,
    "domain type": hypervisor,
    "kernel and initrd": kernel,
    "loader and nvram": loader,
    "firmware": firmware,
    "vcpu": vcpus,
    "pinning": pinning,
    "NUMA nodes": nodes,
    "memory": memory,
    "hugepages": hugepages,
    "memory backing": backing,
    "memory limits": limits,
    "CPU model": cpu,
    "raw QEMU words": raw_words,
    "security model": security,
    "resource": resource,
    "features": features,
    "name and notes": identity,
    **DEVICE_EDITS,
}

"""Edits that people make to what the next boot reads: parameters, GRUB, modprobe.d, initramfs, rules.

Each returns what is typed, and what a right cause would name.
"""

import re
from random import Random

from tests.lab.oracle.ground import MODPROBE, RULE, VF_SERVICE
from tests.lab.oracle.hostwise import HostEdit, Typed
from tests.lab.parts import DISPLAY, E1000E_ID, MANAGEMENT_ID, NIC, TWIN0, write

GRUB, GRUB_CFG, GRUBENV = "/etc/default/grub", "/boot/grub/grub.cfg", "/boot/grub/grubenv"
UPDATE_GRUB, UPDATE_INITRAMFS = "update-grub 2>&1 || true\n", "update-initramfs -u 2>&1 || true\n"
PARAMETERS = (
    "intel_iommu=off",
    "iommu=off",
    "intel_iommu=0n",
    "intel_iommu=on,sm_on",
    "intel_iommu=igfx_off",
    "iommu=pt",
    "iommu=nopt",
    "iommu=soft",
    "amd_iommu=off",
    "intremap=off",
    "noapic",
    "nox2apic",
    "pci=noacpi",
    "pci=nomsi",
    "acpi=off",
    "module_blacklist=vfio_pci",
    "module_blacklist=vfio-pci",
    "module_blacklist=kvm_amd",
    "modprobe.blacklist=vfio-pci",
    "modprobe.blacklist=e1000e",
    "modprobe.blacklist=igb",
    "vfio-pci.ids=8086:10c9",
    "vfio-pci.ids=8086:10ca",
    "vfio-pci.ids=1234:1111",
    f"vfio-pci.ids={MANAGEMENT_ID}",
    "vfio_iommu_type1.allow_unsafe_interrupts=1",
    "vfio_iommu_type1.dma_entry_limit=1",
    "kvm_amd.npt=0",
    "kvm.ignore_msrs=1",
    "hugepages=16",
    "hugepages=1100",
    "hugepagesz=1G hugepages=1",
    "default_hugepagesz=1G",
    "mem=1G",
    "maxcpus=1",
    "nosmp",
    "mitigations=off",
    "systemd.unified_cgroup_hierarchy=0",
    "systemd.mask=vfs.service",
    "systemd.mask=libvirtd.service",
    "driver_async_probe=igb",
    "pci-stub.ids=8086:10d3",
    "initcall_blacklist=intel_iommu_init",
    "quiet",
    "console=tty0",
)


def parameters(random: Random) -> Typed:
    """A kernel parameter in /etc/default/grub, somewhere on its line."""
    word = random.choice(PARAMETERS)
    where = random.choice(["start", "end", "end", "dashes", "other"])
    pattern = {
        "start": rf's|^GRUB_CMDLINE_LINUX_DEFAULT="|&{word} |',
        "end": rf's|^\(GRUB_CMDLINE_LINUX_DEFAULT="[^"]*\)"|\1 {word}"|',
        "dashes": rf's|^\(GRUB_CMDLINE_LINUX_DEFAULT="[^"]*\)"|\1 -- {word}"|',
        "other": rf's|^\(GRUB_CMDLINE_LINUX="[^"]*\)"|\1 {word}"|',
    }[where]
    return f"sed -i '{pattern}' {GRUB}\n{_mostly(random, UPDATE_GRUB)}", _names(word, GRUB)


def lost_parameter(random: Random) -> Typed:
    """A parameter taken out, or with a slip in it."""
    old, new = random.choice(
        [
            ("intel_iommu=on", ""),
            ("intel_iommu=on", "intel_iommu=no"),
            ("intel_iommu=on", "intel-iommu=on"),
            ("intel_iommu=on", "intel_iommu=off"),
            ("iommu=pt", ""),
            ("iommu=pt", "iommu=off"),
            ("quiet", "debug"),
        ]
    )
    return f"sed -i 's/{old}/{new}/' {GRUB}\n{_mostly(random, UPDATE_GRUB)}", _names(
        f"{old} {new}", GRUB
    )


def drop_in(random: Random) -> Typed:
    """A file in /etc/default/grub.d."""
    name = random.choice(["50-lab.cfg", "lab.cfg", "lab", "60-vfio.conf"])
    word = random.choice(PARAMETERS)
    line = random.choice(
        [
            f'GRUB_CMDLINE_LINUX_DEFAULT="{word}"',
            f'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT {word}"',
            f'GRUB_CMDLINE_LINUX="{word}',
            f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {word}"',
        ]
    )
    file = f"/etc/default/grub.d/{name}"
    script = f"mkdir -p /etc/default/grub.d\n{write(file, line)}{_mostly(random, UPDATE_GRUB)}"
    return script, (file, name, *_names(word))


def grub_cfg(random: Random) -> Typed:
    """grub.cfg edited by hand."""
    word = random.choice(PARAMETERS)
    pattern = random.choice(
        [
            rf"s|^\(\s*linux\s.*\)$|\1 {word}|",
            rf"0,/^\s*linux\s/s|^\(\s*linux\s.*\)$|\1 {word}|",
            r"s| intel_iommu=on||",
            r"s|intel_iommu=on|intel_iommu=off|",
        ]
    )
    return f"sed -i '{pattern}' {GRUB_CFG}\n", (
        *_names(word),
        "intel_iommu",
        "intel_iommu=off",
        GRUB_CFG,
    )


def default_entry(random: Random) -> Typed:
    """Another entry is chosen: one of custom.cfg, one that is gone, one for one boot."""
    word = random.choice(["intel_iommu=off", "iommu=pt", "module_blacklist=vfio_pci", "iommu=off"])
    entry = (
        f"sed -n '/^menuentry/,/^}}/p' {GRUB_CFG} | sed -n '1,/^}}/p' | "
        f'sed "s/^menuentry .*{{/menuentry lab --id lab {{/; s|^\\(.*linux.*/vmlinuz.*\\)$|\\1 {word}|" '
        ">/boot/grub/custom.cfg\n"
    )
    choice = random.choice(
        [
            "grub-editenv - set saved_entry=lab",
            "grub-editenv - set next_entry=lab",
            "grub-reboot lab",
            "sed -i 's/^GRUB_DEFAULT=.*/GRUB_DEFAULT=saved/' /etc/default/grub; update-grub 2>&1; grub-set-default lab",
            "sed -i 's/^GRUB_DEFAULT=.*/GRUB_DEFAULT=saved/' /etc/default/grub; update-grub 2>&1; grub-reboot lab",
            "sed -i 's/^GRUB_DEFAULT=.*/GRUB_DEFAULT=lab/' /etc/default/grub; update-grub 2>&1",
            "sed -i 's/^GRUB_DEFAULT=.*/GRUB_DEFAULT=gone/' /etc/default/grub; update-grub 2>&1",
            "sed -i 's/^GRUB_DEFAULT=.*/GRUB_DEFAULT=7/' /etc/default/grub; update-grub 2>&1",
            "true",
        ]
    )
    return f"{entry}{choice}\n", (
        "custom.cfg",
        "grubenv",
        "saved_entry",
        "next_entry",
        "lab",
        word,
        GRUB,
    )


def modprobe(random: Random) -> Typed:
    """modprobe.d: ids, softdeps, blacklists, names of files and options."""
    file = random.choice([MODPROBE, MODPROBE, "/etc/modprobe.d/lab.conf", "/etc/modprobe.d/lab"])
    line = random.choice(
        [
            f"options vfio-pci ids={E1000E_ID}",
            "options vfio-pci ids=8086:10d4",
            "options vfio-pci id=8086:10d3",
            "options vfio_pci ids=8086:10d3,1234:1111",
            "options vfio-pci ids=8086:10c9",
            "options vfio-pci ids=8086.10d3",
            "options vfio-pci ids=0x8086:0x10d3",
            "option vfio-pci ids=8086:10d3",
            "options vfio-pci ids=8086:10d3 disable_vga=1 disable_denylist=1",
            "options vfio-pci disable_idle_d3=1 nosuchoption=1",
            "softdep e1000e pre: vfio_pci",
            "softdep e1000 pre: vfio-pci",
            "softdep e1000e: pre vfio-pci",
            "softdep e1000e post: vfio-pci",
            "softdep igbvf pre: vfio-pci",
            "blacklist e1000e",
            "blacklist vfio-pci",
            "blacklist vfio",
            "blacklist igbvf",
            "blacklist igb",
            "blacklist kvm_amd",
            "install vfio-pci /bin/true",
            "install e1000e /bin/false",
            "options vfio_iommu_type1 allow_unsafe_interrupts=1",
            "options vfio_iommu_type1 dma_entry_limit=2",
            "options kvm_amd npt=0 nested=0",
            "options igb max_vfs=2",
            "options vfio enable_unsafe_noiommu_mode=1",
        ]
    )
    whole = random.random() < 0.5
    script = write(file, line) if whole else f"echo '{line}' >>{file}\n"
    return f"{script}{_mostly(random, UPDATE_INITRAMFS)}", (
        file,
        file.rpartition("/")[2],
        *_names(line),
    )


def modprobe_file(random: Random) -> Typed:
    """The file with the ids goes, or is called otherwise."""
    how = random.choice(
        [
            f"rm {MODPROBE}",
            f"mv {MODPROBE} /etc/modprobe.d/vfio",
            f"mv {MODPROBE} /etc/modprobe.d/vfio.conf.bak",
            f"mv {MODPROBE} /etc/modprobe.d/zz-vfio.conf",
            f"mv {MODPROBE} /usr/lib/modprobe.d/vfio.conf",
            f"sed -i /softdep/d {MODPROBE}",
            f"sed -i /options/d {MODPROBE}",
            f"sed -i 's/^/#/' {MODPROBE}",
        ]
    )
    words = ("softdep", "vfio.conf", "/etc/modprobe.d/vfio", MODPROBE, E1000E_ID, "zz-vfio.conf")
    return f"{how}\n{_mostly(random, UPDATE_INITRAMFS)}", words


def initramfs(random: Random) -> Typed:
    """What is in the initramfs, and how old it is."""
    conf = "/etc/initramfs-tools"
    how = random.choice(
        [
            f"sed -i /vfio-pci/d {conf}/modules",
            f"sed -i s/vfio-pci/vfio_pci/ {conf}/modules",
            f"sed -i s/vfio-pci/vfiopci/ {conf}/modules",
            f"echo e1000e >>{conf}/modules",
            f"sed -i 's/vfio-pci/e1000e\\nvfio-pci/' {conf}/modules",
            f"sed -i s/^MODULES=.*/MODULES=dep/ {conf}/initramfs.conf",
            "touch -d '2 years ago' /boot/initrd.img-$(uname -r)",
            f"touch {MODPROBE}",
            f"echo igb >>{conf}/modules",
        ]
    )
    return f"{how}\n{_mostly(random, UPDATE_INITRAMFS)}", (
        "initramfs",
        "initrd",
        "initramfs-tools/modules",
        f"{conf}/modules",
        "vfio-pci",
        TWIN0,
    )


def udev_rule(random: Random) -> Typed:
    """The rule that binds the display, and others."""
    match = f'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="{DISPLAY}"'
    rules = [
        f'{match}, ATTR{{driver_override}}="vfio_pci"',
        f'{match}, ATTR{{driver_override}}=="vfio-pci"',
        f'{match}, ATTR{{driver_overide}}="vfio-pci"',
        f'{match}, ATTR{{driver_override}}="bochs-drm"',
        f'ACTION=="add", SUBSYSTEM=="pcis", KERNEL=="{DISPLAY}", ATTR{{driver_override}}="vfio-pci"',
        'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="0000:06:00.0", ATTR{driver_override}="vfio-pci"',
        f'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="{TWIN0}", ATTR{{driver_override}}="e1000e"',
        f'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="{NIC}", ATTR{{driver_override}}="vfio-pci"',
        'SUBSYSTEM=="pci", ATTR{vendor}=="0x8086", ATTR{device}=="0x10ca", ATTR{driver_override}="vfio-pci"',
        'SUBSYSTEM=="vfio", OWNER="root", GROUP="kvm", MODE="0660"',
        'KERNEL=="kvm", MODE="0600"',
        'KERNEL=="vfio", MODE="0600"',
    ]
    file = random.choice(
        [RULE, RULE, "/etc/udev/rules.d/99-lab.rules", "/etc/udev/rules.d/lab.rule"]
    )
    how = random.choice(
        [write(file, random.choice(rules)), write(file, random.choice(rules)), f"rm {RULE}\n"]
    )
    named = ("/etc/udev/rules.d", RULE, file, file.rpartition("/")[2], "10-vfio.rules")
    return how + _mostly(random, UPDATE_INITRAMFS), (
        *named,
        DISPLAY,
        "driver_override",
        *_names(how),
    )


def vf_service(random: Random) -> Typed:
    """The service that makes the virtual functions."""
    how = random.choice(
        [
            "systemctl disable vfs.service 2>&1",
            "systemctl mask vfs.service 2>&1 || { rm "
            + VF_SERVICE
            + "; systemctl mask vfs.service 2>&1; }",
            f"sed -i 's/echo 7/echo 2/' {VF_SERVICE}",
            f"sed -i 's/echo 7/echo 70/' {VF_SERVICE}",
            f"sed -i 's/sriov_numvfs/sriov_totalvfs/' {VF_SERVICE}",
            f"sed -i 's/^Before=.*/After=libvirtd.service/' {VF_SERVICE}",
            f"sed -i 's/^RemainAfterExit.*//' {VF_SERVICE}",
            f"mv {VF_SERVICE} {VF_SERVICE}.off",
            f"chmod 600 {VF_SERVICE}",
        ]
    )
    return how + "\n", ("vfs.service", "VFs", "VF", NIC, "sriov_numvfs")


def at_boot(random: Random) -> Typed:
    """What systemd and sysctl do at boot."""
    scripts = {
        "rm /etc/sysctl.d/50-hugepages.conf": ("hugepages", "50-hugepages.conf"),
        "echo 'vm.nr_hugepages = 10' >/etc/sysctl.d/90-lab.conf": ("hugepages", "nr_hugepages"),
        "mv /etc/sysctl.d/50-hugepages.conf /etc/sysctl.d/50-hugepages": (
            "hugepages",
            "50-hugepages",
        ),
        "systemctl mask dev-hugepages.mount 2>&1": (
            "hugepages",
            "hugetlbfs",
            "dev-hugepages.mount",
        ),
        "systemctl mask libvirtd.service libvirtd.socket libvirtd-ro.socket 2>&1": (
            "libvirt",
            "libvirtd",
        ),
        "systemctl disable libvirtd.service 2>&1": ("libvirt", "libvirtd"),
        "systemctl disable libvirtd.service libvirtd.socket libvirtd-ro.socket 2>&1": (
            "libvirt",
            "libvirtd",
        ),
        "systemctl mask virtlogd.service virtlogd.socket 2>&1": ("virtlogd",),
        "systemctl mask systemd-machined.service 2>&1": ("systemd-machined",),
        "rm /etc/systemd/network/br.netdev": ("labbr0", "br.netdev"),
        "rm /etc/modules-load.d/kvm.conf": ("kvm", "kvm_amd"),
        "virsh -c qemu:///system net-autostart --disable lab": ("lab",),
        "virsh -c qemu:///system pool-autostart --disable lab": ("lab",),
        "echo vfio-pci >/etc/modules-load.d/vfio.conf": ("vfio-pci",),
        "systemctl mask systemd-modules-load.service 2>&1": ("systemd-modules-load", "kvm"),
    }
    script = random.choice(sorted(scripts))
    return script + "\n", scripts[script]


def kernel_files(random: Random) -> Typed:
    """Kernels, their modules and initramfs."""
    scripts = [
        "mv /lib/modules/$(uname -r) /lib/modules/old",
        "find /lib/modules -name 'vfio*.ko*' -delete; depmod",
        "find /lib/modules -name 'vfio*.ko*' -delete; depmod; update-initramfs -u 2>&1",
        "find /lib/modules -name 'igbvf.ko*' -delete; depmod",
        "find /lib/modules -name 'kvm-amd.ko*' -delete; depmod",
        "for k in vmlinuz initrd.img; do cp /boot/$k-$(uname -r) /boot/$k-9.9.9; done; update-grub 2>&1",
        "cp /boot/vmlinuz-$(uname -r) /boot/vmlinuz-6.1.0; update-grub 2>&1",
        "rm /boot/config-$(uname -r) /boot/System.map-$(uname -r)",
    ]
    script = random.choice(scripts)
    return script + "\n", (
        "/lib/modules",
        "modules",
        "vfio-pci",
        "vfio_pci",
        "igbvf",
        "kvm_amd",
        "9.9.9",
        "kvm",
    )


def _mostly(random: Random, script: str) -> str:
    """What has to follow the edit, three times of four."""
    return script if random.random() < 0.75 else ""


def _names(text: str, *more: str) -> tuple[str, ...]:
    words = re.findall(r"[\w.,:/=-]{4,}", text)
    parts = [part for word in words for part in (word, *re.split(r"[=,]", word)) if len(part) > 3]
    return (*dict.fromkeys(parts), *more)


BOOT_EDITS: dict[str, HostEdit] = {
    "parameter": parameters,
    "parameter lost": lost_parameter,
    "grub.d": drop_in,
    "grub.cfg": grub_cfg,
    "GRUB's entry": default_entry,
    "modprobe.d": modprobe,
    "modprobe.d file": modprobe_file,
    "initramfs": initramfs,
    "udev rule": udev_rule,
    "VF service": vf_service,
    "at boot": at_boot,
    "kernel files": kernel_files,
}

"""Edits of the host's files that do not know what they mean: a byte, a line, a number, mode or name."""

import base64
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from tests.lab.oracle.bootwise import GRUB, GRUB_CFG, GRUBENV, UPDATE_GRUB, UPDATE_INITRAMFS
from tests.lab.oracle.bytewise import TEXT_EDITS, flip_byte
from tests.lab.oracle.ground import LAB, MODPROBE, POOL, RULE, VF_SERVICE
from tests.lab.oracle.naming import of_lines
from tests.lab.ssh import Shell

EVERYTHING_AGAIN = """
systemctl daemon-reload; sysctl -q --system 2>&1 || true; udevadm control --reload
udevadm trigger -c add -s pci; udevadm settle
systemctl restart vfs.service 2>&1 || true; systemctl restart libvirtd 2>&1 || true
"""
"""Whoever edits a file of a running host starts again what reads it."""
LIVE_FILES = dict.fromkeys(
    (
        "/etc/libvirt/qemu.conf",
        "/etc/libvirt/libvirtd.conf",
        "/etc/libvirt/qemu/g1.xml",
        "/etc/libvirt/qemu/g2.xml",
        "/etc/libvirt/qemu/networks/lab.xml",
        "/etc/libvirt/storage/lab.xml",
        "/etc/default/libvirtd",
        "/etc/sysctl.d/50-hugepages.conf",
        RULE,
        VF_SERVICE,
    ),
    EVERYTHING_AGAIN,
)
"""Files that somebody reads while the host runs, and what makes them read."""
BOOT_FILES = {
    GRUB: UPDATE_GRUB,
    GRUB_CFG: "",
    GRUBENV: "",
    MODPROBE: UPDATE_INITRAMFS,
    "/etc/initramfs-tools/modules": UPDATE_INITRAMFS,
    RULE: UPDATE_INITRAMFS,
    VF_SERVICE: "",
    "/etc/sysctl.d/50-hugepages.conf": "",
    "/etc/modules-load.d/kvm.conf": "",
    "/etc/systemd/network/br.netdev": "",
    "/etc/libvirt/qemu.conf": "",
}
"""Files that the next boot reads, and what must be generated from them."""
THINGS = (
    "/dev/kvm",
    "/dev/vfio/vfio",
    "/usr/bin/qemu-system-x86_64",
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/qemu",
    f"{LAB}/vmlinuz",
    f"{LAB}/initrd",
    f"{LAB}/disk.img",
    f"{LAB}/code.fd",
    f"{LAB}/card.rom",
    f"{POOL}/volume.img",
    LAB,
    POOL,
    "/srv/share",
    "/etc/libvirt",
    "/etc/libvirt/qemu",
    "/var/lib/libvirt/qemu",
    "/var/log/libvirt/qemu",
    "/run/libvirt",
)
"""What has a mode and a name beside those files."""
MODES = ("000", "400", "600", "640", "644", "700", "755", "777")


@dataclass(frozen=True)
class FileEdit:
    """An edit of a file, by a seed of its own: its text is known on the host alone."""

    file: str
    how: str
    seed: str
    then: str

    def play(self, shell: Shell) -> tuple[str, tuple[str, ...]]:
        """Make it; returns what was changed, and the words of a right cause."""
        named = (self.file, self.file.rpartition("/")[2])
        random = Random(self.seed)
        match self.how:
            case "mode":
                mode = random.choice(MODES)
                shell.must(f"chmod {mode} {self.file}\n{self.then}", timeout=600)
                return f"chmod {mode} {self.file}", named
            case "name":
                other = flip_byte(random, named[1]).replace("/", "_")
                target = f"{self.file.rpartition('/')[0]}/{other}"
                shell.must(f"mv {self.file} {shlex.quote(target)}\n{self.then}", timeout=600)
                return f"mv {self.file} {target}", (*named, target, other)
        before = base64.b64decode(shell.must(f"base64 {self.file}")).decode("latin-1")
        after = edited(random, self.how, before)
        coded = base64.b64encode(after.encode("latin-1")).decode()
        shell.must(
            f"base64 -d >{self.file} <<'LAB_END'\n{coded}\nLAB_END\n{self.then}", timeout=600
        )
        old, new = before.splitlines(), after.splitlines()
        what = [f"- {line}" for line in old if line not in new]
        what += [f"+ {line}" for line in new if line not in old]
        return f"{self.file}: {'; '.join(what) or 'another order'}", (
            *named,
            *of_lines(before, after),
        )


def edited(random: Random, how: str, text: str) -> str:
    """A text that says something else: an edit of a comment or of nothing is drawn again."""
    drawn = (TEXT_EDITS[how](random, text) for _ in range(100))
    return next((after for after in drawn if said(after) != said(text)), text)


def said(text: str) -> list[str]:
    """The lines that somebody reads."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def file_edit(random: Random, how: str, *, boot: bool) -> FileEdit:
    """An edit of one kind, of a file that matters now or at the next boot."""
    files: Mapping[str, str] = BOOT_FILES if boot else LIVE_FILES
    things = () if boot or how not in {"mode", "name"} else THINGS
    file = random.choice([*files, *things])
    then = files.get(file, random.choice(["", "systemctl restart libvirtd || true\n"]))
    then = then if not boot or random.random() < 0.75 else ""
    return FileEdit(file, how, str(random.random()), then)


FILE_EDITS = (*TEXT_EDITS, "mode", "name")

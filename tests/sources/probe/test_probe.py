"""The probe itself, in every shell that there is, on made-up hosts and on this machine."""

from __future__ import annotations

import contextlib
import fnmatch
import gzip
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pytest_vfio.evidence import Evidence, Missing, Status, Tree
from pytest_vfio.sources import load_recording, probe_text
from pytest_vfio.sources.items import ROWS
from pytest_vfio.sources.table import PLAIN_NAMES
from tests.hosts import tree as faketree
from tests.hosts.stuck import possible, stuck

SHELLS = [
    pytest.param(
        words,
        id=words[0],
        marks=pytest.mark.skipif(shutil.which(words[0]) is None, reason=f"no {words[0]} here"),
    )
    for words in (["dash"], ["busybox", "sh"], ["bash"])
]
#: On made-up hosts; awk and the others are busybox's own in the second.
TWO = SHELLS[:2]
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture(params=SHELLS)
def any_shell(request):
    """Each shell in turn, as the words that start it."""
    return request.param


@pytest.fixture(params=TWO)
def shell(request):
    """The two that differ most."""
    return request.param


@pytest.fixture
def root(tmp_path):
    """A made-up host."""
    return faketree.host(tmp_path / "root")


def probe(shell: list[str], root: Path | None = None, script: str = "", **more) -> Evidence:
    """What a probe finds; it says nothing besides, and leaves no process behind."""
    environment = {"PATH": os.environ["PATH"]}
    if root is not None:
        environment["PROBE_ROOT"] = str(root)
    process = subprocess.Popen(
        [*shell, "-s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        **more,
    )
    out, said = process.communicate((script or probe_text()).encode(), timeout=60)
    assert not left_behind(process.pid)
    assert not said.strip(), said
    assert re.search(rb"\n%done [0-9]+\n\Z", out), out[-300:]
    return load_recording(out, "h")


def left_behind(session: int) -> str:
    """The processes of a session that are still there a moment later."""
    for _ in range(20):
        command = ["ps", "-o", "stat=,args=", "--sid", str(session)]
        lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        alive = "\n".join(line for line in lines.splitlines() if not line.startswith("Z"))
        if not alive:
            return ""
        time.sleep(0.1)
    return alive


# -- on this machine


def test_the_table_of_items_holds(any_shell):
    """Every item of the table is answered for, and there is no other."""
    read = probe(any_shell)
    assert set(PLAIN_NAMES) <= set(read.items)
    patterns = [row.inside for row in ROWS if row.live and row.inside]
    for name in set(read.items) - set(PLAIN_NAMES):
        assert any(fnmatch.fnmatch(name, pattern) for pattern in patterns), name


def test_this_machine_is_read(any_shell):
    """What anybody may read is what Python reads."""
    read = probe(any_shell)
    for name in ("proc/cmdline", "proc/sys/kernel/osrelease", "proc/sys/kernel/random/boot_id"):
        assert read.text(name) == Path("/", name).read_text()
    there = {path.name for path in Path("/sys/bus/pci/devices").glob("*")}
    tree = Tree.of(read.item("sys/bus/pci/devices"))
    assert {name for name in tree.links if "/" not in name} == there
    for name in there:
        vendor = Path("/sys/bus/pci/devices", name, "vendor").read_text()
        assert tree.get(f"{name}/vendor") == vendor.strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_somebody_without_rights(any_shell):
    """What may not be read is denied, and never empty or absent."""
    read = probe([*NOBODY, *any_shell])
    for name in ("vfio/openers", "sockets/sshd"):
        assert read.item(name).status is Status.DENIED
    iomem = read.item("proc/iomem")
    assert iomem.status in {Status.DENIED, Status.ABSENT}
    assert not iomem.data
    config = read.item("sys/bus/pci/config").text.split("\n")
    for line in config:
        if "=" in line:
            assert len(line.partition("=")[2]) in {128, 256}
            assert f"{line.partition('=')[0]}!denied" in config


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file that only root may read")
def test_closed_files_and_folders_are_denied(shell, root):
    """A file behind a closed folder is not absent."""
    root.parent.chmod(0o755)
    for up in root.parents:
        if up.stat().st_mode & 0o005 != 0o005 and up != Path("/"):
            up.chmod(up.stat().st_mode | 0o055)
    faketree.write(
        root,
        {
            "etc/libvirt/qemu/g.xml": "<domain/>",
            "boot/grub/grub.cfg": "x",
            "etc/crypttab": "x",
            "boot/efi/loader/loader.conf": "x",
        },
    )
    for name in ("etc/libvirt/qemu", "boot/efi"):
        (root / name).chmod(0o700)
    (root / "boot/grub/grub.cfg").chmod(0o600)
    read = probe([*NOBODY, *shell], root)
    for name in (
        "etc/libvirt/qemu/",
        "etc/libvirt/qemu/autostart/",
        "boot/grub/grub.cfg",
        "boot/efi/loader/loader.conf",
        "boot/efi/loader/entries/",
    ):
        assert read.item(name).status is Status.DENIED, name
    assert read.item("etc/crypttab").status is Status.PRESENT
    assert read.item("boot/grub2/grub.cfg").status is Status.ABSENT


# -- devices


def test_devices_of_a_made_up_host(any_shell, root):
    """Values of one line and of several, links, listings, groups."""
    faketree.device(root, "0000:00:01.0", files={"secondary_bus_number": "1\n"})
    faketree.device(
        root,
        "0000:01:00.0",
        below="0000:00:01.0",
        group=7,
        files={
            "driver": "->../../../../bus/pci/drivers/i40e",
            "net/eth0/address": "0\n",
            "reset": "",
            "sriov_numvfs": "0\n",
            "virtfn0": "->../0000:01:02.0",
        },
    )
    read = probe(any_shell, root)
    tree = Tree.of(read.item("sys/bus/pci/devices"))
    assert tree.get("0000:01:00.0/vendor") == "0x8086"
    assert tree.get("0000:01:00.0/resource") == "0x01 0x02 0x03\n0x00 0x00 0x00"
    assert tree.get("0000:01:00.0/driver_override") == "(null)"
    assert tree.get("0000:01:00.0/current_link_speed") == "8.0 GT/s PCIe"
    assert tree.get("0000:01:00.0/sriov_numvfs") == "0"
    assert tree.get("0000:00:01.0/secondary_bus_number") == "1"
    assert tree.get("0000:01:00.0/net/eth0") == ""
    assert tree.get("0000:01:00.0/reset") == ""
    assert tree.get("0000:00:01.0/reset") is None
    assert str(tree.link("0000:01:00.0/driver")).endswith("/i40e")
    assert str(tree.link("0000:01:00.0/virtfn0")).endswith("/0000:01:02.0")
    assert str(tree.link("0000:01:00.0")).endswith("pci0000:00/0000:00:01.0/0000:01:00.0")
    groups = Tree.of(read.item("sys/kernel/iommu_groups"))
    assert groups.get("7/type") == "DMA-FQ"
    assert groups.link("7/devices/0000:01:00.0")


@pytest.mark.parametrize("size", [256, 4096])
def test_configuration_space(shell, root, size):
    """All bytes of each function, in its own line."""
    if os.geteuid() != 0:
        pytest.skip("64 bytes are all for anybody else")
    wanted = {}
    for number in range(5):
        space = bytes([number]) + os.urandom(99) + bytes(size - 110) + os.urandom(10)
        wanted[f"0000:00:0{number}.0"] = space
        faketree.device(root, f"0000:00:0{number}.0", config=space)
    tree = Tree.of(probe(shell, root).item("sys/bus/pci/config"))
    assert {name: bytes.fromhex(text) for name, text in tree.values.items()} == wanted
    assert not tree.unread


def test_a_short_configuration_space_is_denied(shell, root):
    """64 bytes are what an ordinary user gets: kept, and marked."""
    faketree.device(root, "0000:00:01.0", config=faketree.CONFIG[:64])
    faketree.device(root, "0000:00:02.0", config=b"")
    faketree.device(root, "0000:00:03.0")
    tree = Tree.of(probe(shell, root).item("sys/bus/pci/config"))
    assert bytes.fromhex(tree.values["0000:00:01.0"]) == faketree.CONFIG[:64]
    assert set(tree.unread) == {"0000:00:01.0", "0000:00:02.0"}
    assert bytes.fromhex(tree.values["0000:00:03.0"]) == faketree.CONFIG


@pytest.mark.parametrize(
    ("state", "status", "above"),
    [
        ("D3cold", "suspended", "active"),
        ("D3cold", "active", "active"),
        ("D3hot", "suspended", "suspended"),
        ("D0", "active", "suspended"),
        ("unknown", "suspended", "active"),
        ("D0", "active", "resuming"),
    ],
)
def test_a_sleeping_device_is_left_alone(shell, root, state, status, above):
    """Nothing is opened that would wake it or the port above: to open a pipe would hang."""
    faketree.device(root, "0000:00:01.0", files={"power/runtime_status": f"{above}\n"})
    real = faketree.device(
        root,
        "0000:01:00.0",
        below="0000:00:01.0",
        files={"power_state": f"{state}\n", "power/runtime_status": f"{status}\n"},
    )
    asleep = ("config", "current_link_speed", "max_link_width", "secondary_bus_number")
    for name in asleep:
        faketree.pipe(real / name)
    read = probe(shell, root)
    tree = Tree.of(read.item("sys/bus/pci/devices"))
    assert tree.get("0000:01:00.0/vendor") == "0x8086"
    for name in asleep[1:]:
        assert tree.unread[f"0000:01:00.0/{name}"] == "not collected"
    config = Tree.of(read.item("sys/bus/pci/config"))
    assert config.unread["0000:01:00.0"] == "not collected"


@pytest.mark.parametrize("above", ["active", "unsupported"])
def test_a_device_in_d3hot_answers(shell, root, above):
    """Its registers can be read without waking it, as long as the port above is up."""
    faketree.device(root, "0000:00:01.0", files={"power/runtime_status": f"{above}\n"})
    files = {"power_state": "D3hot\n", "power/runtime_status": "suspended\n"}
    faketree.device(root, "0000:01:00.0", below="0000:00:01.0", files=files)
    tree = Tree.of(probe(shell, root).item("sys/bus/pci/config"))
    assert bytes.fromhex(tree.values["0000:01:00.0"]) == faketree.CONFIG


@pytest.mark.parametrize("file", ["driver_override", "sriov_numvfs", "current_link_speed"])
def test_a_device_whose_lock_is_held(any_shell, root, file):
    """A file that hangs costs a few seconds, and all others are read, of all other devices."""
    for number in (1, 2, 3):
        faketree.device(root, f"0000:00:0{number}.0")
    faketree.pipe(root / "sys/devices/pci0000:00/0000:00:02.0" / file)
    read = probe(any_shell, root)
    item = read.item("sys/bus/pci/devices")
    tree = Tree.of(item)
    assert item.whole
    for other in ("0000:00:01.0", "0000:00:03.0"):
        assert tree.get(f"{other}/driver_override") == "(null)"
        assert tree.get(f"{other}/current_link_speed") == "8.0 GT/s PCIe"
    assert tree.unread[f"0000:00:02.0/{file}"] == "timed out"
    assert tree.get("0000:00:02.0/vendor") == "0x8086"
    assert not [path for path in tree.unread if not path.startswith("0000:00:02.0/")]
    assert read.item("sys/bus/pci/config").whole


def test_a_device_that_is_being_reset(any_shell, root):
    """Its configuration space is closed meanwhile: that of all others is read."""
    if os.geteuid() != 0:
        pytest.skip("64 bytes are all for anybody else")
    for number in range(1, 6):
        faketree.device(root, f"0000:00:0{number}.0")
    faketree.pipe(root / "sys/devices/pci0000:00/0000:00:03.0/config")
    read = probe(any_shell, root)
    item = read.item("sys/bus/pci/config")
    tree = Tree.of(item)
    assert item.whole
    assert set(tree.values) == {f"0000:00:0{number}.0" for number in (1, 2, 4, 5)}
    assert all(bytes.fromhex(text) == faketree.CONFIG for text in tree.values.values())
    assert tree.unread == {"0000:00:03.0": "timed out"}
    assert Tree.of(read.item("sys/bus/pci/devices")).get("0000:00:03.0/driver_override") == "(null)"


def test_interfaces_that_somebody_keeps_locked(any_shell, root):
    """What would wait for the same lock is not tried, and all else is read."""
    faketree.device(root, "0000:00:01.0")
    faketree.write(root, {"sys/class/net/eth0/mtu": "1500\n", "sys/class/net/bond0/mtu": "9000\n"})
    (root / "sys/class/net/bond0/bonding").mkdir()
    faketree.pipe(root / "sys/class/net/bond0/bonding/slaves")
    read = probe(any_shell, root)
    for name in ("sys/class/net", "ip/link", "ip/addr", "ip/route4", "ip/route6"):
        assert read.item(name).status is Status.TIMED_OUT, name
    assert read.item("sys/bus/pci/devices").whole
    assert read.item("sys/bus/pci/config").whole


@pytest.mark.skipif(not possible(), reason="needs root and FUSE")
@pytest.mark.parametrize("file", ["driver_override", "config", "bonding/slaves"])
def test_what_is_deaf_to_every_signal(any_shell, root, file):
    """It is left behind, as the kernel has it, and the probe ends all the same."""
    for number in (1, 2, 3):
        faketree.device(root, f"0000:00:0{number}.0")
    faketree.write(root, {"sys/class/net/bond0/bonding/slaves": "eth0\n"})
    device = root / "sys/devices/pci0000:00/0000:00:02.0"
    held = root / "sys/class/net/bond0" / file if "/" in file else device / file
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(stuck(held))
        except OSError as error:
            pytest.skip(str(error))
        done = subprocess.run(
            [*any_shell, "-s"],
            input=probe_text().encode(),
            capture_output=True,
            env={"PATH": os.environ["PATH"], "PROBE_ROOT": str(root)},
            timeout=100,
            check=True,
        )
    read = load_recording(done.stdout, "h")
    tree, config = (Tree.of(read.item(f"sys/bus/pci/{name}")) for name in ("devices", "config"))
    late = {"0000:00:02.0"}
    assert (set(config.unread) == late) == (file == "config")
    assert (f"{min(late)}/driver_override" in tree.unread) == (file == "driver_override")
    assert (read.item("sys/class/net").status is Status.TIMED_OUT) == ("/" in file)
    for other in ("0000:00:01.0", "0000:00:03.0"):
        assert tree.get(f"{other}/driver_override") == "(null)"
        assert config.values[other]
    assert re.search(rb"\n%done [0-9]+\n\Z", done.stdout)


def test_the_kernel_log_is_read_first(root):
    """What hangs later is told there; what may wait comes after all else."""
    names = [line.split()[1] for line in stream(root) if line.startswith("%item ")]
    assert names[:2] == ["dmesg", "journal/kernel"]
    late = names[names.index("sys/bus/pci/config") :]
    assert late == [
        "sys/bus/pci/config",
        *("sys/class/net", "ip/link", "ip/addr", "ip/route4", "ip/route6"),
        "sys/bus/pci/devices",
    ]


def test_a_host_that_hangs_before_its_locks(root):
    """What was read up to then is judged: devices are there, and what they lack is not known."""
    faketree.device(root, "0000:00:01.0")
    lines = "\n".join(stream(root))
    read = load_recording(lines[: lines.index("%item sys/class/net")].encode(), "h")
    item = read.item("sys/bus/pci/devices")
    assert item.status is Status.TRUNCATED
    assert Tree.of(item).get("0000:00:01.0/vendor") == "0x8086"
    with pytest.raises(Missing):
        Tree.of(item).get("0000:00:01.0/driver_override")


def stream(root: Path) -> list[str]:
    """What the probe prints, line by line."""
    environment = {"PATH": os.environ["PATH"], "PROBE_ROOT": str(root)}
    done = subprocess.run(
        ["sh", "-s"],
        input=probe_text(),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.splitlines()


# -- files


def test_files_and_folders(shell, root):
    """Names with blanks, links, folders, what is no file, no line feed at the end."""
    faketree.write(
        root,
        {
            "etc/modprobe.d/vfio.conf": "options vfio-pci ids=8086:1572",
            "etc/modprobe.d/my own 100%.conf": "a\n\nb\n",
            "etc/modprobe.d/empty.conf": "",
            "etc/modprobe.d/dangling.conf": "->/nowhere",
            "etc/modprobe.d/folder/x": "x",
            "etc/default/grub": b"\xff\xfe\x00\n",
            "etc/libvirt/qemu/g 1.xml": "<domain/>\n",
            "etc/libvirt/qemu/README": "not read\n",
        },
    )
    faketree.pipe(root / "etc/modprobe.d/pipe.conf")
    read = probe(shell, root)
    names = ["dangling.conf", "empty.conf", "my own 100%.conf", "pipe.conf", "vfio.conf"]
    assert read.text("etc/modprobe.d/").splitlines() == names
    assert read.text("etc/modprobe.d/vfio.conf") == "options vfio-pci ids=8086:1572\n"
    assert read.text("etc/modprobe.d/my own 100%.conf") == "a\n\nb\n"
    assert read.text("etc/modprobe.d/empty.conf") == ""
    assert read.item("etc/modprobe.d/dangling.conf").status is Status.ABSENT
    assert read.item("etc/modprobe.d/pipe.conf").status is Status.FAILED
    assert read.text("etc/libvirt/qemu/g 1.xml") == "<domain/>\n"
    assert "README" in read.text("etc/libvirt/qemu/")
    assert "etc/libvirt/qemu/README" not in read.items
    assert read.item("run/modprobe.d/").status is Status.ABSENT
    assert read.item("etc/default/grub").data.startswith(b"\xff\xfe")


def test_content_cannot_pass_for_the_stream(shell, root):
    """Lines of ours in a file are its content."""
    text = "%end absent\n%item x\n|y\n%done 1\n%vfio-probe 1\n"
    faketree.write(root, {"etc/default/grub": text, "proc/cmdline": text})
    read = probe(shell, root)
    assert read.text("etc/default/grub") == text
    assert read.text("proc/cmdline") == text
    assert "x" not in read.items


def test_logs_of_guests(shell, root):
    """A short log is whole, of a long one the end is kept; content is no header."""
    long = "".join(f"line {number}\n" for number in range(1000))
    faketree.write(
        root,
        {
            "var/log/libvirt/qemu/a 1.log": "one\n==> x <==\n\n",
            "var/log/libvirt/qemu/b.log": long,
            "var/log/libvirt/qemu/c.log": "",
            "var/log/libvirt/qemu/d.log": "no line feed",
        },
    )
    read = probe(shell, root)
    folder = "var/log/libvirt/qemu/"
    assert read.text(f"{folder}a 1.log") == "one\n==> x <==\n\n"
    assert read.text(f"{folder}c.log") == ""
    assert read.text(f"{folder}d.log") == "no line feed\n"
    cut = read.item(f"{folder}b.log")
    assert not cut.whole
    assert cut.lines[:-1] == [f"line {number}" for number in range(600, 1000)]


def test_zeros_in_iomem_are_a_refusal(shell, root):
    """The kernel shows an ordinary user every region at 0."""
    faketree.write(root, {"proc/iomem": "00000000-00000000 : System RAM\n  0-0 : x\n"})
    assert probe(shell, root).item("proc/iomem").status is Status.DENIED
    faketree.write(root, {"proc/iomem": "00000000-00000fff : Reserved\n"})
    assert probe(shell, root).item("proc/iomem").status is Status.PRESENT


def test_tables_come_as_they_are(shell, root):
    """Every byte, of every length modulo three."""
    for size in (254, 255, 256):
        table = bytes(range(256))[:size]
        faketree.write(root, {"sys/firmware/acpi/tables/DMAR": table})
        assert probe(shell, root).item("sys/firmware/acpi/tables/DMAR").data == table


def test_a_kernel_of_modules(shell, root):
    """modules.builtin whole; of modules.dep the names of what may matter; the configuration."""
    faketree.write(
        root,
        {
            "lib/modules/6.12.0-test/modules.builtin": "kernel/drivers/iommu/iova.ko\n",
            "lib/modules/6.12.0-test/modules.dep": "k/vfio-pci.ko.zst: k/vfio.ko\nk/e1000.ko:\n",
            "boot/config-6.12.0-test": "CONFIG_VFIO=m\n",
        },
    )
    read = probe(shell, root)
    assert read.text("modules.builtin") == "kernel/drivers/iommu/iova.ko\n"
    assert read.text("modules.dep") == "k/vfio-pci.ko.zst:\n"
    assert read.text("kernel-config") == "CONFIG_VFIO=m\n"


def test_a_folder_that_would_be_mounted_is_left_alone(shell, root):
    """An automount point is not looked into; the same place once mounted is."""
    auto = "2 1 0:9 / /efi rw - autofs systemd-1 rw\n"
    faketree.write(root, {"efi/loader/loader.conf": "x\n", "proc/self/mountinfo": auto})
    read = probe(shell, root)
    assert read.item("efi/loader/loader.conf").status is Status.NOT_COLLECTED
    assert read.item("efi/loader/entries/").status is Status.NOT_COLLECTED
    faketree.write(root, {"proc/self/mountinfo": auto + "3 2 8:1 / /efi rw - vfat /dev/sda1 rw\n"})
    assert probe(shell, root).text("efi/loader/loader.conf") == "x\n"


def test_a_boot_folder_that_would_be_mounted(shell, root):
    """No kernel configuration, no image, no loader of it, and none is called absent."""
    faketree.write(
        root,
        {
            "boot/config-6.12.0-test": "CONFIG_VFIO=m\n",
            "boot/initrd.img-6.12.0-test": "x",
            "boot/grub/grub.cfg": "x\n",
            "proc/self/mountinfo": "2 1 0:9 / /boot rw - autofs systemd-1 rw\n",
        },
    )
    read = probe(shell, root)
    for name in ("kernel-config", "initramfs", "boot/grub/grub.cfg", "boot/grub2/grub.cfg"):
        assert read.item(name).status is Status.NOT_COLLECTED, name


def test_an_efi_variable(shell, root):
    """A number, or UTF-16, behind four bytes of attributes."""
    info = b"\6\0\0\0" + "systemd 257".encode("utf-16le")
    faketree.write(
        root,
        {
            "sys/firmware/efi/efivars/SecureBoot-8be4": b"\6\0\0\0\1",
            "sys/firmware/efi/efivars/LoaderInfo-4a67": info,
            "sys/firmware/efi/efivars/Boot0000-8be4": b"\6\0\0\0\1",
        },
    )
    tree = Tree.of(probe(shell, root).item("sys/firmware/efi"))
    assert tree.get("efivars/SecureBoot-8be4") in {"1", "\n1"}
    assert "systemd 257" in str(tree.get("efivars/LoaderInfo-4a67"))
    assert tree.get("efivars/Boot0000-8be4") == ""


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio here")
@pytest.mark.parametrize("padding", [0, 512, 4096])
def test_the_initramfs(shell, root, padding):
    """Microcode uncompressed, then a compressed archive: the names in both."""
    early = newc({"kernel/x86/microcode/GenuineIntel.bin": os.urandom(3000)})
    late = newc({"etc/modprobe.d/vfio.conf": b"x", "usr/lib/modules/vfio-pci.ko": b"\0" * 5000})
    image = early + bytes(padding) + gzip.compress(late)
    faketree.write(root, {"boot/initrd.img-6.12.0-test": image})
    assert probe(shell, root).text("initramfs").split() == [
        "kernel/x86/microcode/GenuineIntel.bin",
        "etc/modprobe.d/vfio.conf",
        "usr/lib/modules/vfio-pci.ko",
    ]


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio here")
def test_a_broken_initramfs(shell, root):
    """What cannot be read to its end is failed, with the names that were read."""
    image = newc({"a": b"1"}) + gzip.compress(newc({"b": os.urandom(9000)}))
    for cut, kept in ((len(image) // 2, {"a\n"}), (600, {"a\n"}), (100, {""})):
        faketree.write(root, {"boot/initrd.img-6.12.0-test": image[:cut]})
        item = probe(shell, root).item("initramfs")
        assert item.status is Status.FAILED
        assert item.text in {*kept, "a\nb\n"}
    faketree.write(root, {"boot/initrd.img-6.12.0-test": b"no archive at all"})
    assert probe(shell, root).item("initramfs").status is Status.FAILED


def newc(files: dict[str, bytes]) -> bytes:
    """A cpio archive in the kernel's format, padded to blocks of 512 as mkinitramfs does."""
    out = b""
    for name, data in {**files, "TRAILER!!!": b""}.items():
        fields = (0, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return out + bytes(-len(out) % 512)


# -- processes


def test_ssh_sessions(shell, root):
    """The rows of /proc/net/tcp whose sockets sshd has open, with readable addresses."""
    if os.geteuid() != 0:
        pytest.skip("told to root only")
    row = "   {}: {} {} {} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0\n"
    v6 = "000080FE00000000FF565A02BE9BFE2C:0016"
    mapped = "0000000000000000FFFF00000A00000A:0016"
    faketree.write(
        root,
        {
            "proc/net/tcp": "  sl  local_address rem_address   st\n"
            + row.format(0, "0100007F:0016", "00000000:0000", "0A", 71)
            + row.format(1, "0B01A8C0:0016", "1E01A8C0:D431", "01", 71)
            + row.format(2, "0B01A8C0:01BB", "1E01A8C0:D432", "01", 72),
            "proc/net/tcp6": row.format(0, v6, v6, "01", 73)
            + row.format(1, mapped, mapped, "01", 74),
            "proc/5/comm": "sshd-session\n",
            "proc/5/fd/4": "->socket:[71]",
            "proc/6/comm": "sshd\n",
            "proc/6/fd/3": "->socket:[73]",
            "proc/6/fd/4": "->socket:[71]",
            "proc/6/fd/5": "->socket:[74]",
            "proc/7/comm": "nginx\n",
            "proc/7/fd/3": "->socket:[72]",
        },
    )
    lines = probe(shell, root).text("sockets/sshd").splitlines()
    far = "[fe80:0000:0000:0000:025a:56ff:2cfe:9bbe]:22"
    users = '(("sshd-session",pid=5,fd=4),("sshd",pid=6,fd=4))'
    assert lines == [
        f"ESTAB 0 0 192.168.1.11:22 192.168.1.30:54321 users:{users}",
        f'ESTAB 0 0 {far} {far} users:(("sshd",pid=6,fd=3))',
        'ESTAB 0 0 10.0.0.10:22 10.0.0.10:22 users:(("sshd",pid=6,fd=5))',
    ]


def test_openers_of_vfio(shell, root):
    """Who has a group or a device of VFIO open, each once."""
    if os.geteuid() != 0:
        pytest.skip("told to root only")
    faketree.write(
        root,
        {
            "proc/9/comm": "qemu system\n",
            "proc/9/fd/10": "->/dev/vfio/vfio",
            "proc/9/fd/11": "->/dev/vfio/38",
            "proc/9/fd/12": "->/dev/vfio/38",
            "proc/9/fd/13": "->/dev/null",
        },
    )
    lines = probe(shell, root).text("vfio/openers").splitlines()
    assert sorted(lines) == ["9 qemu system /dev/vfio/38", "9 qemu system /dev/vfio/vfio"]


def test_a_name_that_looks_like_an_option(shell, root):
    """An interface may be called -f: it stays a name."""
    faketree.write(root, {"sys/class/net/-f/address": "0\n", "sys/class/net/-r/mtu": "1500\n"})
    tree = Tree.of(probe(shell, root).item("sys/class/net"))
    assert tree.get("-f/address") == "0"
    assert tree.get("-r/mtu") == "1500"


def test_no_module_is_loaded():
    """No command that makes the kernel load one: ss(8) does."""
    for word in ("ss", "modprobe", "lspci", "udevadm", "lsmod"):
        assert not re.search(rf"^\s*(?:run \S+ \d+ )?{word} ", probe_text(), re.MULTILINE), word


# -- libvirt


def libvirt_host(root: Path, *daemons: str, uid: int = 0) -> None:
    """Processes of that name, and a socket of every daemon."""
    (root / "run/libvirt").mkdir(parents=True)
    for number, name in enumerate(daemons, 100):
        status = f"Name:\tx\nUid:\t{uid}\t0\n"
        files = {f"proc/{number}/comm": f"{name}\n", f"proc/{number}/status": status}
        faketree.write(root, files)


def with_virsh(tmp_path: Path) -> str:
    """The script, with a virsh that notes what it is asked."""
    tool = tmp_path / "bin" / "virsh"
    tool.parent.mkdir()
    tool.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$*\" >>{tmp_path}/asked\n"
        "case $* in *--uuid*) echo 1-2; echo '3;rm' ;; *nodedev-list*) echo pci_0000_01_00_0 ;;"
        " *) echo '<domain/>' ;; esac\n"
    )
    tool.chmod(0o755)
    text = probe_text()
    assert "\nPATH=/usr/sbin" in text
    return text.replace("\nPATH=/usr/sbin", f"\nPATH={tool.parent}:/usr/sbin")


def test_libvirt_is_not_woken(shell, root, tmp_path):
    """Sockets that only wait are told, and virsh is never started."""
    libvirt_host(root)
    for name in ("libvirt-sock-ro", "virtqemud-sock-ro"):
        (root / "run/libvirt" / name).touch()
    read = probe(shell, root, with_virsh(tmp_path))
    assert not (tmp_path / "asked").exists()
    assert "libvirtd socket only" in read.text("libvirt/daemons")
    for name in ("virsh/dumpxml", "virsh/list", "virsh/nodedev-dumpxml", "virsh/net-dumpxml"):
        assert read.item(name).status is Status.NOT_COLLECTED
        assert read.item(name).detail == "daemon not running"


@pytest.mark.parametrize(
    ("sockets", "told"),
    [
        ("0: 00000002 00000000 00010000 0001 01 7 /run/libvirt/libvirt-sock-ro\n", True),
        ("0: 00000003 00000000 00000000 0001 03 7 /run/libvirt/libvirt-sock-ro\n", False),
        ("0: 00000002 00000000 00010000 0001 01 7 /run/systemd/private\n", False),
    ],
)
def test_a_socket_waits_only_while_somebody_listens(shell, root, sockets, told):
    """The file of a socket unit that was stopped stays behind."""
    libvirt_host(root)
    (root / "run/libvirt/libvirt-sock-ro").touch()
    (root / "proc/net").mkdir(parents=True, exist_ok=True)
    (root / "proc/net/unix").write_text(sockets)

    assert told == ("socket only" in probe(shell, root).text("libvirt/daemons"))


def test_anybodys_process_is_no_daemon(shell, root, tmp_path):
    """A process that merely bears the name does not run as root."""
    libvirt_host(root, "libvirtd", uid=1000)
    probe(shell, root, with_virsh(tmp_path))
    assert not (tmp_path / "asked").exists()


def test_libvirtd_is_asked_read_only(shell, root, tmp_path):
    """Always -r and qemu:///system; one process for many guests; strange names are left out."""
    libvirt_host(root, "libvirtd")
    read = probe(shell, root, with_virsh(tmp_path))
    asked = (tmp_path / "asked").read_text().splitlines()
    ways = ("-r -c qemu:///system ", "-r -q -c qemu:///system ")
    assert all(line.startswith(ways) for line in asked)
    assert sum("dumpxml 1-2 --inactive" in line for line in asked) == 1
    assert not any("rm" in line for line in asked)
    assert read.text("virsh/dumpxml") == "<domain/>\n"


def test_daemons_that_run_one_by_one(shell, root, tmp_path):
    """virtqemud without virtnodedevd: guests are read, node devices are not."""
    libvirt_host(root, "virtqemud")
    (root / "run/libvirt/libvirt-sock-ro").touch()
    read = probe(shell, root, with_virsh(tmp_path))
    asked = (tmp_path / "asked").read_text()
    assert "nodedev" not in asked
    assert "mode=direct" in asked
    assert read.item("virsh/nodedev-dumpxml").detail == "daemon not running"
    assert read.item("virsh/net-dumpxml").detail == "daemon not running"
    assert read.item("virsh/dumpxml").status is Status.PRESENT


def test_a_command_that_hangs(shell, root, tmp_path):
    """Its time is up: whole lines are kept, half a line is not, and the rest is read."""
    libvirt_host(root, "libvirtd")
    script = with_virsh(tmp_path)
    tool = tmp_path / "bin" / "virsh"
    hang = "case $* in *'list --all') printf 'one\\nha'; exec sleep 60 ;;"
    tool.write_text(tool.read_text().replace("case $* in", hang, 1))
    assert "run virsh/list 10 " in script
    read = probe(shell, root, script.replace("run virsh/list 10 ", "run virsh/list 1 "))
    item = read.item("virsh/list")
    assert (item.status, item.data) == (Status.TIMED_OUT, b"one\n")
    assert read.text("virsh/dumpxml") == "<domain/>\n"


def test_libvirt_that_does_not_answer(shell, root, tmp_path):
    """A daemon that hangs is asked once."""
    libvirt_host(root, "libvirtd")
    script = with_virsh(tmp_path).replace("run virsh/version 10 ", "run virsh/version 1 ")
    tool = tmp_path / "bin" / "virsh"
    tool.write_text(tool.read_text().replace("case $* in", "exec sleep 60; case $* in", 1))
    read = probe(shell, root, script)
    assert read.item("virsh/version").status is Status.TIMED_OUT
    for name in ("list", "list-autostart", "dumpxml", "dumpxml-inactive", "capabilities"):
        assert read.item(f"virsh/{name}").detail == "libvirt does not answer", name
    for name in ("net-dumpxml", "nodedev-dumpxml"):
        assert read.item(f"virsh/{name}").detail == "libvirt does not answer", name
    assert len((tmp_path / "asked").read_text().splitlines()) == 1


def test_a_command_that_fails(shell, root, tmp_path):
    """What it says on its other output is the detail; a refusal is denied."""
    libvirt_host(root, "libvirtd")
    script = with_virsh(tmp_path)
    tool = tmp_path / "bin" / "virsh"
    words = (
        "case $* in *capabilities) echo 'error: no way' >&2; exit 3 ;;"
        " *--autostart) echo 'Permission denied' >&2; exit 1 ;;"
    )
    tool.write_text(tool.read_text().replace("case $* in", words, 1))
    read = probe(shell, root, script)
    failed, denied = read.item("virsh/capabilities"), read.item("virsh/list-autostart")
    assert (failed.status, failed.detail) == (Status.FAILED, "exit 3: error: no way")
    assert (denied.status, denied.detail) == (Status.DENIED, "Permission denied")


# -- what it costs, and what it leaves


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs a PID namespace"
)
def test_a_bounded_number_of_processes(tmp_path):
    """A hundred times as many devices take no hundred times as many processes."""
    used = {}
    for count in (10, 1000):
        root = faketree.host(tmp_path / str(count))
        for number in range(count):
            address = f"{number // 256:04x}:{number % 256:02x}:00.0"
            faketree.device(root, address, group=number)
        used[count] = processes(root)
    assert used[10] < 110
    assert used[1000] - used[10] < 60


def processes(root: Path) -> int:
    """How many processes a probe starts: in a PID namespace of its own they are numbered."""
    script = root.parent / "probe.sh"
    script.write_text(probe_text())
    words = f"sh {script} >{root.parent}/out; read -r _ _ _ _ last </proc/loadavg; echo $last"
    command = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", words]
    environment = {**os.environ, "PROBE_ROOT": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        pytest.skip(f"no PID namespace here: {done.stderr[:100]}")
    count = len(list((root / "sys/bus/pci/devices").iterdir()))
    read = load_recording((root.parent / "out").read_bytes(), "h")
    tree = Tree.of(read.item("sys/bus/pci/devices"))
    assert len([name for name in tree.links if "/" not in name]) == count
    return int(done.stdout)


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace here")
def test_nothing_is_written(tmp_path):
    """No file is opened for writing or made, none is renamed, removed or changed."""
    log = tmp_path / "log"
    calls = "trace=open,openat,creat,mkdir,mkdirat,unlink,unlinkat,rename,renameat,renameat2,mount"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(log), "-e", calls, "sh", "-s"],
        input=probe_text().encode(),
        capture_output=True,
        check=False,
    )
    if b"ptrace" in done.stderr:
        pytest.skip("strace is not allowed here")
    for line in log.read_text(errors="replace").splitlines():
        opened = "open" in line and not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)", line)
        harmless = opened or '"/dev/null"' in line or '"/dev/tty"' in line or " +++ " in line
        assert harmless or "ENOENT" in line or " --- " in line or "resumed" in line, line


def test_a_reader_that_goes_away(any_shell):
    """The probe ends soon after the connection did, with all that it started."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*any_shell, "-s"], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(probe_text().encode())
    process.stdin.close()
    process.stdout.read(100)
    process.stdout.close()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert not left_behind(process.pid)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_half_a_script_does_nothing(any_shell, part):
    """A script that was cut on its way runs no part of itself."""
    text = probe_text()
    half = text[: int(len(text) * part)].encode()
    done = subprocess.run([*any_shell, "-s"], input=half, capture_output=True, check=False)
    assert not done.stdout.strip()

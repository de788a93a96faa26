"""The nested guest: the lab's small kernel and an initramfs that tells what it sees.

The guest runs on KVM: QEMU emulates AMD's SVM without hardware help, which is far quicker than QEMU
inside QEMU.  It is busybox and the card's driver; it prints every PCI device with its driver on
its console, where ``proof`` looks for them.
"""

import subprocess
import tempfile
import time
from pathlib import Path

from tests.lab import kernel
from tests.lab.ssh import Shell

FOLDER = "/var/lib/lab"
READY = "LAB GUEST READY"
MODULES = ("i2c-core", "i2c-algo-bit", "igb", "igbvf")
SHELL = "busybox-static"
"""The package of its only program; the linked one finds no loader there, and the guest panics."""
INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
for module in {" ".join(MODULES)}; do
    [ ! -e /modules/$module.ko ] || insmod /modules/$module.ko
done
sleep 2
for d in /sys/bus/pci/devices/*; do
    echo "PCI $(cat $d/vendor):$(cat $d/device) $(basename $(readlink $d/driver))" >/dev/ttyS0
done
echo "{READY}" >/dev/ttyS0
while :; do sleep 3600; done
"""


def install(shell: Shell) -> None:
    """Put kernel and initramfs where the lab's domains expect them."""
    built = kernel.built()
    shell.must(f"mkdir -p {FOLDER}")
    shell.send(built / "vmlinuz", f"{FOLDER}/vmlinuz")
    with tempfile.TemporaryDirectory() as folder:
        shell.send(_initramfs(built, Path(folder)), f"{FOLDER}/initrd")


def proof(shell: Shell, guest: str, seconds: float = 300) -> list[str]:
    """The PCI lines on the guest's console, once it has booted."""
    end = time.monotonic() + seconds
    lines = [""]
    while time.monotonic() < end:
        said = shell.must(f"cat /var/log/libvirt/qemu/{guest}.console || true")
        lines = [line.strip() for line in said.splitlines()] or lines
        if READY in said:
            return [line for line in lines if line.startswith("PCI ")]
        time.sleep(2)
    raise TimeoutError(f"{guest} is not ready after {seconds:.0f} s, last it said: {lines[-1]!r}")


def _initramfs(built: Path, folder: Path) -> Path:
    tree = folder / "tree"
    for name in ("bin", "modules", "proc", "sys", "dev"):
        (tree / name).mkdir(parents=True)
    subprocess.run(["cp", "/bin/busybox", tree / "bin/busybox"], check=True)
    for name in MODULES:
        for module in (built / "lib/modules").rglob(f"{name}.ko"):
            subprocess.run(["cp", module, tree / "modules"], check=True)
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    archive = folder / "initrd"
    pack = "find . | cpio -o -H newc --quiet | gzip -1"
    with archive.open("wb") as file:
        subprocess.run(["sh", "-c", pack], cwd=tree, stdout=file, check=True)
    return archive

"""The machine and what guards it: DMI, virtualisation, Secure Boot, lockdown, kernel taint.

Sources: systemd-detect-virt(1), /sys/class/dmi/id, /sys/hypervisor, the EFI variable SecureBoot
(UEFI 2.10 section 3.3), Documentation/admin-guide/tainted-kernels.rst.
"""

from __future__ import annotations

import re
from functools import cached_property

from pytest_vfio.evidence import Evidence, Missing, Quote, Status, Tree
from pytest_vfio.facts.host.cpu import Cpu
from pytest_vfio.parse import utc

#: Bits of /proc/sys/kernel/tainted that matter here.
TAINTS = {
    0: "proprietary module loaded (P)",
    1: "module was force loaded (F)",
    4: "processor reported a machine check (M)",
    6: "tainted by user space (U)",
    7: "kernel died recently, oops or BUG (D)",
    8: "ACPI table overridden by user (A)",
    9: "kernel issued a warning (W)",
    11: "workaround for a bug in platform firmware (I)",
    12: "externally built module loaded (O)",
    13: "unsigned module loaded (E)",
    14: "soft lockup occurred (L)",
    15: "kernel live patched (K)",
}

#: systemd-detect-virt names the container, not the machine below it.
CONTAINERS = frozenset(
    {"openvz", "lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot",
     "pouch", "container-other"}
)  # fmt: skip

#: What firmware calls itself inside a virtual machine (systemd's own table).
_DMI_VENDORS = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "microsoft"),
    ("Virtual Machine", "microsoft"),
    ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"),
)
_DMI_FIELDS = ("product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version")


class Platform:
    """What kind of machine this is."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._cpu = Cpu(evidence)

    @cached_property
    def _dmi(self) -> Tree:
        return Tree.of(self._evidence.item("sys/class/dmi/id"))

    def dmi(self, field: str) -> str | None:
        """A DMI field (`sys_vendor`, `product_name` ...), None where it does not exist."""
        value = self._dmi.get(field)
        return None if value is None else value.strip()

    @property
    def seen_xen_dom0(self) -> bool:
        """The host is seen to be Xen's control domain, where VFIO has no IOMMU.

        The feature XENFEAT_dom0 is bit 11 (xen/interface/features.h); systemd-detect-virt says
        `none` there. False says nothing.
        """
        values = self._hypervisor_tree.values
        if values.get("type", "").strip() != "xen":
            return False
        features = values.get("properties/features", "").strip()
        if re.fullmatch(r"[0-9a-fA-F]{1,16}", features):
            return bool(int(features, 16) >> 11 & 1)
        return self._detected == "none"

    @property
    def xen_quote(self) -> Quote:
        """The line that says so."""
        return self._hypervisor_tree.quote("type")

    @cached_property
    def _hypervisor_tree(self) -> Tree:
        return Tree.of(self._evidence.item("sys/hypervisor"))

    @property
    def virtualization(self) -> str:
        """`none` on bare metal, else what the host is a guest of (`kvm`, `qemu`, `xen` ...).

        Raises Missing where nothing says that it is a guest and not all was read.
        """
        found = self._guest_of
        if found is not None:
            return found[0]
        if self._hypervisor_tree.values.get("type", "").strip() == "xen":
            return self._xen_or_dom0
        if self._detected == "none":
            if not self._hypervisor_tree.item.whole:  # Xen's dom0 is `none` too
                raise Missing(self._hypervisor_tree.item)
            return "none"
        if self._cpu.is_x86 is not False and self._cpu.has("hypervisor"):
            return "vm-other"
        for item in (self._dmi.item, self._hypervisor_tree.item):
            if not item.whole:
                raise Missing(item)
        return "none"

    @property
    def _xen_or_dom0(self) -> str:
        """Xen below: the control domain owns the hardware, which a guest does not."""
        if self.seen_xen_dom0:
            return "none"
        if "properties/features" not in self._hypervisor_tree.values and self._detected is None:
            raise Missing(self._evidence.item("systemd/detect-virt"))
        return "xen"

    @property
    def virtualization_quote(self) -> Quote:
        """The line that says so."""
        found = self._guest_of
        if found is not None:
            return found[1]
        if "type" in self._hypervisor_tree.values:
            return self.xen_quote
        if self._detected is not None:
            return self._evidence.item("systemd/detect-virt").quote(self._detected)
        return self._cpu.quote

    @cached_property
    def _guest_of(self) -> tuple[str, Quote] | None:
        """Whatever shows that the host is a guest."""
        detected = self._detected
        if detected not in {None, "none"}:
            return str(detected), self._evidence.item("systemd/detect-virt").quote(str(detected))
        if detected is None:
            for field in _DMI_FIELDS:
                value = self._dmi.values.get(field, "")
                for word, kind in _DMI_VENDORS:
                    if value.startswith(word):
                        return kind, self._dmi.quote(field)
        return None

    @cached_property
    def _detected(self) -> str | None:
        """systemd-detect-virt's word. It exits 1 for `none`, so a failed status may hold that."""
        item = self._evidence.item("systemd/detect-virt")
        word = item.text.strip().split("\n")[0].strip()
        if item.status is Status.FAILED and word == "none":
            return word
        if item.status is not Status.PRESENT or word in CONTAINERS:
            return None
        return word if re.fullmatch(r"[a-z0-9-]{2,32}", word) else None

    @property
    def lockdown(self) -> str:
        """`none`, `integrity` or `confidentiality`; a kernel without lockdown says `none`."""
        text = self._evidence.read("sys/kernel/security/lockdown")
        if text is None:
            return "none"
        found = re.search(r"\[(none|integrity|confidentiality)\]", text)
        if found is None:
            raise Missing(self._evidence.item("sys/kernel/security/lockdown"))
        return found[1]

    @property
    def lockdown_quote(self) -> Quote:
        """The line that says so."""
        item = self._evidence.item("sys/kernel/security/lockdown")
        return item.quote(item.text.strip()[:80] or f"({item.status.value})")

    @property
    def boot_time(self) -> int | None:
        """When the kernel started, in seconds since 1970; None where nobody knows when it was read."""
        up = re.match(r"([0-9]{1,10})", self._evidence.item("proc/uptime").text)
        now = utc.seconds(self._evidence.collected or "")
        return None if up is None or now is None else now - int(up[1])

    @property
    def tainted(self) -> int:
        """The kernel's taint bits."""
        item = self._evidence.item("proc/sys/kernel/tainted")
        text = self._evidence.text("proc/sys/kernel/tainted").strip()
        if not re.fullmatch(r"[0-9]{1,20}", text):
            raise Missing(item)
        return int(text)

    def taint_words(self, among: int = -1) -> tuple[str, ...]:
        """The taint bits in words; `among` chooses bits."""
        bits = self.tainted & among
        return tuple(words for bit, words in TAINTS.items() if bits >> bit & 1)

    @property
    def taint_quote(self) -> Quote:
        """The number, as proof."""
        item = self._evidence.item("proc/sys/kernel/tainted")
        return item.quote(item.text.strip()[:24])

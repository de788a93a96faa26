"""Steps that change a guest's stored definition, by what libvirt's own commands promise.

A definition is never written back from what was read of it: elements are attached and detached,
settings set. The connection is named, so that nothing depends on who calls.
"""

from __future__ import annotations

from pytest_vfio.steps import Impact, Step
from pytest_vfio.steps.shell import command, word

VIRSH = ("virsh", "-c", "qemu:///system")


def hostdev_xml(address: str, *, managed: bool = True) -> str:
    """The `<hostdev>` element of a PCI function, on one line."""
    domain, bus, rest = address.split(":")
    slot, _, function = rest.partition(".")
    place = f"domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'"
    how = "yes" if managed else "no"
    return (
        f"<hostdev mode='subsystem' type='pci' managed='{how}'>"
        f"<source><address {place}/></source></hostdev>"
    )


class AttachDevice(Step, frozen=True):
    """Add a PCI function to a guest's stored definition; it comes with the next cold start."""

    kind = "attach_device"
    guest: str
    address: str
    managed: bool = True

    @property
    def title(self) -> str:
        """What is done."""
        return f"add {self.address} to the stored definition of {self.guest}"

    @property
    def commands(self) -> tuple[str, ...]:
        """The element goes in by standard input."""
        return (_by_stdin("attach-device", self.guest, self.address, managed=self.managed),)

    @property
    def undo(self) -> tuple[Step, ...]:
        """Out again."""
        return (DetachDevice(self.guest, self.address, self.managed),)


class DetachDevice(Step, frozen=True):
    """Take a PCI function out of a guest's stored definition. A running guest keeps it."""

    kind = "detach_device"
    guest: str
    address: str
    managed: bool = True

    @property
    def title(self) -> str:
        """What is done."""
        return f"remove {self.address} from the stored definition of {self.guest}"

    @property
    def commands(self) -> tuple[str, ...]:
        """libvirt finds the element by its source address."""
        return (_by_stdin("detach-device", self.guest, self.address, managed=self.managed),)

    @property
    def undo(self) -> tuple[Step, ...]:
        """In again, at a guest address that libvirt chooses."""
        return (AttachDevice(self.guest, self.address, self.managed),)


class SetAutostart(Step, frozen=True):
    """Whether a guest starts with the host."""

    kind = "set_autostart"
    guest: str
    on: bool

    @property
    def title(self) -> str:
        """What is done."""
        return f"switch the automatic start of {self.guest} {'on' if self.on else 'off'}"

    @property
    def commands(self) -> tuple[str, ...]:
        """libvirt's own."""
        more = () if self.on else ("--disable",)
        return (virsh("autostart", f"--domain={self.guest}", *more),)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The other way."""
        return (SetAutostart(self.guest, not self.on),)


class SetGuest(Step, frozen=True):
    """One of virsh's settings of a stored definition (memtune, numatune, setmem).

    `back` are the arguments that restore what was there, empty where that is not known.
    """

    kind = "set_guest"
    guest: str
    what: str
    setting: str
    arguments: tuple[str, ...]
    back: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What is done."""
        return f"{self.what} of {self.guest}"

    @property
    def commands(self) -> tuple[str, ...]:
        """In the stored definition alone."""
        domain = f"--domain={self.guest}"
        return (virsh(self.setting, domain, *self.arguments, "--config"),)

    @property
    def undo(self) -> tuple[Step, ...] | None:
        """The old setting."""
        if not self.back:
            return None
        return (SetGuest(self.guest, self.what, self.setting, self.back, self.arguments),)


class StopGuest(Step, frozen=True):
    """Shut a guest down, so that its next start takes its stored definition and its devices."""

    kind = "stop_guest"
    guest: str

    @property
    def title(self) -> str:
        """What is done."""
        return f"shut {self.guest} down"

    @property
    def commands(self) -> tuple[str, ...]:
        """Cleanly; a reboot from inside would keep the old devices."""
        return (virsh("shutdown", f"--domain={self.guest}"),)

    @property
    def undo(self) -> tuple[Step, ...]:
        """Started again."""
        return (StartGuest(self.guest),)

    @property
    def impacts(self) -> frozenset[Impact]:
        """What runs in it ends."""
        return frozenset((Impact.GUEST,))


class StartGuest(Step, frozen=True):
    """Start a guest."""

    kind = "start_guest"
    guest: str

    @property
    def title(self) -> str:
        """What is done."""
        return f"start {self.guest}"

    @property
    def commands(self) -> tuple[str, ...]:
        """libvirt's own."""
        return (virsh("start", f"--domain={self.guest}"),)

    @property
    def undo(self) -> tuple[Step, ...]:
        """Shut down again."""
        return (StopGuest(self.guest),)

    @property
    def impacts(self) -> frozenset[Impact]:
        """Its devices leave the host."""
        return frozenset((Impact.GUEST,))


def virsh(*arguments: str) -> str:
    """A command line of virsh."""
    return command((*VIRSH, *arguments))


def _by_stdin(verb: str, guest: str, address: str, *, managed: bool) -> str:
    element = hostdev_xml(address, managed=managed)
    line = virsh(verb, f"--domain={guest}", "--file=/dev/stdin", "--config")
    return f"echo {word(element)} | {line}"

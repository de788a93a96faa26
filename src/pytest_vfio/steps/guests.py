"""Steps that change a guest's stored definition, by what libvirt's own commands promise.

A definition is never written back from what was read of it: elements are attached and detached,
settings set. The connection is named, so that nothing depends on who calls.
"""

from __future__ import annotations

from pytest_vfio.steps import ByHand, Impact, Step
from pytest_vfio.steps.shell import command, word

VIRSH = ("virsh", "-c", "qemu:///system")


def source_xml(address: str) -> str:
    """The `<address>` element of a source, as libvirt prints it."""
    domain, bus, rest = address.split(":")
    slot, _, function = rest.partition(".")
    place = f"domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'"
    return f"<address {place}/>"


def hostdev_xml(address: str, *, managed: bool = True) -> str:
    """The `<hostdev>` element of a PCI function, on one line, without a single quote in it."""
    place = source_xml(address).replace("'", '"')
    return (
        f'<hostdev mode="subsystem" type="pci" managed="{_yes(managed)}">'
        f"<source>{place}</source></hostdev>"
    )


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


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
    def before(self) -> tuple[str, ...]:
        """The guest is stored and does not name the function yet."""
        return (_defined(self.guest), f"! {_names(self.guest, self.address)}")

    @property
    def after(self) -> tuple[str, ...]:
        """It names it."""
        return (_names(self.guest, self.address),)

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
    def before(self) -> tuple[str, ...]:
        """The stored definition names the function."""
        return (_names(self.guest, self.address),)

    @property
    def after(self) -> tuple[str, ...]:
        """It names it no more."""
        return (_defined(self.guest), f"! {_names(self.guest, self.address)}")

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
    def after(self) -> tuple[str, ...]:
        """What libvirt says of it."""
        state = "enable" if self.on else "disable"
        return (f"{virsh('dominfo', f'--domain={self.guest}')} | grep -q '^Autostart: *{state}'",)

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


class SetManaged(Step, frozen=True):
    """Whether libvirt detaches a function at the guest's start and gives it back at its stop."""

    kind = "set_managed"
    guest: str
    address: str
    on: bool

    @property
    def title(self) -> str:
        """What is done."""
        return f"set managed='{_yes(self.on)}' for {self.address} in {self.guest}"

    @property
    def commands(self) -> tuple[str, ...]:
        """The definition goes from libvirt to libvirt, with its secrets, and past no file.

        virsh prints an element a line, so that the block of one hostdev can be told from others.
        """
        place = _place(self.address)
        script = (
            "/<hostdev / {held = 1} "
            'held {block = block $0 "\\n"; if (!/<\\/hostdev>/) next; '
            f"if (block ~ /{place}/) "
            f'sub(/managed=.{_yes(not self.on)}./, "managed=\\"{_yes(self.on)}\\"", block); '
            'printf "%s", block; block = ""; held = 0; next} '
            "{print}"
        )
        read = virsh(*_STORED, "--security-info", f"--domain={self.guest}")
        write = virsh("define", "--file=/dev/stdin")
        return (f"{read} | awk {word(script)} | {write}",)

    @property
    def before(self) -> tuple[str, ...]:
        """The stored definition names the function, in the other mode."""
        return (_names(self.guest, self.address, managed=not self.on),)

    @property
    def after(self) -> tuple[str, ...]:
        """In this mode."""
        return (_names(self.guest, self.address, managed=self.on),)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The other word again."""
        return (SetManaged(self.guest, self.address, not self.on),)


class ColdStart(Step, frozen=True):
    """Shut a guest down and start it: only then it has its stored definition and its devices."""

    kind = "cold_start"
    guest: str

    @property
    def title(self) -> str:
        """What is done."""
        return f"shut {self.guest} down and start it (a reboot from inside keeps the old devices)"

    @property
    def commands(self) -> tuple[str, ...]:
        """A guest takes its time to go down."""
        domain = f"--domain={self.guest}"
        state = virsh("domstate", domain)
        return (
            virsh("shutdown", domain),
            f"until {state} | grep -qx 'shut off'; do sleep 1; done",
            virsh("start", domain),
        )

    @property
    def undo(self) -> tuple[Step, ...]:
        """Nothing of its own: what is stored again comes with another start."""
        return ()

    @property
    def impacts(self) -> frozenset[Impact]:
        """What runs in it ends."""
        return frozenset((Impact.GUEST,))

    @property
    def derived(self) -> bool:
        """What was taken back acts with another start."""
        return True


def edit(guest: str, words: str) -> ByHand:
    """A change of a definition that libvirt has no command for: its editor, and what to write."""
    return ByHand(words, argv=(*VIRSH, "edit", f"--domain={guest}"))


def virsh(*arguments: str) -> str:
    """A command line of virsh."""
    return command((*VIRSH, *arguments))


_STORED = ("dumpxml", "--inactive")


def _defined(guest: str) -> str:
    """A test: libvirt keeps a definition of the guest."""
    return f"{virsh(*_STORED, f'--domain={guest}')} >/dev/null"


def _names(guest: str, address: str, *, managed: bool | None = None) -> str:
    """A test: the stored definition has the function as a hostdev, in a mode if one is given."""
    mode = "" if managed is None else f" && block ~ /managed=.{_yes(managed)}./"
    script = (
        '/<hostdev / {held = 1; block = ""} held {block = block $0} '
        f"/<\\/hostdev>/ {{if (block ~ /{_place(address)}/{mode}) found = 1; held = 0}} "
        "END {exit !found}"
    )
    return f"{virsh(*_STORED, f'--domain={guest}')} | awk {word(script)}"


def _place(address: str) -> str:
    """The source's `<address>` as a pattern without quotes; a guest's own address has a type."""
    return source_xml(address).removesuffix("/>").replace("'", ".")


def _by_stdin(verb: str, guest: str, address: str, *, managed: bool) -> str:
    element = hostdev_xml(address, managed=managed)
    line = virsh(verb, f"--domain={guest}", "--file=/dev/stdin", "--config")
    return f"echo {word(element)} | {line}"

"""Steps that act on the running host: sysfs, modules, drivers of devices, the host's own tools."""

from __future__ import annotations

import msgspec

from pytest_vfio.steps import Impact, Step
from pytest_vfio.steps.shell import command, put, word

DEVICES = "/sys/bus/pci/devices"
DRIVERS = "/sys/bus/pci/drivers"


class WriteSysfs(Step, frozen=True):
    """Write a value to a file of /sys or /proc/sys; `old` is what it has now, None if not known.

    Some of these writes wait for a device, without end: a remedy gives them a time limit.
    """

    kind = "write_sysfs"
    path: str
    value: str
    old: str | None = None

    @property
    def title(self) -> str:
        """What is done."""
        return f"write {self.value or 'nothing'} to {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """As a person does it."""
        return (put(self.value, self.path),)

    @property
    def before(self) -> tuple[str, ...]:
        """The file is there, with the old value where that is known."""
        old = () if self.old is None else (_reads(self.path, self.old),)
        return (f"[ -w {word(self.path)} ]", *old)

    @property
    def after(self) -> tuple[str, ...]:
        """The value is there."""
        return (_reads(self.path, self.value),)

    @property
    def files(self) -> tuple[str, ...]:
        """The file."""
        return (self.path,)

    @property
    def undo(self) -> tuple[Step, ...] | None:
        """The old value, where it is known."""
        return None if self.old is None else (WriteSysfs(self.path, self.old, self.value),)


class SetVfs(Step, frozen=True):
    """Create or remove the virtual functions of a PF. From one number to another it goes over 0."""

    kind = "set_vfs"
    address: str
    wanted: int
    now: int

    @property
    def title(self) -> str:
        """What is done."""
        return f"set the number of VFs of {self.address} to {self.wanted} (now {self.now})"

    @property
    def _path(self) -> str:
        return f"{DEVICES}/{self.address}/sriov_numvfs"

    @property
    def commands(self) -> tuple[str, ...]:
        """The kernel refuses a change from one number to another."""
        numbers = (0, self.wanted) if self.now and self.wanted else (self.wanted,)
        return tuple(put(str(number), self._path) for number in numbers)

    @property
    def before(self) -> tuple[str, ...]:
        """The number is the one that was read."""
        return (_reads(self._path, str(self.now)),)

    @property
    def after(self) -> tuple[str, ...]:
        """All of them are there."""
        return (_reads(self._path, str(self.wanted)),)

    @property
    def files(self) -> tuple[str, ...]:
        """The file."""
        return (self._path,)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The old number."""
        return (SetVfs(self.address, self.now, self.wanted),)

    @property
    def impacts(self) -> frozenset[Impact]:
        """VFs that are there go; many adapters reset the port with it."""
        return frozenset((Impact.DETACHES,)) if self.now else frozenset()


class SetOverride(Step, frozen=True):
    """Write driver_override of a function; empty is none. Nothing is bound or unbound by it."""

    kind = "set_override"
    address: str
    old: str
    new: str

    @property
    def title(self) -> str:
        """What is done."""
        verb = f"set driver_override of {self.address} to {self.new}"
        return verb if self.new else f"clear driver_override of {self.address} (now {self.old})"

    @property
    def commands(self) -> tuple[str, ...]:
        """An empty line clears it."""
        return (put(self.new, _override(self.address)),)

    @property
    def before(self) -> tuple[str, ...]:
        """It is what was read."""
        return (_overridden(self.address, self.old),)

    @property
    def after(self) -> tuple[str, ...]:
        """It is what was written."""
        return (_overridden(self.address, self.new),)

    @property
    def files(self) -> tuple[str, ...]:
        """The file."""
        return (_override(self.address),)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The old one."""
        return (SetOverride(self.address, self.new, self.old),)


class Identity(msgspec.Struct, frozen=True):
    """What has to stand at an address before it is touched, as far as it is known."""

    id: str | None = None
    subsystem: str | None = None

    def tests(self, address: str) -> tuple[str, ...]:
        """Shell tests that hold for this very device, by what can be read before a driver binds."""
        return tuple(
            _reads(f"{DEVICES}/{address}/{name}", number) for name, number in self.attributes
        )

    @property
    def attributes(self) -> tuple[tuple[str, str], ...]:
        """(file in sysfs, its content)."""
        names = (("vendor", "device"), ("subsystem_vendor", "subsystem_device"))
        return tuple(
            (name, f"0x{number}")
            for value, pair in zip((self.id, self.subsystem), names, strict=True)
            for name, number in zip(pair, (value or "").split(":"), strict=False)
            if number
        )


#: Stands for whichever driver the kernel finds.
ANY_DRIVER = "*"


class Bind(Step, frozen=True):
    """Change the driver of one function by its address; other devices of its model stay.

    `old` and `new` are drivers, None for none, ANY_DRIVER for the one that the kernel finds;
    `old_override` and `new_override` are what driver_override says, empty for nothing.
    """

    kind = "bind"
    address: str
    old: str | None
    new: str | None
    old_override: str = ""
    new_override: str = ""
    identity: Identity = Identity()

    @property
    def title(self) -> str:
        """What is done."""
        if self.new is None:
            return f"unbind {self.address} from {self.old}"
        if self.new == ANY_DRIVER:
            return f"give {self.address} back to its host driver (now {self.old or 'no driver'})"
        return f"bind {self.address} to {self.new} (now {self.old or 'no driver'})"

    @property
    def _device(self) -> str:
        return f"{DEVICES}/{self.address}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Override, unbind, probe. An unbind waits while something holds the device."""
        found = []
        if self.new == "vfio-pci":
            found.append(command(("modprobe", "vfio-pci")))
        if self.new_override != self.old_override:
            found.append(put(self.new_override, _override(self.address)))
        if self.old is not None and self.old != self.new:
            found.append(put(self.address, f"{self._device}/driver/unbind"))
        if self.new is not None and self.old != self.new:
            found.append(put(self.address, "/sys/bus/pci/drivers_probe"))
        return tuple(found)

    @property
    def before(self) -> tuple[str, ...]:
        """It is the device that was meant, with the driver and the override that were read."""
        return (
            *self.identity.tests(self.address),
            self._bound(self.old),
            _overridden(self.address, self.old_override),
        )

    @property
    def after(self) -> tuple[str, ...]:
        """drivers_probe says nothing where it binds nothing: the link is read."""
        return (self._bound(self.new), _overridden(self.address, self.new_override))

    def _bound(self, driver: str | None) -> str:
        link = f"{self._device}/driver"
        if driver is None:
            return f"[ ! -e {word(link)} ]"
        if driver == ANY_DRIVER:
            return f"[ -e {word(link)} ]"
        return f'[ "$(readlink -f {word(link)})" = {word(f"{DRIVERS}/{driver}")} ]'

    @property
    def files(self) -> tuple[str, ...]:
        """What keeps its value."""
        changed = self.new_override != self.old_override
        return (_override(self.address),) if changed else ()

    @property
    def undo(self) -> tuple[Step, ...]:
        """The old driver and the old override."""
        back = Bind(
            self.address, self.new, self.old, self.new_override, self.old_override, self.identity
        )
        return (back,)

    @property
    def impacts(self) -> frozenset[Impact]:
        """Whoever uses the driver loses the device; a host driver may take what a guest has on it."""
        lost = self.old is not None or self.new not in (None, "vfio-pci")
        return frozenset((Impact.DETACHES,)) if lost else frozenset()


def _override(address: str) -> str:
    return f"{DEVICES}/{address}/driver_override"


def _overridden(address: str, driver: str) -> str:
    """A test: driver_override says so; the kernel prints `(null)` for none."""
    return _reads(_override(address), driver or "(null)")


class LoadModules(Step, frozen=True):
    """Load modules into the running kernel."""

    kind = "load_modules"
    modules: tuple[str, ...]

    @property
    def title(self) -> str:
        """What is done."""
        return f"load {' '.join(self.modules)}"

    @property
    def commands(self) -> tuple[str, ...]:
        """With what they depend on."""
        return (command(("modprobe", "-a", *self.modules)),)

    @property
    def after(self) -> tuple[str, ...]:
        """Loaded or built in: both have a folder in /sys/module."""
        return tuple(f"[ -d {word('/sys/module/' + _underscores(name))} ]" for name in self.modules)

    @property
    def undo(self) -> tuple[Step, ...]:
        """Out again, as far as nothing uses them."""
        return (UnloadModules(self.modules),)


class UnloadModules(Step, frozen=True):
    """Take modules out of the running kernel that were loaded for nothing else."""

    kind = "unload_modules"
    modules: tuple[str, ...]

    @property
    def title(self) -> str:
        """What is done."""
        return f"unload {' '.join(self.modules)}"

    @property
    def commands(self) -> tuple[str, ...]:
        """modprobe refuses a module that is in use."""
        return (command(("modprobe", "-r", *self.modules)),)

    @property
    def after(self) -> tuple[str, ...]:
        """Gone."""
        return tuple(
            f"[ ! -d {word('/sys/module/' + _underscores(name))} ]" for name in self.modules
        )

    @property
    def undo(self) -> tuple[Step, ...]:
        """Loaded again."""
        return (LoadModules(self.modules),)


class Run(Step, frozen=True):
    """Run one of the host's own tools. `back` are the arguments that undo it, empty for none."""

    kind = "run"
    what: str
    argv: tuple[str, ...]
    back: tuple[str, ...] = ()
    effects: tuple[Impact, ...] = ()

    @property
    def title(self) -> str:
        """What it is for."""
        return self.what

    @property
    def commands(self) -> tuple[str, ...]:
        """The command line."""
        return (command(self.argv),)

    @property
    def undo(self) -> tuple[Step, ...] | None:
        """The tool's own way back."""
        if not self.back:
            return None
        return (Run(_undoing(self.what), self.back, self.argv, self.effects),)

    @property
    def impacts(self) -> frozenset[Impact]:
        """What the tool touches."""
        return frozenset(self.effects)


class Regenerate(Step, frozen=True):
    """Have a tool of the host make files anew from their sources (grub.cfg, an initramfs)."""

    kind = "regenerate"
    what: str
    argv: tuple[str, ...]
    makes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What is made."""
        return f"generate {self.what} again"

    @property
    def commands(self) -> tuple[str, ...]:
        """The command line."""
        return (command(self.argv),)

    @property
    def files(self) -> tuple[str, ...]:
        """What is written."""
        return self.makes

    @property
    def undo(self) -> tuple[Step, ...]:
        """Nothing of its own: the sources are restored, then it runs again."""
        return ()

    @property
    def impacts(self) -> frozenset[Impact]:
        """The next boot reads what it makes."""
        return frozenset((Impact.BOOT_FILES,))

    @property
    def derived(self) -> bool:
        """Made from other files."""
        return True


_UNDOING = "undo: "


def _undoing(what: str) -> str:
    return what.removeprefix(_UNDOING) if what.startswith(_UNDOING) else _UNDOING + what


def _reads(path: str, value: str) -> str:
    """A test: a file has this one line."""
    return f'[ "$(cat {word(path)})" = {word(value)} ]'


def _underscores(module: str) -> str:
    return module.replace("-", "_")

"""Settings that match more than the device to be passed through, and what the host depends on."""

from collections.abc import Iterable, Iterator

from pytest_vfio.check import ADVICE, BLOCKER, SECURITY, Verdict, check, fails, passes, skips
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.cures import override as override_cures
from pytest_vfio.evidence import Quote
from pytest_vfio.facts.drivers.modules import IdPattern, Modules
from pytest_vfio.facts.pci.functions import PciFunction, is_vfio_driver
from pytest_vfio.facts.tristate import ask, known, require, search
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import vfioids
from pytest_vfio.parse.words import Word, named


@check("SAF004", severity=BLOCKER, refs=["F195", "F77"])
def test_no_id_matches_a_device_the_host_depends_on(hypervisor: Hypervisor) -> Verdict:
    """No vfio-pci id matches a device that the host depends on

    Checks:
        That none of the ids for vfio-pci, on the command line or in modprobe.d, in force or not,
        matches a function that carries the network, the storage or the console of the host.
    Why it matters:
        An id names a model, not a card: at the next boot, or with the next initramfs, a card of the
        same model that the host boots from is on vfio-pci too.
    Evidence:
        /proc/cmdline, modprobe.d, the ids of all PCI functions, and what SAF001 reads.
    Fix:
        Remove the id and bind the functions to be passed through by address, or narrow the id by
        subsystem.
    Fix safety:
        Unsafe: boot files or initramfs change. Can be undone.
    References:
        F195, F77, S09; drivers/vfio/pci/vfio_pci.c, vfio_pci_fill_ids.
    """
    patterns = hypervisor.modules.configured_vfio_ids
    hit = _hit(hypervisor, patterns)
    if hit is not None:
        return hit
    require(*hypervisor.modules.configured_ids_missing)
    if not patterns:
        return skips("no ids are configured for vfio-pci")
    return _free(hypervisor, patterns)


@check("SAF015", severity=BLOCKER, needs=["SAF004"], refs=["F195", "F77"])
def test_no_id_of_the_next_boot_matches_a_device_the_host_depends_on(
    hypervisor: Hypervisor,
) -> Verdict:
    """No vfio-pci id of the next boot matches a device the host depends on

    Checks:
        That none of the ids for vfio-pci on the command line of the entry that the next boot takes
        matches a function that carries the network, the storage or the console of the host. Of
        several lists the last counts, before a bare `--` and behind it, where a module reads on.
    Why it matters:
        Otherwise the host runs well, and the reboot that the configured parameters need cuts it
        off.
    Evidence:
        grub.cfg with grubenv or the loader's entries, the ids of all PCI functions, and what SAF001
        reads.
    Fix:
        Remove the id before the next boot and bind the functions to be passed through by address.
    Fix safety:
        Unsafe: boot files change. Can be undone.
    References:
        F195, F77, S09; drivers/vfio/pci/vfio_pci.c, vfio_pci_fill_ids.
    """
    selection = hypervisor.boot.selection
    entry = selection.default
    entries = (entry,) if selection.once is None else (selection.once, entry)
    patterns = [
        pattern
        for one in entries
        for word in _last_lists(one.words)
        for pattern in vfioids.parse(word.value or "", "cmdline", one.quote)[0]
    ]
    if not patterns:
        return skips("the next boot has no ids for vfio-pci", evidence=entry.quote)
    return _hit(hypervisor, patterns, "the next boot: ") or _free(hypervisor, patterns)


@check("SAF005", severity=BLOCKER, refs=["F200"])
def test_no_blacklist_disables_a_driver_the_host_depends_on(hypervisor: Hypervisor) -> Verdict:
    """No blacklist disables a driver that the host depends on

    Checks:
        That no blacklist, and no `install MODULE /bin/false`, names the driver of a function that
        carries the network, the storage or the console of the host. Drivers that are built into the
        kernel are not affected.
    Why it matters:
        A blacklist affects every device of a driver. The running host may have loaded the driver
        from an older initramfs; the next boot then comes up without disk or network.
    Evidence:
        modprobe.d, modprobe.blacklist= and module_blacklist= on the command line, the drivers of
        the functions that SAF001 finds, modules.builtin.
    Fix:
        Remove the line and bind single functions by driver_override.
    Fix safety:
        Unsafe: the initramfs changes. Can be undone.
    References:
        F200; modprobe.d(5).
    """
    modules = hypervisor.modules
    refused = {**modules.known_blacklist, **_disabled(modules)}
    for address, path in hypervisor.protected.known.items():
        function = hypervisor.pci.known.get(address)
        for name in _modules_of(function):
            if name in refused and not known(modules.builtin, name):
                return fails(
                    f"{name} is blacklisted and drives {address}, and the host depends on it:"
                    f" {path}",
                    actual=f"{name} is blacklisted",
                    expected=f"{name} allowed to load",
                    evidence=[refused[name], *hypervisor.protected.quotes(address)],
                    cure=modprobe_cures.allow(hypervisor, name, refused[name]),
                )
    if not modules.blacklisted and not refused:
        return passes("no driver is blacklisted")
    functions = hypervisor.pci.functions
    carriers = [functions[a] for a in hypervisor.protected.functions if a in functions]
    drivers = ", ".join(sorted({one.driver or "none" for one in carriers}))
    return passes(f"no blacklist disables a driver that the host depends on: {drivers}")


@check("SAF009", severity=BLOCKER, refs=["F202"])
def test_no_override_takes_a_device_the_host_depends_on(hypervisor: Hypervisor) -> Verdict:
    """No persistent override takes a device that the host depends on

    Checks:
        That no file of driverctl and no udev rule that sets driver_override names the address of a
        function that carries the network, the storage or the console of the host.
    Why it matters:
        Addresses move when a card is added or a firmware option changes. The override then applies
        to the device that is there now, and the next boot binds it to vfio-pci.
    Evidence:
        /etc/driverctl.d/, /etc/udev/rules.d/, and what SAF001 reads.
    Fix:
        Remove the override; compare vendor, device and serial before setting a new one.
    Fix safety:
        Unsafe: takes effect at boot. Can be undone.
    References:
        F202, S30; driverctl(8), udev(7).
    """
    pins = [pin for pin in hypervisor.pins.known if is_vfio_driver(pin.driver)]
    for pin in pins:
        path = hypervisor.protected.known.get(pin.address)
        if path is not None:
            return fails(
                f"{pin.address} is given to {pin.driver} by a persistent override, and the host"
                f" depends on it: {path}",
                actual=f"override to {pin.driver}",
                expected="no override of what the host depends on",
                evidence=[pin.quote, *hypervisor.protected.quotes(pin.address)],
                cure=override_cures.unpin(hypervisor, pin),
            )
    if hypervisor.pins.all and not pins:
        return passes("no persistent override names a VFIO driver")
    if not pins:
        return skips("there is no persistent override")
    for pin in pins:
        hypervisor.protected.path(pin.address)  # raises where it is not known
    return passes(f"{len(pins)} persistent overrides, the host depends on none of their devices")


@check("SAF010", severity=ADVICE, refs=["F202"])
def test_every_override_names_a_device_to_be_passed_through(hypervisor: Hypervisor) -> Verdict:
    """Every persistent VFIO override names a device to be passed through

    Checks:
        That each address that driverctl or a udev rule binds to a VFIO driver exists and is to be
        passed through.
    Why it matters:
        One that does not is a leftover of a card that was moved or removed, and applies to the next
        device that gets its address.
    Evidence:
        /etc/driverctl.d/, /etc/udev/rules.d/, the PCI functions, the devices to be passed through.
    Fix:
        Remove the override, or name the device in the inventory.
    Fix safety:
        Unsafe: takes effect at boot. Can be undone.
    References:
        F202, F19; driverctl(8).
    """
    pins = [pin for pin in hypervisor.pins.known if is_vfio_driver(pin.driver)]
    for pin in pins:
        gone = hypervisor.pci.whole and pin.address not in hypervisor.pci.known
        stray = hypervisor.intent.whole and hypervisor.intent.get(pin.address) is None
        if gone or stray:
            actual = "no device is there" if gone else "it is not to be passed through"
            return fails(
                f"{pin.address} is given to {pin.driver} by a persistent override, and {actual}",
                actual=actual,
                expected="overrides of devices to be passed through only",
                evidence=pin.quote,
                cure=override_cures.unpin(hypervisor, pin),
            )
    if not hypervisor.pins.all:
        return skips("there is no persistent override")
    if pins:
        require(hypervisor.pci, hypervisor.intent)
    return passes(f"{len(pins)} persistent overrides, all of devices to be passed through")


@check("SAF014", severity=SECURITY, refs=["F205"])
def test_denylist_of_vfio_pci_is_not_disabled(hypervisor: Hypervisor) -> Verdict:
    """Denylist of vfio-pci is not disabled

    Checks:
        That `disable_denylist` of vfio-pci is not set, in the running kernel or in its settings.
    Why it matters:
        The list holds devices that are known to break isolation or the host when a guest has
        them. The option hides an error and leaves its cause.
    Evidence:
        /sys/module/vfio_pci/parameters/disable_denylist; modprobe.d and the command line.
    Fix:
        Remove the option.
    Fix safety:
        Unsafe: the initramfs changes. Can be undone.
    References:
        F205; drivers/vfio/pci/vfio_pci.c.
    """
    modules = hypervisor.modules
    running, unread = ask(modules.parameter, "vfio_pci", "disable_denylist")
    wanted = [o for o in modules.known_options("vfio_pci") if o.name == "disable_denylist"][-1:]
    proofs = [option.quote for option in wanted]
    if running is not None:
        proofs = [modules.parameter_quote("vfio_pci", "disable_denylist")]
    if running in ("Y", "1") or (running is None and wanted and _true(wanted[0].value)):
        return fails(
            "vfio-pci accepts devices on its denylist",
            actual="disable_denylist=Y",
            expected="disable_denylist=N",
            evidence=proofs,
            cure=modprobe_cures.unset(hypervisor, "vfio_pci", "disable_denylist"),
        )
    if running is not None:
        return passes("vfio-pci keeps its denylist", evidence=proofs)
    require(*unread, modules.modprobe, hypervisor.cmdline)
    return passes("nothing sets disable_denylist of vfio-pci")


def _last_lists(line: Iterable[Word]) -> Iterator[Word]:
    """The last list before a bare `--`, all that a built-in driver reads, and the last behind it.

    Which of the two counts depends on the kernel that will boot, so neither is left out.
    """
    lists = named(line, "vfio_pci.ids")
    for behind in (False, True):
        yield from [word for word in lists if word.after_dashes is behind][-1:]


def _hit(hypervisor: Hypervisor, patterns: Iterable[IdPattern], when: str = "") -> Verdict | None:
    """The failure where an id certainly matches what the host certainly depends on."""
    for pattern, function in _caught(patterns, hypervisor.pci.known.values()):
        path = hypervisor.protected.known.get(function.address)
        if path is not None:
            return fails(
                f"{when}vfio-pci id {pattern.text} matches {function.address}, and the host depends"
                f" on it: {path}",
                actual=f"{pattern.text} matches {function.address}",
                expected="ids that match only devices to be passed through",
                evidence=[pattern.quote, *hypervisor.protected.quotes(function.address)],
                cure=override_cures.narrow(hypervisor, pattern),
            )
    return None


def _free(hypervisor: Hypervisor, patterns: Iterable[IdPattern]) -> Verdict:
    """The pass where nothing else can be matched. Raises Missing where that is not known."""
    functions = hypervisor.pci.functions.values()
    caught = [f for pattern in patterns for f in functions if pattern.catches(f)]
    for function in caught:
        hypervisor.protected.path(function.address)
    names = ", ".join(sorted({f.address for f in caught})) or "nothing"
    return passes(f"the ids of vfio-pci match {names}, which the host does not depend on")


def _caught(
    patterns: Iterable[IdPattern], functions: Iterable[PciFunction]
) -> Iterator[tuple[IdPattern, PciFunction]]:
    """The pairs of an id and a function that are certain; those that are not known are left out."""
    for pattern in patterns:
        for function in search(functions, pattern.catches).known:
            yield pattern, function


def _disabled(modules: Modules) -> dict[str, Quote]:
    """`install MODULE /bin/false` does what a blacklist does, and more."""
    lines = modules.modprobe.of("install")
    ends = ("/false", "/true", "false", "true", ":")
    return {line.module: line.quote for line in lines if line.rest.strip().endswith(ends)}


def _modules_of(function: PciFunction | None) -> tuple[str, ...]:
    """The module of the driver that is bound; xhci_hcd is the name that xhci_pci registers."""
    if function is None or not function.knows("driver") or function.driver is None:
        return ()
    name = function.driver.replace("-", "_")
    return (name, "xhci_pci") if name == "xhci_hcd" else (name,)


def _true(value: str | None) -> bool:
    """How the kernel reads a boolean parameter: no value is yes (kstrtobool)."""
    return value is None or value[:1] in ("y", "Y", "1") or value[:2].lower() == "on"

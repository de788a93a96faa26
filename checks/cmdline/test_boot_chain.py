"""Configured, generated and running command lines are three things."""

from collections.abc import Iterable

from pytest_vfio.check import (
    ADVICE,
    BLOCKER,
    DEGRADED,
    Severity,
    Verdict,
    check,
    fails,
    passes,
    skips,
)
from pytest_vfio.cures import cmdline as cures
from pytest_vfio.evidence import Quote
from pytest_vfio.facts.boot import chain
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor import prospects
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import effects
from pytest_vfio.parse.effects import Change, Effect
from pytest_vfio.parse.entries import Entry
from pytest_vfio.parse.words import Word, parse
from pytest_vfio.steps import Cure


@check("CMD010", severity=BLOCKER, needs=["CMD013"], refs=["F31", "S16", "S17"])
def test_generated_boot_entry_has_all_configured_parameters(hypervisor: Hypervisor) -> Verdict:
    """Generated boot entry has all configured IOMMU and VFIO parameters

    Checks:
        That the IOMMU and VFIO parameters that are configured for this host's loader are in the
        entry that the next boot takes. /etc/default/grub is evaluated as shell, drop-ins
        included, and never run.
    Why it matters:
        The loader reads only what was generated. However often the host is rebooted, the parameter
        does not reach the kernel.
    Evidence:
        /etc/default/grub and grub.d, or /etc/kernel/cmdline; grub.cfg with grubenv, or the
        loader's entries.
    Fix:
        Run update-grub, grub2-mkconfig, proxmox-boot-tool refresh or kernel-install, as the host
        demands, then reboot.
    Fix safety:
        Boot files are written anew from the distribution's own templates. Can be undone.
    References:
        F31, S16, S17; grub-mkconfig, util/grub.d/10_linux.in.
    """
    boot = hypervisor.boot
    configured = boot.configured
    if configured is None:
        return skips("no configuration that entries are generated from", evidence=boot.loader.quote)
    entry = boot.generated
    require(configured)
    change = prospects.compare(hypervisor, configured.words, entry.words)
    if not change.arriving:
        return passes(f"the entry {entry.title!r} has what is configured", evidence=entry.quote)
    here, there = change.worded(change.arriving)
    return fails(
        f"configured {here}, generated {there}",
        actual=there,
        expected=here,
        evidence=[configured.quote, entry.quote],
        severity=_severity(hypervisor, change),
        cure=cures.drop(boot, *_words(change.harms)) if change.harms else cures.regenerate(boot),
    )


def _severity(hypervisor: Hypervisor, change: Change) -> Severity | None:
    """Nothing is blocked by a parameter that waits, where it works without it."""
    return None if prospects.missed(hypervisor, change.arriving) else ADVICE


def _words(effects: Iterable[Effect]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(effect.word.text for effect in effects))


@check("CMD011", severity=BLOCKER, needs=["CMD010", "SAF015"], refs=["F32", "S16"])
def test_running_kernel_has_all_parameters_of_the_boot_entry(hypervisor: Hypervisor) -> Verdict:
    """Running kernel has all IOMMU and VFIO parameters of the boot entry

    Checks:
        That the IOMMU and VFIO parameters in the entry that the next boot takes are those of the
        running command line, where the same kernel runs.
    Why it matters:
        Where one is missing the configuration is right: the change takes effect with the next boot,
        and until then the host behaves as before.
    Evidence:
        grub.cfg with grubenv or the loader's entries; /proc/cmdline.
    Fix:
        Reboot when the guests can spare it.
    Fix safety:
        A reboot stops every guest.
    References:
        F32, S16.
    """
    boot = hypervisor.boot
    entry = boot.next_entry
    require(boot.running)
    change = prospects.compare(hypervisor, entry.words, boot.running.all)
    if not change.arriving:
        return passes("no parameter that was generated waits", evidence=boot.running.quote)
    if _other(hypervisor, entry):
        return skips(f"another entry than {entry.title!r} is running: CMD014 judges that")
    here, there = change.worded(change.arriving)
    worse = [effect for effect in change.harms if effect.decides]
    return fails(
        f"the next boot has {here}, running is {there}",
        actual=there,
        expected=here,
        evidence=[entry.quote, boot.running.quote],
        severity=_severity(hypervisor, change),
        cure=cures.drop(boot, *_words(worse)) if worse else cures.reboot(),
    )


@check("CMD012", severity=BLOCKER, refs=["F33", "F34", "F35", "F36"])
def test_no_parameter_is_only_where_the_loader_does_not_read_it(hypervisor: Hypervisor) -> Verdict:
    """No parameter is configured only where the boot loader does not read it

    Checks:
        That no IOMMU or VFIO parameter which the running kernel lacks is in the configuration of
        another loader: /etc/default/grub on a host that boots by systemd-boot, by
        loader entries (Fedora, RHEL), from an ostree image or a unified kernel image;
        /etc/kernel/cmdline on a host that boots by GRUB, or where the image was not built anew.
    Why it matters:
        There the change never reaches the kernel, however often the files are generated and the
        host is rebooted.
    Evidence:
        BOOT_IMAGE= or initrd= on the command line, LoaderInfo and StubInfo of EFI, grub.cfg,
        /run/ostree-booted; /etc/default/grub, /etc/kernel/cmdline.
    Fix:
        Configure the loader that boots the host: /etc/kernel/cmdline, grubby, rpm-ostree kargs.
    Fix safety:
        Boot files change and a reboot is needed. Can be undone.
    References:
        F33, F34, F35, F36; Proxmox VE's system-booting chapter, the Boot Loader Specification.
    """
    boot, kind = hypervisor.boot, hypervisor.boot.loader.kind
    own = None if kind == chain.UKI else boot.configured  # a unified image has its own line
    require(boot.running)
    arrives = [*boot.running.all, *(own.words if own else ())]
    if kind in (chain.GRUB_BLS, chain.OSTREE):
        arrives.extend(boot.next_entry.words)
    others = [line for line in boot.written if own is None or line.source != own.source]
    for line in others:
        change = prospects.compare(hypervisor, line.words, arrives)
        for effect in sorted(change.gains, key=lambda effect: not effect.decides):
            word = effect.word
            return fails(
                f"{word.text} is in /{word.quote.source}, which {kind} does not read",
                actual=f"{word.text} in /{word.quote.source}",
                expected=f"{word.text} where {kind} reads it",
                evidence=[word.quote, boot.loader.quote],
                refs=[_ENTRY.get(kind, "F33")],
                severity=None if prospects.missed(hypervisor, [effect]) else ADVICE,
                cure=cures.move(boot, word.text, f"/{word.quote.source}", f"{kind}'s own"),
            )
    for line in others:
        require(line)
    return passes(f"no parameter is only where {kind} does not read it", evidence=boot.loader.quote)


_ENTRY = {chain.GRUB_BLS: "F34", chain.OSTREE: "F35", chain.UKI: "F36"}


@check("CMD013", severity=BLOCKER, refs=["F37", "S17"])
def test_no_drop_in_overrides_parameters(hypervisor: Hypervisor) -> Verdict:
    """No drop-in of /etc/default/grub.d overrides IOMMU or VFIO parameters

    Checks:
        On Debian and its kin, that no drop-in assigns GRUB_CMDLINE_LINUX or ..._DEFAULT without the
        old value, where IOMMU or VFIO parameters were in it.
    Why it matters:
        Drop-ins are read after /etc/default/grub. Cloud images bring one that overrides the line,
        so a parameter in /etc/default/grub never reaches the kernel, update-grub or not.
    Evidence:
        /etc/default/grub, /etc/default/grub.d/*.cfg in their order, os-release.
    Fix:
        Put the parameter into a drop-in that sorts last and appends to the old value.
    Fix safety:
        Boot files change and a reboot is needed. Can be undone.
    References:
        F37, S17; Debian's default-grub-d.patch.
    """
    boot = hypervisor.boot
    if boot.loader.kind != chain.GRUB or boot.grub_line is None:
        return skips(f"{boot.loader.kind} does not read /etc/default/grub")
    require(boot.grub_line)
    for assignment in boot.grub_defaults.overridden:
        before = parse(assignment.before.encode("utf-8", "surrogateescape"), assignment.quote)
        lost = prospects.compare(hypervisor, before, boot.grub_line.words).gains
        if lost:
            file = assignment.quote.source
            return fails(
                f"/{file} overrides {assignment.name} and drops {' '.join(_words(lost))}",
                actual=assignment.quote.line,
                expected=f'{assignment.name}="${assignment.name} ..."',
                evidence=assignment.quote,
                severity=None if prospects.missed(hypervisor, lost) else ADVICE,
                cure=cures.keep_old_value(boot, assignment),
            )
    return passes("no drop-in overrides a parameter", evidence=boot.grub_line.quote)


@check("CMD014", severity=BLOCKER, needs=["CMD010"], refs=["F38"])
def test_running_boot_entry_is_the_default_or_has_its_parameters(hypervisor: Hypervisor) -> Verdict:
    """Running boot entry is the default one or has its parameters

    Checks:
        Where the running command line lacks parameters of the default entry: that neither another
        kernel nor a recovery entry is running.
    Why it matters:
        Recovery entries leave out GRUB_CMDLINE_LINUX_DEFAULT, a pinned or older kernel has an entry
        of its own. The parameters are configured, and were not used.
    Evidence:
        /proc/cmdline, the kernel's release, the entries with the default one.
    Fix:
        Boot the default entry, or remove the pin; parameters that every entry needs belong into
        GRUB_CMDLINE_LINUX.
    Fix safety:
        A reboot stops every guest; find out first why the other entry was chosen.
    References:
        F38; util/grub.d/10_linux.in, Proxmox VE's kernel pinning.
    """
    boot = hypervisor.boot
    entry = boot.next_entry
    require(boot.running)
    change = prospects.compare(hypervisor, entry.words, boot.running.all)
    if not change.arriving:
        return passes(
            "the running line has every parameter of the default entry", evidence=entry.quote
        )
    why = _other(hypervisor, entry)
    if why is None:
        return passes("the default entry's kernel is running", evidence=boot.running.quote)
    here, _ = change.worded(change.arriving)
    return fails(
        f"{why} is running, without {here} of the entry {entry.title!r}",
        actual=why,
        expected=f"the entry {entry.title!r}",
        evidence=[boot.running.quote, entry.quote],
        severity=_severity(hypervisor, change),
        cure=cures.boot_entry(entry.title),
    )


def _other(hypervisor: Hypervisor, entry: Entry) -> str | None:
    """Which other entry runs, in prose; None where it is the default one, as far as is known."""
    recovery = [w for w in hypervisor.cmdline.all if w.text in ("single", "recovery", "rescue")]
    if recovery and not entry.recovery:
        return f"a recovery entry ({recovery[0].text})"
    if entry.release is not None and entry.release != hypervisor.kernel.release:
        return f"kernel {hypervisor.kernel.release}"
    running = hypervisor.boot.selection.running(hypervisor.cmdline.all)
    return f"the entry {running.title!r}" if running is not None else None


@check("CMD015", severity=DEGRADED, needs=["SAF015"], refs=["F31", "F32", "S16"])
def test_next_boot_has_all_parameters_of_the_running_kernel(hypervisor: Hypervisor) -> Verdict:
    """Next boot has all IOMMU and VFIO parameters of the running kernel

    Checks:
        That the IOMMU and VFIO parameters of the running command line are in the entry that the
        next boot takes, and in the configuration that it is generated from.
    Why it matters:
        A parameter typed in the boot menu, or edited into a generated file, works until the next
        reboot or kernel update, and then assignment fails without any change.
    Evidence:
        /proc/cmdline; grub.cfg with grubenv or the loader's entries; the configuration of both.
    Fix:
        Configure the parameter where the loader's entries are generated from.
    Fix safety:
        Boot files change; the running system does not. Can be undone.
    References:
        F31, F32, S16.
    """
    boot = hypervisor.boot
    running, entry = boot.running, boot.next_entry
    require(running)
    change = prospects.compare(hypervisor, entry.words, running.all)
    where, quote = f"the next boot, the entry {entry.title!r},", entry.quote
    configured = boot.configured
    if not change.leaving:
        prospects.must_be_harmless(hypervisor, change)
    if not change.leaving and configured is not None:
        require(configured)
        change = prospects.compare(hypervisor, configured.words, boot.generated.words)
        where, quote = f"/{configured.source}, which entries are generated from,", configured.quote
    if not change.leaving:
        prospects.must_be_harmless(hypervisor, change)
        return passes("the next boot has every parameter of the running line", evidence=entry.quote)
    here, there = change.worded(change.leaving)
    decides = any(effect.decides for effect in change.leaving)
    return fails(
        f"running is {there}; {where} has {here}",
        actual=here,
        expected=there,
        evidence=[running.quote, quote],
        severity=None if decides else ADVICE,
        cure=_before_reboot(boot, change, quote),
    )


def _before_reboot(boot: Boot, change: Change, quote: Quote) -> Cure:
    """What keeps the running state, at the source of what would take it away."""
    entry, configured = boot.next_entry, boot.configured
    if quote == entry.quote and boot.generated is not entry and _keeps(boot, boot.generated.words):
        return cures.choose(boot.generated.title, boot.selection.quote)
    known = quote == entry.quote and configured is not None and configured.whole
    if known and configured is not None and _keeps(boot, configured.words):
        return cures.regenerate(boot)
    if change.harms:
        return cures.drop(boot, *_words(change.harms))
    return cures.add(boot, *_words(change.losses))


def _keeps(boot: Boot, words: Iterable[Word]) -> bool:
    return not effects.compare(words, boot.running.all).leaving


@check("CMD016", severity=DEGRADED, refs=["F208"])
def test_no_entry_is_selected_for_one_boot_only(hypervisor: Hypervisor) -> Verdict:
    """No entry is selected for one boot only

    Checks:
        That the next boot takes the default entry: grubenv has no `next_entry`, EFI no
        LoaderEntryOneShot. Advice where the selected entry takes nothing away.
    Why it matters:
        A trial that was selected and never booted fires at the next reboot, months later. It is
        not the state after that: the boot that follows takes the default again.
    Evidence:
        /boot/grub/grubenv, /sys/firmware/efi/efivars; the entries of the loader; /proc/cmdline.
    Fix:
        Take the selection back, or reboot into the entry now, while an administrator is there.
    Fix safety:
        Safe: the default entry is untouched.
    References:
        F208; grub-reboot(8), 00_header.in of GRUB, bootctl(1) set-oneshot.
    """
    boot = hypervisor.boot
    selection = boot.selection
    once = selection.once
    if once is None:
        return passes("no entry is selected for one boot")
    require(boot.running)
    change = prospects.compare(hypervisor, once.words, boot.running.all)
    here, there = change.worded((*change.arriving, *change.leaving))
    told = f", with {here}; running is {there}" if here else ""
    return fails(
        f"the next boot takes {once.title!r}, and only that boot{told}",
        actual=selection.once_quote.line,
        expected=f"the default entry {boot.next_entry.title!r}",
        evidence=[selection.once_quote, once.quote],
        severity=None if any(effect.decides for effect in change.leaving) else ADVICE,
        cure=cures.take_back_selection(boot, once.title),
    )


@check("CMD017", severity=DEGRADED, refs=["F209"])
def test_default_boot_entry_exists(hypervisor: Hypervisor) -> Verdict:
    """Default boot entry exists

    Checks:
        That the default of the loader names one of its entries: GRUB_DEFAULT as
        it was generated, saved_entry, `default` of loader.conf; entries of custom.cfg included.
    Why it matters:
        A name that fits nothing is no error: the loader takes its first entry, which may be a
        newer kernel, or an entry without the parameters of the one of that name.
    Evidence:
        /boot/grub/grub.cfg, custom.cfg, grubenv; loader.conf and the loader's entries.
    Fix:
        Choose an entry that exists.
    Fix safety:
        Changes nothing until the next reboot. Can be undone.
    References:
        F209; grub-core/normal/menu.c (get_entry_number), systemd-boot(7).
    """
    selection = hypervisor.boot.selection
    name = selection.unfit
    entry = selection.default
    if name is None:
        return passes(f"the default entry is {entry.title!r}", evidence=entry.quote)
    return fails(
        f"the default {name!r} names no entry, so the loader takes {entry.title!r}",
        actual=name,
        expected="the title or id of an entry",
        evidence=[selection.quote, entry.quote],
        cure=cures.choose(entry.title, selection.quote),
    )


@check("CMD018", severity=ADVICE, needs=["CMD017"], refs=["F227"], since="0.2")
def test_default_boot_entry_has_the_running_kernel(hypervisor: Hypervisor) -> Verdict:
    """Default boot entry has the running kernel

    Checks:
        That the entry which an ordinary reboot takes starts the kernel that runs now.
    Why it matters:
        Another kernel brings its own drivers, its own initramfs and its own defaults. What is known
        of this host is known of the kernel that runs; whether the next one has vfio-pci, the
        modules and the options in its initramfs shows only when it runs.
    Evidence:
        /boot/grub/grub.cfg with grubenv or the loader's entries; the release of the kernel.
    Fix:
        Reboot while an administrator is there, and judge the host again.
    Fix safety:
        A reboot stops every guest.
    References:
        F227.
    """
    boot, release = hypervisor.boot, hypervisor.kernel.release
    entry = boot.next_entry
    if entry.release is None:
        return skips(f"the entry {entry.title!r} does not name its kernel", evidence=entry.quote)
    if entry.release == release:
        return passes(f"the next boot takes kernel {release}, too", evidence=entry.quote)
    return fails(
        f"the next boot takes kernel {entry.release}, running is {release}",
        actual=entry.release,
        expected=release,
        evidence=[entry.quote, hypervisor.kernel.quote],
        cure=cures.boot_entry(entry.title),
    )

"""Configured, generated and running command lines are three things."""

from collections.abc import Sequence

from pytest_vfio.check import BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import cmdline as cures
from pytest_vfio.facts.boot import chain
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse.entries import Entry
from pytest_vfio.parse.linediff import Difference, differences, relevant


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
    entry = boot.next_entry
    require(configured)
    lost = [one for one in differences(configured.words, entry.words) if one.arriving]
    if not lost:
        return passes(f"the entry {entry.title!r} has what is configured", evidence=entry.quote)
    return fails(
        f"configured {_here(lost)}, generated {_there(lost)}",
        actual=_there(lost),
        expected=_here(lost),
        evidence=[configured.quote, entry.quote],
        cure=cures.regenerate(boot),
    )


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
    lost = [one for one in differences(entry.words, boot.running.all) if one.arriving]
    if not lost:
        return passes("what was generated is running", evidence=boot.running.quote)
    if _other(hypervisor, entry):
        return skips(f"another entry than {entry.title!r} is running: CMD014 judges that")
    return fails(
        f"the next boot has {_here(lost)}, running is {_there(lost)}",
        actual=_there(lost),
        expected=_here(lost),
        evidence=[entry.quote, boot.running.quote],
        cure=cures.reboot(),
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
    there = {(word.name, word.value) for word in arrives}
    others = [line for line in boot.written if own is None or line.source != own.source]
    for line in others:
        for word in line.words:
            if relevant(word.name) and (word.name, word.value) not in there:
                return fails(
                    f"{word.text} is in /{word.quote.source}, which {kind} does not read",
                    actual=f"{word.text} in /{word.quote.source}",
                    expected=f"{word.text} where {kind} reads it",
                    evidence=[word.quote, boot.loader.quote],
                    refs=[_ENTRY.get(kind, "F33")],
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
        before = [word for word in assignment.before.split() if relevant(_name(word))]
        lost = [word for word in before if word not in {w.text for w in boot.grub_line.words}]
        if lost:
            file = assignment.quote.source
            return fails(
                f"/{file} overrides {assignment.name} and drops {' '.join(lost)}",
                actual=assignment.quote.line,
                expected=f'{assignment.name}="${assignment.name} ..."',
                evidence=assignment.quote,
                cure=cures.keep_old_value(f"/{file}", assignment.name),
            )
    return passes("no drop-in overrides a parameter", evidence=boot.grub_line.quote)


def _name(word: str) -> str:
    return word.partition("=")[0].replace("-", "_")


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
    lost = [one for one in differences(entry.words, boot.running.all) if one.arriving]
    if not lost:
        return passes(
            "the running line has every parameter of the default entry", evidence=entry.quote
        )
    why = _other(hypervisor, entry)
    if why is None:
        return passes("the default entry's kernel is running", evidence=boot.running.quote)
    return fails(
        f"{why} is running, without {_here(lost)} of the entry {entry.title!r}",
        actual=why,
        expected=f"the entry {entry.title!r}",
        evidence=[boot.running.quote, entry.quote],
        cure=cures.boot_entry(entry.title),
    )


def _other(hypervisor: Hypervisor, entry: Entry) -> str | None:
    """Which other entry runs, in prose; None where it is the default one, as far as is known."""
    recovery = [w for w in hypervisor.cmdline.all if w.text in ("single", "recovery", "rescue")]
    if recovery and not entry.recovery:
        return f"a recovery entry ({recovery[0].text})"
    if entry.release is not None and entry.release != hypervisor.kernel.release:
        return f"kernel {hypervisor.kernel.release}"
    return None


@check("CMD015", severity=DEGRADED, refs=["F31", "F32", "S16"])
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
    gone = [one for one in differences(entry.words, running.all) if one.leaving]
    where, quote = f"the next entry {entry.title!r}", entry.quote
    configured = boot.configured
    if not gone and configured is not None:
        require(configured)
        gone = [one for one in differences(configured.words, entry.words) if one.leaving]
        where, quote = f"/{configured.source}, which entries are generated from,", configured.quote
    if not gone:
        return passes("the next boot has every parameter of the running line", evidence=entry.quote)
    return fails(
        f"running is {_there(gone)}; {where} has {_here(gone)}",
        actual=_here(gone),
        expected=_there(gone),
        evidence=[running.quote, quote],
        cure=cures.add(boot, *(word.text for one in gone for word in one.there)),
    )


def _here(found: Sequence[Difference]) -> str:
    return ", ".join(str(one) for one in found)


def _there(found: Sequence[Difference]) -> str:
    return ", ".join(" ".join(word.text for word in one.there) or f"no {one.name}" for one in found)

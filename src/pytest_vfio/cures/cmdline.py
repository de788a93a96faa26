"""Cures for the kernel command line, each in the words of the boot chain that the host has.

A generated file is never edited: the source is, and the host's own tool makes the rest of it.
Debian's drop-in leaves /etc/default/grub alone and sorts last, so that nothing overrides it.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.cures import MANUAL, SAFE, UNSAFE, told
from pytest_vfio.evidence import Missing, Quote, Status
from pytest_vfio.facts.boot.chain import GRUB, GRUB_BLS, OSTREE, SYSTEMD_BOOT, UKI, Boot
from pytest_vfio.parse.words import parse
from pytest_vfio.steps import Cure

_DROP_IN = "/etc/default/grub.d/zz-vfio.cfg"


def add(boot: Boot, *words: str) -> Cure:
    """Put words on the command line of the next boot."""
    text = " ".join(words)
    return _cure(f"add {text} to the kernel command line", boot, _adding(boot, text))


def drop(boot: Boot, *words: str) -> Cure:
    """Take words off the command line of the next boot."""
    text = " ".join(words)
    if _mended(boot, text):
        return reboot()
    runs = any(word.text in words for word in boot.running_words)
    title = f"remove {text} from the kernel command line"
    return _cure(title, boot, _dropping(boot, text), reboot=runs)


def replace(boot: Boot, old: str, new: str) -> Cure:
    """Write one word in place of another."""
    if _mended(boot, old):
        return reboot()
    steps = (*_dropping(boot, old, last=False), *_adding(boot, new))
    return _cure(f"replace {old} by {new} on the kernel command line", boot, steps)


def regenerate(boot: Boot) -> Cure:
    """Make the loader's files anew from what is configured."""
    return _cure("generate the boot files again from what is configured", boot, _generate(boot))


def reboot() -> Cure:
    """Nothing to write: what was generated is waiting for a reboot."""
    return told(UNSAFE, "reboot into the generated entry", ("systemctl reboot",), reboot=True)


def correct_ids(origin: str, file: str) -> Cure:
    """A list of ids that the driver cannot read; only a person knows what was meant."""
    where = "the kernel command line" if origin == "cmdline" else f"/{file}"
    steps = (f"in {where}, write each device as vendor:device in hex, with commas between them",)
    return told(MANUAL, f"correct the list of ids in {where}", steps, reboot=True)


def shorten(boot: Boot) -> Cure:
    """The line is too long for the kernel."""
    steps = ("remove words that nothing needs from the kernel command line", *_generate(boot))
    return told(MANUAL, "shorten the kernel command line", steps, reboot=True)


def choose(title: str, choice: Quote) -> Cure:
    """Another default than the one that is chosen; nothing is generated anew by that."""
    return told(
        UNSAFE,
        f"make {title!r} the default entry before the next reboot",
        (f"/{choice.source} says {choice.line}", f"grub-set-default {title!r}"),
        undo=True,
    )


def take_back_selection(boot: Boot, title: str) -> Cure:
    """An entry that was selected for one boot and has not been booted."""
    by_grub = _kind(boot) in (GRUB, GRUB_BLS)
    name = "grub2" if boot.evidence.item("boot/grub2/grub.cfg").data else "grub"
    step = f"{name}-editenv - unset next_entry" if by_grub else "bootctl set-oneshot ''"
    return told(SAFE, f"take the selection of {title!r} back", (step,), undo=True)


def boot_entry(title: str) -> Cure:
    """Start another of the loader's entries."""
    return told(
        MANUAL,
        f"boot the entry {title!r}",
        (f"choose {title!r} in the boot menu, or make it the default, then reboot",),
        reboot=True,
    )


def move(boot: Boot, words: str, wrong: str, right: str) -> Cure:
    """Words that stand where this host's loader does not look."""
    steps = (*_adding(boot, words), f"take {words} out of {wrong}, which nothing reads")
    return _cure(f"move {words} from {wrong} to {right}", boot, steps)


def keep_old_value(file: str, variable: str) -> Cure:
    """Let a drop-in append instead of override."""
    return told(
        UNSAFE,
        f"let {file} append to {variable}",
        (
            f'in {file} write {variable}="${variable} ..." instead of {variable}="..."',
            "update-grub",
        ),
        reboot=True,
        undo=True,
    )


def _cure(title: str, boot: Boot, steps: Iterable[str], *, reboot: bool = True) -> Cure:
    del boot
    return told(UNSAFE, title, tuple(steps), reboot=reboot, undo=True)


def _mended(boot: Boot, text: str) -> bool:
    """The words run, and the entry of the next boot is known not to have them."""
    return boot.mended(*parse(text.encode("utf-8", "surrogateescape"))) is not None


def _kind(boot: Boot) -> str:
    try:
        return boot.loader.kind
    except Missing:
        return GRUB if boot.by_grub else ""


def _adding(boot: Boot, text: str) -> tuple[str, ...]:
    kind = _kind(boot)
    if kind == GRUB and boot.grub_defaults.reads_drop_ins:
        line = f'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT {text}"'
        return (f"echo '{line}' >> {_DROP_IN}", *_generate(boot))
    if kind == GRUB:
        return (f"append {text} to GRUB_CMDLINE_LINUX in /etc/default/grub", *_generate(boot))
    if kind == GRUB_BLS:
        return (f'grubby --update-kernel=ALL --args="{text}"',)
    if kind == OSTREE:
        return tuple(f"rpm-ostree kargs --append-if-missing={word}" for word in text.split())
    if kind in (SYSTEMD_BOOT, UKI):
        return (f"append {text} to the line in /etc/kernel/cmdline", *_generate(boot))
    return (f"append {text} where the host's boot loader is configured", *_generate(boot))


def _dropping(boot: Boot, text: str, *, last: bool = True) -> tuple[str, ...]:
    kind = _kind(boot)
    after = _generate(boot) if last else ()
    if kind == GRUB_BLS:
        return (f'grubby --update-kernel=ALL --remove-args="{text}"',)
    if kind == OSTREE:
        return tuple(f"rpm-ostree kargs --delete-if-present={word}" for word in text.split())
    if kind in (SYSTEMD_BOOT, UKI):
        return (f"take {text} out of /etc/kernel/cmdline", *after)
    return (f"take {text} out of {_holder(boot, text)}", *after)


def _holder(boot: Boot, text: str) -> str:
    """The configuration file that holds a word, where that was read."""
    line = boot.grub_line
    for word in line.words if line else ():
        if word.text in text.split():
            return f"/{word.quote.source}"
    return "/etc/default/grub or a drop-in of it"


def _generate(boot: Boot) -> tuple[str, ...]:
    kind = _kind(boot)
    proxmox = boot.evidence.item("etc/kernel/proxmox-boot-uuids").status is Status.PRESENT
    if proxmox and kind in (GRUB, SYSTEMD_BOOT):
        return ("proxmox-boot-tool refresh",)
    if kind == GRUB and boot.grub_defaults.reads_drop_ins:
        return ("update-grub",)
    if kind == GRUB:
        name = "grub2" if boot.evidence.item("boot/grub2/grub.cfg").data else "grub"
        return (f"{name}-mkconfig -o /boot/{name}/grub.cfg",)
    if kind == SYSTEMD_BOOT:
        return ('kernel-install add "$(uname -r)" "/lib/modules/$(uname -r)/vmlinuz"',)
    if kind == UKI:
        return ("build and sign the unified kernel image again (kernel-install add)",)
    if kind in (GRUB_BLS, OSTREE):
        return ()
    return ("generate the loader's files with the distribution's own tool",)

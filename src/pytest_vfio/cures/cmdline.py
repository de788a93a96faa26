"""Cures on the kernel command line of the next boot. How a host comes to it is `boot`'s business."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from msgspec import structs

from pytest_vfio.boot.stacks import stack_of
from pytest_vfio.evidence import Quote
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.parse.effects import compare
from pytest_vfio.parse.shellvars import Assignment
from pytest_vfio.parse.words import Word, parse
from pytest_vfio.steps import ByHand, Cure, Impact, Reboot, Step, by_hand
from pytest_vfio.steps.host import Run
from pytest_vfio.steps.words import AddWords, RemoveWords, mark_of


def add(boot: Boot, *words: str) -> Cure:
    """Put words on the command line of the next boot."""
    stack = stack_of(boot)
    title = f"add {' '.join(words)} to the kernel command line"
    waits = () if set(words) <= {word.text for word in boot.running_words} else (Reboot(),)
    return Cure(title, (*stack.add(words), *stack.generate(), *waits))


def drop(boot: Boot, *words: str) -> Cure:
    """Take words off the command line of the next boot."""
    if mended(boot, *words):
        return reboot()
    title = f"remove {' '.join(words)} from the kernel command line"
    return Cure(title, (*dropping(boot, *words), *if_it_runs(boot, *words)))


def drop_piece(boot: Boot, word: Word, piece: str) -> Cure:
    """Take one piece out of a word's list of them (`intel_iommu=on,sp_off`); the others stay."""
    return drop_where(boot, word, lambda one: one.value == piece)


def drop_where(boot: Boot, word: Word, wrong: Callable[[Word], bool]) -> Cure:
    """Take those pieces out of a word's list that, standing alone, are wrong."""
    alone = {piece: structs.replace(word, value=piece) for piece in word.pieces}
    left = [piece for piece in word.pieces if not wrong(alone[piece])]
    if not left or left == list(word.pieces) or mended(boot, word.text):
        return drop(boot, word.text)
    gone = ",".join(piece for piece in word.pieces if piece not in left)
    title = f"remove {gone} from {word.text} on the kernel command line"
    return Cure(title, (*relisting(boot, word.text, left), *if_it_runs(boot, word.text)))


def replace(boot: Boot, old: str, new: str) -> Cure:
    """Write one word in place of another."""
    if mended(boot, old):
        return reboot()
    stack = stack_of(boot)
    title = f"replace {old} by {new} on the kernel command line"
    return Cure(title, (*stack.replace(old, new), *stack.generate(), Reboot()))


def before_dashes(boot: Boot, word: str) -> Cure:
    """A word that stands behind a bare `--`, to where the kernel reads it."""
    stack = stack_of(boot)
    title = f"move {word} before the -- on the kernel command line"
    return Cure(title, (*stack.drop((word,)), *stack.add((word,)), *stack.generate(), Reboot()))


def regenerate(boot: Boot) -> Cure:
    """Make the loader's files anew from what is configured; no reboot for what runs already."""
    steps = stack_of(boot).generate() or (
        ByHand("write the words into the loader's entries: nothing generates them on this host"),
    )
    configured = boot.configured
    words = configured.words if configured is not None else ()
    waits = (Reboot(),) if compare(words, boot.running_words).arriving else ()
    return Cure("generate the boot files again from what is configured", (*steps, *waits))


def reboot() -> Cure:
    """Nothing to write: what was generated is waiting for a reboot."""
    return Cure("reboot into the generated entry", (Reboot(),))


def dropping(boot: Boot, *words: str) -> tuple[Step, ...]:
    """The steps that take words off the line; none but a generation where no source has them."""
    stack = stack_of(boot)
    return (*stack.drop(words), *stack.generate())


def if_it_runs(boot: Boot, *words: str) -> tuple[Step, ...]:
    """Words that only wait for the next boot are gone without one."""
    return (Reboot(),) if any(word.text in words for word in boot.running_words) else ()


def relisting(boot: Boot, word: str, left: Iterable[str]) -> tuple[Step, ...]:
    """The steps that leave a list on the line with some of its pieces, or without the word."""
    pieces = ",".join(left)
    if not pieces:
        return dropping(boot, word)
    stack = stack_of(boot)
    return (*stack.replace(word, f"{word.partition('=')[0]}={pieces}"), *stack.generate())


def mended(boot: Boot, *words: str) -> bool:
    """The words run, and the entry of the next boot is known not to have them."""
    line = " ".join(words).encode("utf-8", "surrogateescape")
    return boot.mended(*parse(line)) is not None


def correct_ids(origin: str, file: str) -> Cure:
    """A list of ids that the driver cannot read; only a person knows what was meant."""
    where = "the kernel command line" if origin == "cmdline" else f"/{file}"
    return by_hand(
        f"correct the list of ids in {where}",
        f"in {where}, write each device as vendor:device in hex, with commas and no blanks "
        "between them (8086:1572,10de:1b80)",
        "generate the boot files and the initramfs again, then reboot",
        reboot=True,
    )


def shorten(boot: Boot) -> Cure:
    """The line is too long for the kernel."""
    words = ByHand(
        "remove parameters that nothing needs from the kernel command line; options of modules "
        "(module.option=value) may stand in /etc/modprobe.d instead"
    )
    return Cure("shorten the kernel command line", (words, *stack_of(boot).generate(), Reboot()))


def boot_entry(title: str) -> Cure:
    """Start another of the loader's entries."""
    return by_hand(
        f"boot the entry {title!r}",
        f"choose {title!r} in the boot menu, or make it the default, then reboot",
        reboot=True,
    )


def choose(title: str, choice: Quote) -> Cure:
    """Another default than the one that is chosen; nothing is generated anew by that."""
    name = f"make {title!r} the default entry before the next reboot"
    if choice.source.endswith("grubenv"):
        tool = "grub2-set-default" if "grub2" in choice.source else "grub-set-default"
        return Cure(name, (Run(name, (tool, title), effects=(Impact.BOOT_FILES,)),))
    where = f"/{choice.source} says {choice.line}"
    return by_hand(
        name, f"{where}: name {title!r} there instead, and generate the boot files again"
    )


def take_back_selection(boot: Boot, title: str) -> Cure:
    """An entry that was selected for one boot and has not been booted."""
    name = f"take the selection of {title!r} back"
    if boot.by_grub:
        tool = "grub2" if boot.evidence.item("boot/grub2/grub.cfg").data else "grub"
        return Cure(name, (Run(name, (f"{tool}-editenv", "-", "unset", "next_entry")),))
    return Cure(name, (Run(name, ("bootctl", "set-oneshot", "")),))


def move(boot: Boot, words: str, wrong: str, right: str) -> Cure:
    """Words that stand where this host's loader does not look. The other file may keep them."""
    stack = stack_of(boot)
    title = f"configure {words} in {right} configuration: nothing reads {wrong} here"
    return Cure(title, (*stack.add(words.split()), *stack.generate(), Reboot()))


def keep_old_value(boot: Boot, assignment: Assignment) -> Cure:
    """Let a drop-in append instead of override."""
    file, name = f"/{assignment.quote.source}", assignment.name
    step: Step = AddWords(file, (f"${name}",), name, first=True)
    if re.fullmatch(rf'\s*(export\s+)?{name}="[^"]*"\s*', assignment.quote.line) is None:
        step = ByHand(f'in {file} write {name}="${name} ..." instead of: {assignment.quote.line}')
    return Cure(f"let {file} append to {name}", (step, *stack_of(boot).generate(), Reboot()))


def crash_kernel(file: str, word: str, line: str) -> Cure:
    """A word of the crash kernel alone, in kdump-tools' settings."""
    found = re.match(r"\s*(KDUMP_CMDLINE(?:_APPEND)?)=", line)
    title = f"remove {word} from the crash kernel's command line"
    if found is None or (word not in re.split(r"[\s\"'=]", line) and f"{word}" not in line.split()):
        return by_hand(title, f"take {word} out of /{file}: {line}")
    reload = Run("load the crash kernel again", ("kdump-config", "reload"))
    return Cure(title, (RemoveWords(f"/{file}", (word,), found[1], mark_of(line)), reload))

"""Steps: what a person pastes does what the step says, and goes back by its undo."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vfio.steps import ByHand, Cure, Grade, Impact, Reboot, Step, by_hand, steps_of
from pytest_vfio.steps.files import AddLine, CommentOut, FileStep, WriteFile
from pytest_vfio.steps.guests import (
    AttachDevice,
    ColdStart,
    DetachDevice,
    SetAutostart,
    SetGuest,
    SetManaged,
    hostdev_xml,
)
from pytest_vfio.steps.host import (
    Bind,
    Identity,
    LoadModules,
    Regenerate,
    Run,
    SetOverride,
    SetVfs,
    WriteSysfs,
)
from pytest_vfio.steps.shell import command, word
from pytest_vfio.steps.words import AddWords, RemoveWords, ReplaceWord, mark_of

NIC = "0000:01:00.0"
#: Names of guests and words as a host may have them, the worst ones first.
NAMES = st.one_of(
    st.sampled_from(
        ["$(reboot)", "a'b\"c", "-rf", "x\x1b[2J", "a\u202eb", "`id`", "a\nb", "!!", ""]
    ),
    st.text(st.characters(exclude_characters="\0"), max_size=12),
)


def sh(script: str) -> bytes:
    """What a real shell prints."""
    return subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout


def steps(name: str) -> list[Step]:
    """One step of every kind, with a name from a host wherever a name can stand."""
    return [
        ByHand(name),
        Reboot(),
        WriteFile("/etc/x", (name, "two")),
        AddLine("/etc/x", name),
        CommentOut("/etc/x", name),
        RemoveWords("/etc/x", (name,), "GRUB_CMDLINE_LINUX"),
        AddWords("/etc/x", (name,)),
        ReplaceWord("/etc/x", name, "b", "V"),
        SetOverride(NIC, name, ""),
        WriteSysfs("/sys/x", name, "1"),
        SetVfs(NIC, 4, 2),
        Bind(NIC, "igb", "vfio-pci", "", "vfio-pci", Identity("8086:10c9", "8086:a03c")),
        LoadModules((name,)),
        Run("do it", ("tool", name), ("tool", "--undo", name)),
        Regenerate("it", ("update-grub",)),
        AttachDevice(name, NIC),
        DetachDevice(name, NIC),
        SetAutostart(name, on=True),
        SetGuest(name, "the limit", "memtune", ("--hard-limit=-1",), ("--hard-limit=5",)),
        SetManaged(name, NIC, on=True),
        ColdStart(name),
        ByHand(name, argv=("virsh", name)),
    ]


@given(st.lists(NAMES.filter(bool), min_size=1, max_size=4))
@settings(deadline=None, max_examples=30)
def test_every_argument_reaches_a_program_as_it_is(names):
    """Whatever a host calls its things, a real shell hands on exactly these arguments."""
    expected = b"".join(name.encode("utf-8", "surrogatepass") + b"\0" for name in names)

    assert expected == sh(command(("printf", r"%s\0", *names)))


@given(NAMES)
def test_what_is_printed_has_no_control_character(name):
    """Nothing that a terminal would obey is printed, line feeds inside quotes aside."""
    assert word(name).replace("\n", "").isprintable()


@given(NAMES)
@settings(deadline=None, max_examples=15)
def test_every_command_and_test_is_a_shells(name):
    """`sh -n` takes all that any step prints or tests."""
    lines = [line for step in steps(name) for line in (*step.commands, *step.before, *step.after)]
    done = subprocess.run(
        ["sh", "-n"], input="\n".join(lines).encode(), capture_output=True, check=False
    )

    assert (0, b"") == (done.returncode, done.stderr)


@given(NAMES)
def test_undo_of_undo_is_the_step(name):
    """A step that is taken back twice is the step again."""
    for step in steps(name):
        for back in step.undo or ():
            assert (step,) == back.undo


@pytest.mark.parametrize("name", ["g1"])
def test_every_step_speaks(name):
    """Title, and commands or words; a safe step has no impact."""
    for step in steps(name):
        assert step.title
        assert step.commands or step.by_hand
        assert (step.grade is Grade.SAFE) <= (not step.impacts)


def test_grades_are_ordered():
    """A person is asked for more than a flag, a flag for more than nothing."""
    assert Grade.SAFE < Grade.UNSAFE < Grade.MANUAL
    assert "unsafe" == f"{Grade.UNSAFE}"


def test_a_cure_is_as_bad_as_its_worst_step():
    """Grade, reboot and undo are computed."""
    cure = Cure(
        "x", (SetAutostart("g", on=False), AddWords("/etc/kernel/cmdline", ("a",)), Reboot())
    )

    assert (Grade.UNSAFE, True, True) == (cure.grade, cure.reboot, cure.undo)
    assert (Impact.BOOT_FILES, Impact.REBOOT) == cure.impacts
    assert Grade.MANUAL is by_hand("x", "do this", "and that").grade
    assert not by_hand("x").undo


def test_a_cure_without_a_step_is_a_mistake():
    """A title alone helps nobody."""
    with pytest.raises(ValueError, match="has no step"):
        Cure("x", ())


def test_an_undo_makes_files_anew_when_their_sources_are_back():
    """Sources first, in reverse, then what is made from them."""
    made = Regenerate("grub.cfg", ("update-grub",))
    one, two = AddLine("/etc/a", "1"), AddLine("/etc/b", "2")

    assert (*two.undo, *one.undo, made) == Cure("x", (one, two, made)).undo_steps


def test_reports_get_plain_values():
    """Kind, title, commands, words and files."""
    (row,) = steps_of(Cure("x", (WriteFile("/etc/modprobe.d/x.conf", ("a b",)),)))

    assert "write_file" == row.kind
    assert ("printf '%s\\n' 'a b' > /etc/modprobe.d/x.conf",) == row.commands
    assert ("/etc/modprobe.d/x.conf",) == row.files


GRUB = """\
# GRUB_CMDLINE_LINUX="nointremap"
export GRUB_CMDLINE_LINUX_DEFAULT="quiet nointremap nointremap x=nointremap nointremap"
GRUB_CMDLINE_LINUX="nointremap"
"""


def run(step: Step, path, text: str) -> str:
    """What a file holds after the step's own commands; its tests hold around them."""
    path.write_text(text)
    assert isinstance(step, FileStep)
    script = "\n".join([*step.before, *step.commands, *step.after])
    sh(f"set -e\n{script}")
    assert step.edited(text) == path.read_text()  # what a diff shows is what the commands do
    return path.read_text()


def tidy(text: str) -> str:
    """The same line to whoever reads words: blanks are one, or none beside a quote or an end."""
    lines = (re.sub(" +", " ", line).strip() for line in text.splitlines())
    return "".join(re.sub(r"([\"'(]) +| +([\"')])", r"\1\2", line) + "\n" for line in lines)


def test_words_go_where_they_stand(tmp_path):
    """Only the word, only in its variable, and every time that it is there."""
    path = tmp_path / "grub"
    default = RemoveWords(str(path), ("nointremap",), "GRUB_CMDLINE_LINUX_DEFAULT")
    always = RemoveWords(str(path), ("nointremap",), "GRUB_CMDLINE_LINUX")

    assert '_DEFAULT="quiet x=nointremap"\n' in tidy(run(default, path, GRUB))
    assert '\nGRUB_CMDLINE_LINUX=""\n' in run(always, path, GRUB)
    assert GRUB.splitlines()[0] in path.read_text()


LINES = [
    ("V", 'V=""\n', 'V="{}"\n'),
    ("V", 'V="quiet x"\n', 'V="quiet x {}"\n'),
    ("V", "V='quiet'\nW=''\n", "V='quiet {}'\nW=''\n"),
    ("V", "# V=(\nV=(quiet)\n", "# V=(\nV=(quiet {})\n"),
    ("V", 'V+=" quiet "\n', 'V+=" quiet {}"\n'),
    ("", "root=/dev/vda ro\n", "root=/dev/vda ro {}\n"),
    ("", "# line\nquiet \n", "# line\nquiet {}\n"),
]


@pytest.mark.parametrize(("variable", "text", "expected"), LINES)
@pytest.mark.parametrize("first", [False, True])
def test_words_are_added_and_taken_out_again(tmp_path, variable, text, expected, first):
    """Inside the quotes, at the end or the front; the undo restores the words that were there."""
    path = tmp_path / "file"
    mark = mark_of(text.splitlines()[-1 if "#" in text else 0])
    step = AddWords(str(path), ("a=1", "b"), variable, mark, first=first)
    if first:
        words = text.splitlines()[-1 if "#" in text else 0]
        new = words.replace(mark, f"{mark}a=1 b ", 1) if mark else f"a=1 b {words}"
        expected = text.replace(words, new, 1)

    assert tidy(expected.format("a=1 b")) == tidy(run(step, path, text))
    (back,) = step.undo
    assert tidy(text) == tidy(run(back, path, path.read_text()))


@pytest.mark.parametrize("text", ['V="a=x"\n', 'V="b a=x c"\n', "V=(a=x b)\n", "V=a=x\n"])
def test_a_word_is_replaced_where_it_stands(tmp_path, text):
    """The rest of the line stays, and the undo restores it to the letter."""
    path = tmp_path / "file"
    step = ReplaceWord(str(path), "a=x", "a=on", "V", mark_of(text))

    assert text.replace("a=x", "a=on") == run(step, path, text)
    (back,) = step.undo
    assert text == run(back, path, path.read_text())


@given(st.text("ab \t.*[]\\/&$^#-'\"", min_size=1, max_size=10))
@settings(deadline=None, max_examples=15)
def test_lines_are_commented_out_and_back_to_the_letter(tmp_path_factory, line):
    """Whatever the line holds, it alone is touched, and the file comes back byte for byte."""
    path = tmp_path_factory.mktemp("file") / "x.conf"
    text = f"before\n{line}\nafter\n"
    step = CommentOut(str(path), line)

    assert f"before\n#{line}\nafter\n" == run(step, path, text)
    (back,) = step.undo
    assert text == run(back, path, path.read_text())


def test_files_of_ours_come_and_go(tmp_path):
    """Nobody else's file is replaced; the undo leaves nothing."""
    step = WriteFile(str(tmp_path / "x"), ("one two", "$HOME"))
    script = "\n".join([*step.before, *step.commands, *step.after])
    sh(f"set -e\n{script}")

    assert "one two\n$HOME\n" == (tmp_path / "x").read_text()
    with pytest.raises(subprocess.CalledProcessError):
        sh(f"set -e\n{script}")
    (back,) = step.undo
    sh("set -e\n" + "\n".join([*back.before, *back.commands, *back.after]))
    assert not (tmp_path / "x").exists()


def test_a_hostdev_names_hexadecimal_numbers():
    """libvirt reads a number without 0x as decimal."""
    assert 'bus="0x12" slot="0x00" function="0x1"' in hostdev_xml("0000:12:00.1")


DOMAIN = """\
    <hostdev mode='subsystem' type='pci' managed='no'>
      <source>
        <address domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>
      </source>
    </hostdev>
    <hostdev mode='subsystem' type='pci' managed='no'>
      <source>
        <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
      </source>
      <rom bar='off'/>
    </hostdev>
"""


def test_managed_mode_of_one_hostdev_alone(tmp_path):
    """virsh is stood in for: what it prints goes in, what it would be told comes out."""
    (tmp_path / "virsh").write_text(
        f"#!/bin/sh\ncase $3 in dumpxml) cat <<'EOF'\n{DOMAIN}EOF\n;; *) cat;; esac\n"
    )
    (tmp_path / "virsh").chmod(0o755)
    step = SetManaged("g1", NIC, on=True)
    (line,) = step.commands
    before, after = DOMAIN.split("    </hostdev>\n", 1)
    old, new = "managed='no'", 'managed="yes"'
    told = sh(f"PATH={tmp_path}:$PATH; {line}").decode()

    assert f"{before}    </hostdev>\n{after.replace(old, new)}" == told
    for tests, holds in ((step.before, True), (step.after, False)):
        ends = subprocess.run(["sh", "-c", f"PATH={tmp_path}:$PATH; {tests[0]}"], check=False)
        assert holds == (ends.returncode == 0)
    other = AttachDevice("g1", "0000:01:00.1")
    sh(f"set -e; PATH={tmp_path}:$PATH; {other.before[0]}; {other.before[1]}")

"""What a person reads first, on terminals of several widths and where nobody looks."""

from __future__ import annotations

import io

import pytest
from msgspec import structs
from rich.console import Console

from pytest_vfio.printable import printable
from pytest_vfio.report import terminal
from tests.report.sample import run


@pytest.fixture(autouse=True)
def terminal_as_wide_as_it_says(monkeypatch):
    """A dumb terminal has 80 columns, whatever else is said."""
    monkeypatch.setenv("TERM", "xterm")


def shown(result, *, width=80, tty=True, verbose=False):
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=tty, no_color=True, highlight=False)
    terminal.show(result, console, verbose=verbose, written=["reports/results.json"])
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    """What does not fit goes on in the next line, indented further; what is to be pasted does not.

    A command that was broken into lines would be other commands.
    """
    console = Console(width=width)
    lines = Console.render_str(console, shown(run(), width=width)).plain.splitlines()
    plain = [terminal.Text.from_ansi(line).plain for line in lines]

    assert plain
    commands = [line for line in plain if line.startswith("       sed ")]
    assert all(line.endswith("/etc/default/grub") for line in commands)
    assert max(len(line) for line in plain if line not in commands) <= width


def test_lines_are_whole_where_nobody_looks():
    """Into a file, nothing is wrapped or cut, so that it can be searched."""
    result = run()
    lines = shown(result, tty=False, width=40).splitlines()

    for host in result.hosts:
        for cause in host.diagnosis:
            assert any(printable(cause.message) in line for line in lines)


def test_many_hosts_are_told_in_brief():
    """Of a fleet, each host has its first causes, and the table at the end has a line for each."""
    result = run()
    first = result.hosts[0]
    fleet = tuple(structs.replace(first, name=f"node{number}") for number in range(9))
    text = shown(structs.replace(result, hosts=fleet), tty=False)
    table = text[text.index("host ") :].splitlines()

    assert len([line for line in table if line.startswith("node")]) == 9
    assert "findings" not in text

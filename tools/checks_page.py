"""`docs/checks.md` and a page for each layer: the catalogue of all checks, from their docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_vfio.check import Check
from pytest_vfio.judge.suite import LAYERS, Suite, layer
from pytest_vfio.plugin.check_page import sections

_INTRO = """\
# The checks

Made by `python -m tools.docs` from the docstrings in `checks/`; `pytest --explain ID` prints the
same. Layers stand in the order in which to act: firmware before kernel, kernel before driver,
driver before libvirt, libvirt before guest. A failure becomes *blocked* where a check that it
needs has failed.

A **blocker** stops the assignment of a device, **security** endangers the host or its guests,
**degraded** works, worse than it could, and **advice** is a thing to know. The first two make a
run fail, unless `--fail-on` says otherwise.

| layer | ids | about |
|---|---|---|
"""
_TITLES = {"cmdline": "Command line", "iommu": "IOMMU", "sriov": "SR-IOV"}
#: What the checks of each layer are about.
_ABOUT = {
    "firmware": "what the firmware switches on and describes: VT-x, VT-d, AMD-Vi, its tables",
    "cmdline": "kernel parameters: running, next boot, configured",
    "iommu": "the IOMMU: on, translating, without faults",
    "safety": "what the host itself depends on",
    "drivers": "drivers that have to be there, early enough, and those that must not bind",
    "groups": "IOMMU groups: isolation, and who else is in them",
    "devices": "the devices to be passed through",
    "sriov": "virtual functions, and the physical ones that create them",
    "libvirt": "libvirt's daemons, settings, networks and logs",
    "guests": "guests and the devices that they name",
    "tuning": "memory, CPUs and NUMA: what makes a device slow",
    "messages": "known messages in logs and pasted texts",
}


def index(suite: Suite) -> str:
    """The short page that leads to the others."""
    return _INTRO + "".join(
        f"| [{name}](checks/{name}.md) | {_prefix(name, suite)} | {_ABOUT[name]} |\n"
        for name in LAYERS
    )


def page(name: str, suite: Suite) -> str:
    """The page of a layer."""
    checks = [check for check in suite if layer(check) == name]
    head = f"# {_TITLES.get(name, name.capitalize())}: {_ABOUT[name]}\n"
    made = "Made by `python -m tools.docs`; [all layers](../checks.md).\n"
    told = (line for check in checks for line in _check(check))
    return "\n".join([head, made, *_table(checks, suite), *told])


def _prefix(name: str, suite: Suite) -> str:
    prefixes = {check.id.rstrip("0123456789") for check in suite if layer(check) == name}
    return ", ".join(f"{prefix}*" for prefix in sorted(prefixes))


def _table(checks: list[Check], suite: Suite) -> Iterator[str]:
    yield "| id | what must hold | about a | severity | needs |"
    yield "|---|---|---|---|---|"
    for check in checks:
        needs = " ".join(_link(need, check, suite) for need in check.needs)
        yield (
            f"| {_link(check.id, check, suite)} | {cell(check.title)} | {check.subject} "
            f"| {check.severity} | {needs} |"
        )
    yield ""


def _check(check: Check) -> Iterator[str]:
    file = Path(check.file)
    yield f"## {check.id}: {check.title}\n"
    where = f"`checks/{file.parent.name}/{file.name}`"
    since = f"; since {check.since}" if check.since else ""
    since += f"; in place of {', '.join(check.replaces)}" if check.replaces else ""
    yield f"{check.severity.capitalize()}, about a {check.subject}; {where}{since}\n"
    for heading, text in sections(check):
        yield f"- **{heading}:** {_text(text)}"
    yield ""


def _link(id: str, of: Check, suite: Suite) -> str:
    """A link to a check's heading from the page of another, as Markdown viewers make its anchor."""
    heading = f"{id}: {suite[id].title}".lower()
    page = "" if layer(suite[id]) == layer(of) else f"{layer(suite[id])}.md"
    return f"[{id}]({page}#{re.sub(r'[^a-z0-9 _-]', '', heading).replace(' ', '-')})"


def _text(text: str) -> str:
    """Prose in which nothing is markup but what stands in backquotes."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([*_<\[\]\\])", r"\\\1", p) for p in parts)


def cell(text: str) -> str:
    """Prose as the cell of a table."""
    return _text(text).replace("|", "\\|")

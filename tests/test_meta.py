"""What every check, every file and every import has to keep to. Read it before adding a check."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_vfio.check import HEADINGS, Check
from pytest_vfio.judge.suite import LAYERS, layer
from tests.hosts.recorded import whole_suite
from tools.failures_page import catalogue, severities

ROOT = Path(__file__).parents[1]
CHECKS = tuple(whole_suite())
PYTHON = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "checks").rglob("*.py")])
#: The prefix of the ids of each layer.
PREFIX = {
    "firmware": "FW", "cmdline": "CMD", "iommu": "IOM", "drivers": "DRV", "groups": "GRP",
    "devices": "DEV", "sriov": "SRV", "libvirt": "LIB", "guests": "GST", "tuning": "TUN",
    "safety": "SAF", "messages": "MSG",
}  # fmt: skip

ARTICLES = {"a", "an", "the"}
NEGATIONS = {"no", "not", "none", "cannot", "neither", "nor", "only", "without"}
#: The verbs of titles: a list, so that a sentence without one, or a wish, is seen.
VERBS = {
    "accepts", "agree", "allow", "allows", "answers", "are", "avoids", "begins", "belongs",
    "blocks", "can", "cannot", "causes", "creates", "depends", "describes", "disables", "do",
    "does", "enables", "exists", "fit", "fits", "gets", "gives", "has", "have", "hides", "hits",
    "holds", "is", "keeps", "knows", "lets", "makes", "map", "maps", "match", "matches", "may",
    "names", "need", "needs", "offers", "overrides", "passes", "reports", "runs", "sees",
    "slows", "splits", "stalls", "stays", "switches", "takes", "understands", "use", "uses", "weakens",
}  # fmt: skip

REFS = {ref for titles in catalogue().values() for ref in titles}

each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_are_checks_for_every_layer():
    """No layer is empty, and no check stands outside of the layers."""
    assert set(LAYERS) == {layer(check) for check in CHECKS}


def test_ids_are_unique_over_all_files():
    """An id names one check; a duplicate is seen even where one would override the other."""
    text = "\n".join(path.read_text() for path in (ROOT / "checks").rglob("*.py"))
    ids = Counter(re.findall(r"@check\(\s*\"([A-Z]+\d+)\"", text))

    assert [] == [id for id, times in ids.items() if times > 1]
    assert len(CHECKS) == ids.total()


@each_check
def test_an_id_bears_the_prefix_of_its_layer(check: Check):
    """A check's id tells its layer."""
    assert PREFIX[layer(check)] == check.id.rstrip("0123456789")


@each_check
def test_a_title_says_what_must_hold(check: Check):
    """A title is a sentence, true where the check passes: a verb, no article first, no full stop."""
    words = re.findall(r"[\w'./=-]+", check.title)

    assert len(check.title) <= 80
    assert not check.title.endswith(".")
    assert words[0] not in {"A", "An", "The", "Ensure", "Check", "Verify", "Test"}
    assert set(words[1:]) & VERBS, "no verb that a title has had so far: see VERBS"


@each_check
def test_a_function_is_named_by_its_title(check: Check):
    """`test_iommu_is_on`, "IOMMU is on": words may be left out, but no verb and no negation."""
    title = re.findall(r"[a-z0-9]+", re.sub(r"'s?\b", "", check.title.lower()))
    name = check.function.__name__.removeprefix("test_").split("_")
    left = iter(title)

    assert all(word in left for word in name if word not in ARTICLES)
    assert set(name) & VERBS
    assert [w for w in title if w in NEGATIONS] == [w for w in name if w in NEGATIONS]


@each_check
def test_a_check_is_documented(check: Check):
    """The headings are there, each once and in order, and none is empty."""
    headings = [line[:-1] for line in check.doc.splitlines() if re.fullmatch(r"[A-Z][\w ]*:", line)]
    assert list(HEADINGS) == headings

    bodies = re.split(rf"^(?:{'|'.join(HEADINGS)}):$", check.doc, flags=re.MULTILINE)[1:]
    for heading, body in zip(HEADINGS, bodies, strict=True):
        lines = body.strip("\n").splitlines()
        assert "".join(lines).strip(), f"{check.id}: {heading} is empty"
        assert all(line.startswith("    ") or not line for line in lines), f"{check.id}: {heading}"


#: Words that are not the field's own, or say nothing, and what to write.
GLOSSARY = {
    r"words?": "kernel parameter, value, message",
    r"told|tells?|says|nobody|somebody": "is reported, is not known",
    r"(?:lives?|lived) on": "depends on, is in use by",
    r"catch(?:es)?|caught": "matches",
    r"meant|intended": "is to be passed through, is for",
    r"hand(?:s|ed|ing)? (?:out|over|to)": "assign",
    r"mend(?:s|ed)?|cures?|cured": "fix",
    r"stands?|stood": "is",
}
VERDICTS = {"passes", "fails", "skips", "unknown"}
#: A path as a person reads it begins with a slash.
PATH = re.compile(r"(?<![\w./*{>-])(?:proc|sys|etc)/\w")


def prose(path: Path) -> Iterator[str]:
    """What a person reads of a file: its docstrings, and the texts of its verdicts."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.FunctionDef):
            yield ast.get_docstring(node) or ""
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in VERDICTS:
            shown = [k.value for k in node.keywords if k.arg in {"actual", "expected"}]
            yield from (text for one in (*node.args[:1], *shown) for text in literals(one))


def literals(node: ast.AST) -> Iterator[str]:
    """The literal texts of an expression, without those that are arguments of calls."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not isinstance(node, ast.Call):
        for child in ast.iter_child_nodes(node):
            yield from literals(child)


@pytest.mark.parametrize("path", sorted((ROOT / "checks").rglob("test_*.py")), ids=short)
def test_checks_speak_the_words_of_the_field(path: Path):
    """Titles, pages and messages keep to one vocabulary, and name files by their whole path."""
    for text in prose(path):
        for word, better in GLOSSARY.items():
            found = re.search(rf"\b(?:{word})\b", text, re.IGNORECASE)
            assert not found, f"{found[0]!r} in {text[:200]!r}: write {better}"
        assert not PATH.search(text), f"a path without its slash in {text[:200]!r}"


@each_check
def test_a_check_is_short(check: Check):
    """A check reads like a sentence: under 40 lines of code, docstring aside."""
    tree = ast.parse(Path(check.file).read_text())
    (function,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == check.function.__name__
    )
    body = function.body[1:]

    assert body[-1].end_lineno - body[0].lineno + 1 < 40


@each_check
def test_a_check_names_what_it_is_an_instance_of(check: Check):
    """References to the failure catalogue have its form."""
    assert set(check.refs) <= REFS


def scenarios() -> dict[str, set[str]]:
    """What tests say of which check: `test_DEV003_fails_when_...` is a failing scenario."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests" / "checks").rglob("test_*.py"):
        for id, kind in re.findall(
            r"^def test_([A-Z]+\d{3})_(fails|passes|skips|unknown)", path.read_text(), re.MULTILINE
        ):
            found.setdefault(id, set()).add(kind)
    return found


SCENARIOS = scenarios()


@each_check
def test_a_check_has_its_scenarios(check: Check):
    """Each check is seen failing, seen content (passing, or not applying), and without evidence."""
    told = SCENARIOS.get(check.id, set())

    assert "fails" in told, f"write test_{check.id}_fails_..."
    assert told & {"passes", "skips"}, f"write test_{check.id}_passes_..."
    assert "unknown" in told, f"write test_{check.id}_unknown_..."


def test_no_scenario_is_left_over():
    """A scenario of a check that does not exist tests nothing."""
    assert set() == set(SCENARIOS) - {check.id for check in CHECKS}


def test_files_are_small():
    """A file that no longer fits a reader's head is two files."""
    long = {short(p): n for p in PYTHON if (n := len(p.read_text().splitlines())) > 450}

    assert {} == long


def test_files_say_what_they_are_for():
    """Each file opens with a docstring."""
    assert [] == [short(p) for p in PYTHON if not ast.get_docstring(ast.parse(p.read_text()))]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return found


#: What knowledge is written with, and nothing that could read a host.
STDLIB = {"__future__", "collections", "collections.abc", "dataclasses", "enum", "functools",
          "itertools", "math", "re", "typing"}  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "checks").rglob("test_*.py")), ids=short)
def test_checks_import_facts_words_and_cures_only(path: Path):
    """A check knows no pytest, no source, no report, and does no I/O."""
    allowed = (
        "pytest_vfio.check",
        "pytest_vfio.cures",
        "pytest_vfio.evidence",
        "pytest_vfio.facts",
        "pytest_vfio.hypervisor",
        "pytest_vfio.parse",
        "pytest_vfio.steps",
    )

    assert {
        name
        for name in imports(path) - STDLIB
        if not f"{name}.".startswith(tuple(f"{a}." for a in allowed))
    } == set()


@pytest.mark.parametrize("folder", ["parse", "facts", "hypervisor", "cures", "steps"])
def test_facts_and_cures_read_nothing(folder):
    """Facts and cures are made of evidence alone: no file, process, clock or environment."""
    forbidden = {"os", "pathlib", "subprocess", "socket", "time", "datetime", "shutil", "tempfile",
                 "glob", "pytest", "asyncio"}  # fmt: skip
    for path in (ROOT / "src" / "pytest_vfio" / folder).rglob("*.py"):
        assert set() == {name.partition(".")[0] for name in imports(path)} & forbidden, short(path)


def test_the_import_contract_holds():
    """Imports point one way, as `pyproject.toml` says."""
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()",
         "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False)  # fmt: skip

    assert 0 == done.returncode, done.stdout


ORDER = ("advice", "degraded", "security", "blocker")


def worst(check: Check) -> int:
    """The worst severity that a check can report: its own, or one that its code names."""
    own = [str(check.severity)]
    named = re.findall(r"\b(BLOCKER|SECURITY|DEGRADED|ADVICE)\b", inspect.getsource(check.function))
    return max(ORDER.index(word.lower()) for word in (*own, *named))


@pytest.mark.parametrize(("ref", "severity"), sorted(severities().items()))
def test_an_entry_of_the_catalogue_is_reported_as_bad_as_it_is(ref, severity):
    """Of the checks that claim an entry one can say so as severely as the catalogue does."""
    claiming = [check for check in CHECKS if ref in check.refs]

    if claiming:
        assert max(map(worst, claiming)) >= ORDER.index(str(severity)), ref

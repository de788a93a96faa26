"""The checks as a whole: finds them, and refuses a suite that cannot be judged.

Knows no host and no pytest. The packaged suite is the `checks/` folder beside this file in an
installed wheel, and the checkout's `checks/` in a checkout; a collected check of the same id
takes the place of a packaged one.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType

from pytest_vfio.check import Check, SubjectKind
from pytest_vfio.mistakes import Mistake

HOST, DEVICE, GROUP, GUEST, HOSTDEV = SubjectKind

#: The layers in the order in which a person must act, which is also the order of the folders.
LAYERS = (
    "firmware",
    "cmdline",
    "iommu",
    "safety",
    "drivers",
    "groups",
    "devices",
    "sriov",
    "libvirt",
    "guests",
    "tuning",
    "messages",
)

#: The kinds of subject that a subject of a kind stands on, itself included.
STANDS_ON: Mapping[SubjectKind, tuple[SubjectKind, ...]] = MappingProxyType(
    {
        HOST: (HOST,),
        GROUP: (GROUP, HOST),
        DEVICE: (DEVICE, GROUP, HOST),
        GUEST: (GUEST, HOST),
        HOSTDEV: (HOSTDEV, DEVICE, GUEST, GROUP, HOST),
    }
)


class SuiteError(Mistake):
    """The checks contradict each other: a mistake of whoever wrote them, told in one line."""


class Suite:
    """All checks, by id, and of each replaced id the check that took its place.

    Building it refuses duplicate ids, replaced ids that are in use, and needs that make no sense.
    """

    def __init__(self, checks: Iterable[Check]) -> None:
        by_id: dict[str, Check] = {}
        for check in checks:
            other = by_id.setdefault(check.id, check)
            if other is not check:
                raise SuiteError(
                    f"check {check.id} is defined twice: {other.file} and {check.file}"
                )
        self.checks: Mapping[str, Check] = MappingProxyType(
            dict(sorted(by_id.items(), key=lambda entry: (layer_order(entry[1]), entry[0])))
        )
        self.replaced: Mapping[str, Check] = MappingProxyType(self._replaced())
        for check in self.checks.values():
            self._must_make_sense(check)
        self.depth: Mapping[str, int] = MappingProxyType(self._depths())

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks.values())

    def __getitem__(self, id: str) -> Check:
        return self.checks[id]

    def __contains__(self, id: object) -> bool:
        return id in self.checks

    def _replaced(self) -> dict[str, Check]:
        """The check that took the place of each replaced id."""
        found: dict[str, Check] = {}
        for check in self:
            for id in check.replaces:
                other = self.checks.get(id) or found.get(id)
                if other is not None:
                    what = "is still defined in" if other.id == id else f"{other.id} replaces in"
                    raise SuiteError(
                        f"check {check.id} ({check.file}) replaces {id}, which {what} {other.file}"
                    )
                found[id] = check
        return found

    def _depths(self) -> dict[str, int]:
        """How many needs deep each check stands; a check without needs has depth 0."""
        depth: dict[str, int] = {}
        for check in self:
            self._dive(check.id, depth, ())
        return depth

    def _dive(self, id: str, depth: dict[str, int], path: tuple[str, ...]) -> int:
        if id in path:
            circle = " needs ".join((*path[path.index(id) :], id))
            raise SuiteError(f"checks need each other in a circle: {circle}")
        if id not in depth:
            needs = self.checks[id].needs
            depth[id] = 1 + max((self._dive(n, depth, (*path, id)) for n in needs), default=-1)
        return depth[id]

    def _must_make_sense(self, check: Check) -> None:
        for need in check.needs:
            if need not in self.checks:
                now = self.replaced.get(need)
                fate = f"{now.id} has replaced" if now is not None else "does not exist"
                raise SuiteError(f"check {check.id} ({check.file}) needs {need}, which {fate}")
            subject = self.checks[need].subject
            if subject not in STANDS_ON[check.subject]:
                raise SuiteError(
                    f"check {check.id} ({check.file}) is about a {check.subject} and needs {need}, "
                    f"which is about a {subject}: a {check.subject} does not stand on one"
                )


def layer(check: Check) -> str:
    """The layer of a check: the name of the folder its file is in."""
    return _folder(check.file)


@cache
def _folder(file: str) -> str:
    return Path(file).parent.name


def layer_order(check: Check) -> int:
    """The place of a check's layer; a user's own folders come last."""
    name = layer(check)
    return LAYERS.index(name) if name in LAYERS else len(LAYERS)


@cache
def packaged_folder() -> Path:
    """The folder of the packaged suite: in the wheel beside this file, else the checkout's."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "checks"
    return inside if inside.is_dir() else here.parents[1] / "checks"


def checks_in(module: ModuleType) -> tuple[Check, ...]:
    """The checks that a module defines itself (not those it imports)."""
    records = (getattr(thing, "vfio_check", None) for thing in vars(module).values())
    return tuple(r for r in records if isinstance(r, Check) and r.file == module.__file__)


def checks_of_file(path: Path) -> tuple[Check, ...]:
    """The checks that one file defines. Raises SuiteError where it cannot be imported."""
    return checks_in(load(path))


def is_packaged(file: Path) -> bool:
    """Whether it is a file of the packaged suite with nothing but checks, as its files have.

    Raises SuiteError where it cannot be imported.
    """
    if file.parent.parent != packaged_folder():
        return False
    module = load(file)
    tests = [name for name in vars(module) if name.startswith(("test", "Test", "pytest"))]
    return all(hasattr(getattr(module, name), "vfio_check") for name in tests)


def packaged(except_files: Iterable[Path] = ()) -> tuple[Check, ...]:
    """The packaged checks, without those of files that were collected already.

    Raises SuiteError where a file of the suite cannot be imported.
    """
    given = frozenset(except_files)
    files = sorted(path for path in packaged_folder().glob("*/test_*.py") if path not in given)
    resolved = {path.resolve() for path in given} if files else set()
    rest = [path for path in files if path.resolve() not in resolved]
    return tuple(check for path in rest for check in checks_of_file(path))


def load(path: Path) -> ModuleType:
    """Import one file under a name of its own, so that pytest's own import is left alone.

    Raises SuiteError.
    """
    name = f"pytest_vfio_suite:{path}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SuiteError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise SuiteError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def combined(collected: Iterable[Check]) -> Suite:
    """The suite of a run: the packaged checks, and collected ones in place of their namesakes.

    Raises SuiteError, among others where two collected checks have one id.
    """
    own = _by_id(collected)
    rest = packaged(except_files=[Path(check.file) for check in own.values()])
    return Suite([*own.values(), *(check for check in rest if check.id not in own)])


def _by_id(collected: Iterable[Check]) -> dict[str, Check]:
    own: dict[str, Check] = {}
    for check in collected:
        other = own.setdefault(check.id, check)
        if other is not check and other.file != check.file:
            raise SuiteError(f"check {check.id} is defined twice: {other.file} and {check.file}")
    return own

"""The words in which a check speaks: verdicts, severities, and the `@check` decorator.

Imports nothing of ours but what evidence and a cure are. There is no registry: the decorator hangs
a record on the function, which stays an ordinary function that anybody can call.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import msgspec

from pytest_vfio.evidence import Lack
from pytest_vfio.steps import Cure


class Outcome(enum.StrEnum):
    """What became of one check on one subject. The engine adds blocked and error, policy waived."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    ERROR = "error"
    WAIVED = "waived"


class Severity(enum.StrEnum):
    """How bad a failure is."""

    BLOCKER = "blocker"
    SECURITY = "security"
    DEGRADED = "degraded"
    ADVICE = "advice"


BLOCKER, SECURITY, DEGRADED, ADVICE = Severity


class SubjectKind(enum.StrEnum):
    """What a check can be about.

    A check's first parameter is always `hypervisor`; the second, if any, is named for one of these.
    `host` is the absence of a second parameter.
    """

    HOST = "host"
    DEVICE = "device"
    GROUP = "group"
    GUEST = "guest"
    HOSTDEV = "hostdev"


class Acts(enum.StrEnum):
    """Who has to act on a failure."""

    OS = "os"
    FIRMWARE = "firmware"
    LIBVIRT = "libvirt"
    GUEST = "guest"
    VENDOR = "vendor"


HEADINGS = ("Checks", "Why it matters", "Evidence", "Fix", "Fix safety", "References")


class Proof(Protocol):
    """A line of evidence: `pytest_vfio.evidence.Quote`."""

    @property
    def source(self) -> str: ...
    @property
    def line(self) -> str: ...
    @property
    def status(self) -> str: ...


class Verdict(msgspec.Struct, frozen=True):
    """What a check says of one subject.

    `message` is one line of facts: subject, actual, expected. `refs` narrows the check's entries
    of the failure catalogue to those that this failure is an instance of. `severity` is set where
    this failure is better or worse than the check's own severity says. `signs` are entries of the
    catalogue of which the failure is no more than a sign: one of state that is an instance of such
    an entry explains it.
    """

    outcome: Outcome
    message: str
    actual: str = ""
    expected: str = ""
    evidence: tuple[Proof, ...] = ()
    missing: tuple[Lack, ...] = ()
    refs: tuple[str, ...] = ()
    acts: Acts = Acts.OS
    cure: Cure | None = None
    severity: Severity | None = None
    signs: tuple[str, ...] = ()


def passes(message: str, *, evidence: Proof | Iterable[Proof] = ()) -> Verdict:
    """The subject is as it has to be; `message` says how, with values."""
    return Verdict(Outcome.PASS, message, evidence=_proofs(evidence))


def fails(
    message: str,
    *,
    actual: object,
    expected: object,
    evidence: Proof | Iterable[Proof],
    refs: Iterable[str] = (),
    acts: str = "os",
    cure: Cure | None = None,
    severity: Severity | None = None,
    signs: Iterable[str] = (),
) -> Verdict:
    """The subject is not as it has to be. The evidence is the line that proves it."""
    return Verdict(
        Outcome.FAIL,
        message,
        str(actual),
        str(expected),
        _proofs(evidence),
        refs=tuple(refs),
        acts=Acts(acts),
        cure=cure,
        severity=severity,
        signs=tuple(signs),
    )


def skips(reason: str, *, evidence: Proof | Iterable[Proof] = ()) -> Verdict:
    """The check does not apply to the subject, and why."""
    return Verdict(Outcome.SKIP, reason, evidence=_proofs(evidence))


def unknown(
    message: str,
    *,
    missing: Iterable[Lack],
    evidence: Proof | Iterable[Proof] = (),
    severity: Severity | None = None,
) -> Verdict:
    """It cannot be told. `missing` is the evidence that is lacking.

    Seldom needed: a fact that lacks its evidence raises, and the engine says this. With a
    `severity` lower than the check's own it does not keep a host from being ready: what it would
    be about is shown by state, which other checks judge.
    """
    return Verdict(
        Outcome.UNKNOWN,
        message,
        evidence=_proofs(evidence),
        missing=tuple(missing),
        severity=severity,
    )


def _proofs(evidence: Proof | Iterable[Proof]) -> tuple[Proof, ...]:
    return tuple(evidence) if isinstance(evidence, Iterable) else (evidence,)


class Check(msgspec.Struct, frozen=True):
    """The record that `@check` hangs on a function as `vfio_check`."""

    id: str
    severity: Severity
    needs: tuple[str, ...]
    refs: tuple[str, ...]
    subject: SubjectKind
    function: Callable[..., object]
    file: str
    since: str | None = None
    replaces: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The first line of the docstring, which says what must hold."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    @property
    def doc(self) -> str:
        """The whole docstring, as `--explain` and the catalogue print it."""
        return inspect.getdoc(self.function) or ""


F = TypeVar("F", bound=Callable[..., Any])


def check(
    id: str,
    *,
    severity: Severity,
    needs: Iterable[str] = (),
    refs: Iterable[str] = (),
    since: str | None = None,
    replaces: Iterable[str] = (),
) -> Callable[[F], F]:
    """Make a check of a function of `hypervisor` and at most one subject.

    `id` is a short prefix of capitals and three digits. `needs` are the checks whose failure makes
    this one's failure a consequence. `refs` are entries of the failure catalogue (F22, S02).
    `since` is the version in which the check appeared, None for the first. `replaces` are the ids
    of former checks whose question it answers now; they are never used again.

    Raises TypeError where the function cannot be a check, and says why.
    """
    for one in (id, *replaces):
        if not re.fullmatch(r"[A-Z]{2,8}\d{3}", one):
            raise TypeError(f"check id {one!r}: expected capitals and three digits, such as DEV003")

    def hang(function: F) -> F:
        code = function.__code__
        more = sum(
            bool(code.co_flags & flag) for flag in (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS)
        )
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + more]
        subject = names[1] if len(names) == 2 else SubjectKind.HOST
        kinds = list(SubjectKind)
        if not names or names[0] != "hypervisor" or len(names) > 2 or subject not in kinds:
            raise TypeError(
                f"check {id}: {function.__name__}({', '.join(names)}): expected `hypervisor` and "
                f"at most one of {', '.join(kinds[1:])}"
            )
        record = Check(
            id=id,
            severity=Severity(severity),
            needs=tuple(needs),
            refs=tuple(refs),
            subject=SubjectKind(subject),
            function=function,
            file=code.co_filename,
            since=since,
            replaces=tuple(replaces),
        )
        function.vfio_check = record  # type: ignore[attr-defined]
        return function

    return hang

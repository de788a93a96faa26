"""Orders and words the causes: what a person must act on first, and what follows from what.

Pure: findings in, sentences out.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_vfio.check import Outcome, Severity
from pytest_vfio.facts.intent import IntendedDevice
from pytest_vfio.judgement import Finding, Judgement, Key
from pytest_vfio.policy import Judged
from pytest_vfio.suite import Suite, layer_order


class HostVerdict(enum.StrEnum):
    """What is to be said of a whole host."""

    READY = "ready"
    NOT_READY = "not ready"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Cause:
    """A root cause, and the findings that are its consequences."""

    finding: Finding
    explains: tuple[Key, ...]


@dataclass(frozen=True)
class DeviceSentence:
    """Whether an intended device can be assigned (yes, no, unknown), in one sentence."""

    device: IntendedDevice
    assignable: str
    sentence: str


@dataclass(frozen=True)
class Diagnosis:
    """What is the matter with a host: verdict, ordered causes, a sentence for each device."""

    verdict: HostVerdict
    causes: tuple[Cause, ...]
    devices: tuple[DeviceSentence, ...]
    unread: tuple[str, ...]


def diagnose(judgement: Judgement, judged: Sequence[Judged]) -> Diagnosis:
    """Diagnose one host by all its findings, after policy."""
    findings = [one.finding for one in judged]
    causes = _causes(judgement.suite, findings)
    devices = tuple(_sentence(device, judgement, findings) for device in judgement.hypervisor.intent.known)
    return Diagnosis(
        _verdict(judgement, judged, devices), causes, devices, _unread(findings)
    )


def _causes(suite: Suite, findings: Iterable[Finding]) -> tuple[Cause, ...]:
    explains: dict[Key, list[Key]] = {}
    for finding in findings:
        for root in finding.blocked_by:
            explains.setdefault(root, []).append(finding.key)
    causes = [
        Cause(finding, tuple(explains.get(finding.key, ())))
        for finding in findings
        if finding.outcome is Outcome.FAIL
        and (finding.severity is not Severity.ADVICE or finding.key in explains)
    ]
    return tuple(sorted(causes, key=lambda cause: _order(suite, cause)))


def _order(suite: Suite, cause: Cause) -> tuple[object, ...]:
    """What stops or endangers first; then the layer in which to act; then what others need."""
    finding = cause.finding
    check = suite[finding.id]
    hurts = finding.severity in (Severity.BLOCKER, Severity.SECURITY)
    return (
        not hurts,
        layer_order(check),
        suite.depth[check.id],
        -len(cause.explains),
        finding.id,
        finding.name,
    )


def _sentence(
    device: IntendedDevice, judgement: Judgement, findings: Iterable[Finding]
) -> DeviceSentence:
    """Told by the blockers among the findings on the device and on what it stands on."""
    own = [f for f in findings if f.severity is Severity.BLOCKER and _concerns(f, device, judgement)]
    to = f" to {device.guest}" if device.guest else ""
    for finding in _roots_first(own, findings):
        return DeviceSentence(
            device, "no", f"{device.name} cannot be assigned{to}: {finding.message}"
        )
    unread = _unread(own)
    if unread:
        return DeviceSentence(
            device, "unknown", f"{device.name}: cannot tell: {listed(unread)} not read"
        )
    return DeviceSentence(device, "yes", f"{device.name} can be assigned{to}")


def _roots_first(own: Iterable[Finding], findings: Iterable[Finding]) -> list[Finding]:
    """The causes for which a device cannot be assigned, each once."""
    by_key = {finding.key: finding for finding in findings}
    roots: dict[Key, Finding] = {}
    for finding in own:
        if finding.outcome is Outcome.FAIL:
            roots[finding.key] = finding
        elif finding.outcome is Outcome.BLOCKED:
            roots.update((key, by_key[key]) for key in finding.blocked_by if key in by_key)
    return list(roots.values())


def _concerns(finding: Finding, device: IntendedDevice, judgement: Judgement) -> bool:
    """Whether a finding is on the device, its group, its guests, its hostdevs, or the host."""
    if finding.kind == "host":
        return True
    stand_in = judgement.subjects.stand_in(device.name)
    if finding.kind == "device":
        return finding.name == stand_in
    if finding.kind == "guest":
        return finding.name in device.guests
    subjects = judgement.subjects.of(finding.kind).known
    if finding.kind == "hostdev":
        return any(s.name == finding.name and ("device", stand_in) in s.stands_on for s in subjects)
    own = judgement.subjects.of("device").known
    group = (finding.kind, finding.name)
    return any(subject.name == stand_in and group in subject.stands_on for subject in own)


def _unread(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The names of the evidence for lack of which something is unknown, each once."""
    names: dict[str, None] = {}
    for finding in findings:
        if finding.outcome is Outcome.UNKNOWN:
            names.update(dict.fromkeys(entry.partition(": ")[0] for entry in finding.missing))
    return tuple(names)


def _verdict(
    judgement: Judgement, judged: Sequence[Judged], devices: Sequence[DeviceSentence]
) -> HostVerdict:
    sick = any(
        one.gates and one.finding.outcome in (Outcome.FAIL, Outcome.BLOCKED, Outcome.ERROR)
        for one in judged
    )
    if sick:
        return HostVerdict.NOT_READY
    sure = judgement.hypervisor.intent.whole and devices
    if not sure or any(device.assignable != "yes" for device in devices):
        return HostVerdict.CANNOT_TELL
    return HostVerdict.READY


def listed(names: Sequence[str], most: int = 4) -> str:
    """`a, b and 3 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def counts(judged: Iterable[Judged]) -> Mapping[Outcome, int]:
    """How many findings there are of each outcome."""
    tally = dict.fromkeys(Outcome, 0)
    for one in judged:
        tally[one.finding.outcome] += 1
    return tally

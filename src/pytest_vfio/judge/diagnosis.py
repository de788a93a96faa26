"""Orders and words the causes: what a person must act on first, and what follows from what.

Pure: findings in, sentences out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from pytest_vfio.check import Check, Outcome, Severity
from pytest_vfio.evidence import place
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.judge.judgement import Finding, Judgement, Key
from pytest_vfio.judge.policy import Judged
from pytest_vfio.judge.result import Answer, Because, HostVerdict
from pytest_vfio.judge.suite import Suite, layer, layer_order
from pytest_vfio.printable import listed
from pytest_vfio.steps import Grade


class Cause(msgspec.Struct, frozen=True):
    """A root cause, and the findings that are its consequences."""

    finding: Finding
    explains: tuple[Key, ...]


class DeviceSentence(msgspec.Struct, frozen=True):
    """Whether an intended device can be assigned, in one sentence.

    `no_because` says of what kind a *no* is: the start fails, or it would work and hurt. `after` is
    what a machine can do about a *no*, in order; empty where that is not all that it takes.
    """

    device: IntendedDevice
    assignable: Answer
    sentence: str
    no_because: Because | None = None
    after: tuple[str, ...] = ()
    next_boot: Answer = Answer.UNKNOWN


class Diagnosis(msgspec.Struct, frozen=True):
    """What is the matter with a host: verdict, ordered causes, a sentence for each device."""

    verdict: HostVerdict
    causes: tuple[Cause, ...]
    devices: tuple[DeviceSentence, ...]


#: What is said of the next boot: words, entries, kernels, and who binds or makes devices at boot.
_AT_BOOT = ("CMD015", "CMD016", "CMD017", "CMD018", "SAF005", "SAF013", "SAF015", "GST028")
_WAITS = "CMD011"
_OTHERS = ("device", "group")
#: What makes a host not ready, whatever `--fail-on` says.
_HURTS = (Severity.BLOCKER, Severity.SECURITY)
_STOPS = (Outcome.FAIL, Outcome.BLOCKED, Outcome.UNKNOWN, Outcome.ERROR)


def diagnose(judgement: Judgement, judged: Sequence[Judged]) -> Diagnosis:
    """Diagnose one host by all its findings, after policy."""
    findings = [one.finding for one in judged]
    blockers = _Blockers(judgement, findings)
    devices = tuple(map(blockers.sentence, judgement.hypervisor.intent.known))
    return Diagnosis(
        _verdict(judgement, judged, devices),
        _causes(judgement.suite, findings),
        devices,
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
    hurts = finding.severity in _HURTS
    return (
        not hurts,
        layer_order(check),
        suite.depth[check.id],
        -len(cause.explains),
        finding.id,
        finding.name,
    )


class _Blockers:
    """The findings that can stop a device, by the subject that they are on."""

    def __init__(self, judgement: Judgement, findings: Iterable[Finding]) -> None:
        self.suite = judgement.suite
        self.subjects = judgement.subjects
        self.by_key = {finding.key: finding for finding in findings}
        self.on: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.by_key.values():
            serious = finding.severity is Severity.BLOCKER and finding.outcome in _STOPS
            if serious and _concerns_assignment(judgement.suite[finding.id], finding):
                self.on.setdefault((finding.kind, finding.name), []).append(finding)
        self.hostdevs: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for hostdev in self.subjects.of("hostdev").known:
            for below in hostdev.stands_on:
                self.hostdevs.setdefault(below, []).append(hostdev.key)

    def sentence(self, device: IntendedDevice) -> DeviceSentence:
        """What holds now, and what will after the next boot."""
        now = self._now(device)
        return replace(now, next_boot=self._next_boot(device, now))

    def _next_boot(self, device: IntendedDevice, now: DeviceSentence) -> Answer:
        """A prediction of its own: what works may be lost by a reboot, what waits may arrive.

        Of a kernel that never ran nothing is known.
        """
        keys = ((id, *key) for key in self._concerned(device) for id in _AT_BOOT)
        said = [self.by_key[key] for key in keys if key in self.by_key]
        bad = [f for f in said if f.outcome is Outcome.FAIL]
        if any(f.severity is not Severity.ADVICE for f in bad):
            return Answer.NO
        if bad or any(f.outcome in (Outcome.UNKNOWN, Outcome.ERROR) for f in said):
            return Answer.UNKNOWN
        waits = now.assignable is Answer.NO and self._only_waits(device)
        return Answer.YES if waits else now.assignable

    def _only_waits(self, device: IntendedDevice) -> bool:
        """All that stops the device is a boot that has not been."""
        own = [finding for key in self._concerned(device) for finding in self.on.get(key, ())]
        return all(finding.id == _WAITS for finding in self._causes(own))

    def _now(self, device: IntendedDevice) -> DeviceSentence:
        """Told by the blockers on the device and on all that it has to do with."""
        own = [finding for key in self._concerned(device) for finding in self.on.get(key, ())]
        to = f" to {device.guest}" if device.guest else ""
        causes = self._causes(own)
        for finding in causes:
            words = f"{device.name} cannot be assigned{to}: {finding.message}"
            hurts = layer(self.suite[finding.id]) == "safety"
            because = Because.MUST_NOT if hurts else Because.CANNOT
            return DeviceSentence(device, Answer.NO, words, because, _after(causes))
        broken = [finding.id for finding in own if finding.outcome is Outcome.ERROR]
        if broken:
            words = f"{device.name}: cannot tell: {listed(broken)} failed by a mistake of its own"
            return DeviceSentence(device, Answer.UNKNOWN, words)
        unread = _unread(own)
        if unread:
            words = f"{device.name}: cannot tell: {listed(unread)} not read"
            return DeviceSentence(device, Answer.UNKNOWN, words)
        return DeviceSentence(device, Answer.YES, f"{device.name} can be assigned{to}")

    def _concerned(self, device: IntendedDevice) -> list[tuple[str, str]]:
        """The host, the device's group, itself, its guests and their hostdevs of it."""
        key = ("device", self.subjects.stand_in(device.name))
        subject = self.subjects.get(key)
        stands_on = subject.stands_on if subject is not None else ()
        guests = [("guest", name) for name in device.guests]
        return [self.subjects.host.key, *stands_on, key, *guests, *self.hostdevs.get(key, ())]

    def _causes(self, own: Iterable[Finding]) -> list[Finding]:
        """The root failures among the findings and behind them, each once."""
        roots: dict[Key, Finding] = {}
        for finding in own:
            if finding.outcome is Outcome.FAIL:
                roots[finding.key] = finding
            for key in finding.blocked_by:
                roots[key] = self.by_key[key]
        return list(roots.values())


def _after(causes: Sequence[Finding]) -> tuple[str, ...]:
    """What cures all the causes, where a machine can; nothing where a person is needed."""
    cures = [finding.cure for finding in causes if finding.cure is not None]
    if len(cures) < len(causes) or any(cure.grade is Grade.MANUAL for cure in cures):
        return ()
    reboot = ["reboot"] if any(cure.reboot for cure in cures) else []
    return tuple(dict.fromkeys([*(cure.title for cure in cures), *reboot]))


def _concerns_assignment(check: Check, finding: Finding) -> bool:
    """Whether a failure of this check can stop the assignment of the device it is about."""
    if finding.kind in _OTHERS:
        return True
    # What endangers the host elsewhere, or when it starts again, stops no assignment. That there
    # may be other devices says nothing of this one.
    others = finding.kind == "host" and check.subject in _OTHERS
    return layer(check) != "safety" and not others


def _unread(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The names of the evidence for lack of which something is unknown, each once."""
    names: dict[str, None] = {}
    for finding in findings:
        if finding.outcome is Outcome.UNKNOWN:
            names.update(dict.fromkeys(place(gap.name) for gap in finding.missing))
    return tuple(names)


def _verdict(
    judgement: Judgement, judged: Sequence[Judged], devices: Sequence[DeviceSentence]
) -> HostVerdict:
    survey = judgement.hypervisor.declared.survey
    hurting = [
        one.finding
        for one in judged
        if one.finding.severity in _HURTS and not (survey and one.finding.kind in _OTHERS)
    ]
    if any(finding.outcome in (Outcome.FAIL, Outcome.BLOCKED) for finding in hurting) or any(
        one.finding.outcome is Outcome.ERROR for one in judged
    ):
        return HostVerdict.NOT_READY
    unsure = any(finding.outcome is Outcome.UNKNOWN for finding in hurting)
    sure = judgement.hypervisor.intent.whole and devices
    if survey:  # which of its devices can be assigned is told of each; the host is ready for some
        return HostVerdict.CANNOT_TELL if unsure else HostVerdict.READY
    if unsure or not sure or any(device.assignable is not Answer.YES for device in devices):
        return HostVerdict.CANNOT_TELL
    return HostVerdict.READY

"""One host in one run: from its evidence to what is to be reported of it.

`judge` says all that there is to say, `let_go` drops evidence and facts, and `result` marks what of
it was asked for: plain values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared
from pytest_vfio.evidence import Evidence, Source, Status, place
from pytest_vfio.facts.pci.function import PciFunction
from pytest_vfio.facts.tristate import known
from pytest_vfio.hypervisor import decide
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.diagnosis import Cause, DeviceSentence, Diagnosis, diagnose
from pytest_vfio.judge.judgement import Finding, Judgement, Key
from pytest_vfio.judge.policy import Judged, Policy
from pytest_vfio.judge.result import (
    Answer,
    CauseResult,
    CheckResult,
    DeviceResult,
    FactsResult,
    FindingResult,
    FixResult,
    HostResult,
    HostVerdict,
    IntentFrom,
    KeyResult,
    LapsedResult,
    NodeResult,
    QuoteResult,
    StepResult,
    SubjectResult,
    Switch,
    UnreadResult,
    WaiverResult,
)
from pytest_vfio.judge.subjects import Subjects
from pytest_vfio.judge.suite import Suite, layer
from pytest_vfio.parse.pciconfig import PORT_TYPES
from pytest_vfio.redaction import redacted
from pytest_vfio.steps import Step

T = TypeVar("T")


class Told(msgspec.Struct, frozen=True):
    """What is known of a host once it is judged: values, and nothing that leads to its evidence."""

    findings: tuple[Finding, ...]
    whole: tuple[Judged, ...]
    verdict: HostVerdict
    causes: tuple[CauseResult, ...]
    facts: FactsResult
    unread: tuple[UnreadResult, ...]
    notes: tuple[str, ...]
    would_decide: tuple[str, ...]


class HostRun:
    """One host that was read. Judged at most once, by the suite that is given then."""

    def __init__(
        self, evidence: Evidence, declared: Declared, policy: Policy, seconds: float = 0.0
    ) -> None:
        self.name = evidence.host
        self.source: Source = evidence.source
        self.collected = evidence.collected
        self.live = evidence.live
        self.seconds = seconds
        self._policy = policy
        self._declared = declared
        self._evidence: Evidence | None = evidence
        self._hypervisor: Hypervisor | None = None
        self._subjects: Subjects | None = None
        self._told: Told | None = None

    @property
    def evidence(self) -> Evidence:
        """What was read. Raises RuntimeError once the host was let go."""
        if self._evidence is None:
            raise RuntimeError(f"the evidence of {self.name} was let go")
        return self._evidence

    @property
    def hypervisor(self) -> Hypervisor:
        """The facts of this host. Raises RuntimeError once it was let go."""
        if self._hypervisor is None:
            self._hypervisor = Hypervisor(self.evidence, self._declared)
        return self._hypervisor

    @property
    def subjects(self) -> Subjects:
        """What checks can be about on this host. Raises RuntimeError once it was let go."""
        if self._subjects is None:
            self._subjects = Subjects(self.hypervisor)
        return self._subjects

    def judge(self, suite: Suite) -> None:
        """Judge the host by a whole suite, unless that is done."""
        if self._told is None:
            self._policy = self._policy.following(suite)
            self._told = _told(Judgement(suite, self.hypervisor, self.subjects), self._policy)

    def let_go(self) -> None:
        """Keep nothing of the host but what was found. To be called once it is judged."""
        self._evidence = self._hypervisor = self._subjects = None

    @property
    def told(self) -> Told:
        """What was found. Raises RuntimeError before the host was judged."""
        if self._told is None:
            raise RuntimeError(f"{self.name} was not judged yet")
        return self._told

    @property
    def whole(self) -> tuple[Judged, ...]:
        """Every finding of the host, as if the whole suite had been selected."""
        return self.told.whole

    def selected(self, keys: Iterable[Key]) -> Mapping[Key, Judged]:
        """The findings that are reported together, after policy."""
        chosen = frozenset(keys)
        findings = [finding for finding in self.told.findings if finding.key in chosen]
        return {one.finding.key: one for one in self._policy.judge(findings)}

    def ill_judged(self) -> str | None:
        """Why the host counts as an error although it was read, if it does."""
        outcomes = {one.finding.outcome for one in self.whole}
        is_host = self.source not in (Source.PASTE, Source.LOOSE)
        if is_host and not outcomes & {Outcome.PASS, Outcome.FAIL, Outcome.BLOCKED, Outcome.WAIVED}:
            return f"{self.name}: nothing could be judged by what was read"
        if self._policy.strict and self.told.verdict is HostVerdict.CANNOT_TELL:
            return f"{self.name}: cannot tell whether it is ready, and --strict-unknown was given"
        return None

    def result(self, selected: Iterable[Key]) -> HostResult:
        """What is to be reported, where the selected findings were asked for."""
        chosen = self.selected(selected)
        told = self.told
        return HostResult(
            name=self.name,
            source=self.source,
            collected=self.collected,
            reachable=True,
            verdict=told.verdict,
            facts=told.facts,
            findings=tuple(
                _finding(chosen.get(one.finding.key, one), one.finding.key in chosen)
                for one in told.whole
            ),
            diagnosis=told.causes,
            reason=self.ill_judged() or "",
            seconds=self.seconds,
            live=self.live,
            unread=told.unread,
            notes=told.notes,
            would_decide=told.would_decide,
            lapsed=tuple(
                LapsedResult(waiver.check, waiver.reason, waiver.expires.isoformat())
                for waiver in self._policy.lapsed(chosen.values())
            ),
        )


def unreachable(name: str, source: Source, reason: str, seconds: float) -> HostResult:
    """What is to be reported of a host of which nothing could be read."""
    return HostResult(
        name=name,
        source=source,
        collected=None,
        reachable=False,
        verdict=HostVerdict.CANNOT_TELL,
        facts=None,
        reason=reason,
        seconds=seconds,
        live=True,
    )


def checks_of(suite: Suite) -> dict[str, CheckResult]:
    """The suite, as reports tell it."""
    return {
        check.id: CheckResult(check.title, layer(check), check.severity, check.refs, check.needs)
        for check in suite
    }


def _told(judgement: Judgement, policy: Policy) -> Told:
    findings = tuple(judgement)
    whole = policy.judge(findings)
    diagnosis = diagnose(judgement, whole)
    return Told(
        findings,
        whole,
        diagnosis.verdict,
        tuple(map(_cause, diagnosis.causes)),
        _facts(judgement.hypervisor, diagnosis),
        _unread(findings),
        decide.notes(judgement.hypervisor),
        decide.commands(judgement.hypervisor)
        if diagnosis.verdict is HostVerdict.CANNOT_TELL
        else (),
    )


def _unread(findings: Iterable[Finding]) -> tuple[UnreadResult, ...]:
    tally = Counter(
        (place(gap.name), gap.why)
        for finding in findings
        if finding.outcome is Outcome.UNKNOWN
        for gap in finding.missing
    )
    return tuple(UnreadResult(name, why, count) for (name, why), count in tally.items())


def _facts(hypervisor: Hypervisor, diagnosis: Diagnosis) -> FactsResult:
    return FactsResult(
        kernel=known(lambda: hypervisor.kernel.release),
        cpu_vendor=known(lambda: hypervisor.cpu.vendor),
        iommu=_switch(known(lambda: hypervisor.iommu.on)),
        interrupt_remapping=_switch(known(lambda: hypervisor.iommu.interrupt_remapping)),
        devices=_devices(hypervisor, diagnosis),
        devices_unread=tuple(place(gap.name) for gap in hypervisor.intent.lacking),
        nodes=_nodes(hypervisor),
    )


def _nodes(hypervisor: Hypervisor) -> tuple[NodeResult, ...]:
    """The NUMA nodes, as far as they are known."""
    nodes = known(lambda: hypervisor.memory.nodes) or {}
    sockets = hypervisor.cpu.sockets
    return tuple(
        NodeResult(
            node.number,
            tuple(sorted({sockets[cpu] for cpu in node.cpus if cpu in sockets})),
            len(node.cpus),
            node.total,
        )
        for node in nodes.values()
    )


def _devices(hypervisor: Hypervisor, diagnosis: Diagnosis) -> tuple[DeviceResult, ...]:
    intended = {one.device.name: one for one in diagnosis.devices}
    functions = hypervisor.pci.known
    return tuple(
        _device(name, functions.get(name), intended.get(name), hypervisor)
        for name in sorted({*functions, *intended})
    )


def _device(
    name: str,
    function: PciFunction | None,
    told: DeviceSentence | None,
    hypervisor: Hypervisor,
) -> DeviceResult:
    node = _of(function, lambda one: one.numa_node)
    code = _of(function, lambda one: one.class_code)
    uses = hypervisor.protected.uses.get(name, ())
    return DeviceResult(
        label=name,
        address=name if function is not None or (told and told.device.address) else None,
        id=_of(function, lambda one: one.id),
        driver=_of(function, lambda one: one.driver),
        group=_of(function, lambda one: one.group),
        intended=told is not None,
        intent_from=IntentFrom(told.device.intent_from) if told else None,
        guest=told.device.guest if told else None,
        assignable=told.assignable if told else Answer.UNKNOWN,
        sentence=told.sentence if told else f"{name} is not to be passed through",
        no_because=told.no_because if told else None,
        after=told.after if told else (),
        next_boot=told.next_boot if told else Answer.UNKNOWN,
        with_=_mates(name, function, hypervisor),
        name=_of(function, hypervisor.names.of),
        used_by=tuple(dict.fromkeys(use.path for use in uses)),
        numa_node=node if node is not None and node >= 0 else None,
        parent=_of(function, lambda one: one.parent),
        physfn=_of(function, lambda one: one.physfn),
        class_code=f"{code:06x}" if code is not None else None,
        endpoint=_of(function, lambda one: one.is_endpoint) or False,
        vfs=_of(function, lambda one: one.totalvfs) or None,
        reset=_of(function, lambda one: one.reset_methods),
        link=_of(function, _link),
        netdevs=_of(function, lambda one: one.netdevs) or (),
        port=_of(function, _port),
    )


def _mates(name: str, function: PciFunction | None, hypervisor: Hypervisor) -> tuple[str, ...]:
    """The endpoints of its group, which go where it goes."""
    number = _of(function, lambda one: one.group)
    group = None if number is None else hypervisor.groups.known.get(number)
    return tuple(
        mate.address
        for mate in (group.functions if group else ())
        if mate.address != name and known(lambda: mate.is_endpoint)  # noqa: B023 - asked at once
    )


def _port(function: PciFunction) -> str | None:
    """`Root Port`; None for what is no bridge, or an old one."""
    return PORT_TYPES.get(function.config.port_type or 0) if function.is_bridge else None


def _link(function: PciFunction) -> str | None:
    """`8.0 GT/s x8`, and what it could be where that is more."""
    speed, width = function.number("link_speed"), function.number("link_width")
    return f"{speed:g} GT/s x{width:g}" if speed and width else None


def _of(function: PciFunction | None, question: Callable[[PciFunction], T]) -> T | None:
    return None if function is None else known(question, function)


def _finding(one: Judged, selected: bool) -> FindingResult:
    finding, waiver = one.finding, one.waiver
    return FindingResult(
        id=finding.id,
        severity=finding.severity,
        refs=finding.refs,
        subject=SubjectResult(finding.kind, finding.name),
        outcome=finding.outcome,
        gates=one.gates,
        selected=selected,
        message=finding.message,
        actual=finding.actual,
        expected=finding.expected,
        evidence=tuple(
            QuoteResult(quote.source, Status(quote.status), quote.line)
            for quote in finding.evidence
        ),
        missing=tuple(map(str, finding.missing)),
        blocked_by=tuple(map(_key, finding.blocked_by)),
        waiver=WaiverResult(waiver.reason, waiver.expires.isoformat()) if waiver else None,
        acts=finding.acts,
        fix=_fix(finding),
    )


def _fix(finding: Finding) -> FixResult | None:
    cure = finding.cure
    if cure is None:
        return None
    return FixResult(
        grade=cure.grade,
        title=redacted(cure.title),
        reboot=cure.reboot,
        undo=cure.undo,
        impacts=tuple(impact.value for impact in cure.impacts),
        steps=tuple(map(_step, cure.steps)),
    )


def _step(step: Step) -> StepResult:
    title, by_hand = redacted(step.title), redacted(step.by_hand)
    commands = tuple(map(redacted, step.commands))
    if commands != step.commands:  # half a command would write the word for a secret into a file
        commands, by_hand = (), "it writes a line that holds a secret, which no report shows"
    return StepResult(step.kind, title, commands, by_hand, step.files)


def _cause(cause: Cause) -> CauseResult:
    finding = cause.finding
    return CauseResult(
        finding.id,
        finding.refs,
        SubjectResult(finding.kind, finding.name),
        finding.message,
        tuple(map(_key, cause.explains)),
    )


def _key(key: Key) -> KeyResult:
    return KeyResult(key[0], SubjectResult(key[1], key[2]))


def _switch(fact: bool | None) -> Switch:
    return {True: Switch.ON, False: Switch.OFF, None: Switch.UNKNOWN}[fact]

"""What is to be reported of a run, as plain values: `results.json` is this, written down.

No value here leads back to evidence or facts, so that a host can be let go once it is judged, and
every report can be rendered from `results.json` alone. The names are those of section 9 of the
design; the JSON Schema `schemas/results.json` is made from these classes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Final, Literal

import msgspec

from pytest_vfio.check import Acts, Outcome, Severity, SubjectKind
from pytest_vfio.evidence import Source, Status, place
from pytest_vfio.steps import Grade

#: The number of the contract. Fields may be added within it; none changes its meaning.
SCHEMA: Final = 2

CheckId = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2,8}\d{3}$")]
Time = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
Address = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$")]
DeviceId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")]
Words = Annotated[str, msgspec.Meta(min_length=1)]


class HostVerdict(enum.StrEnum):
    """What is to be said of a whole host."""

    READY = "ready"
    NOT_READY = "not ready"
    CANNOT_TELL = "cannot tell"


class Answer(enum.StrEnum):
    """Yes, no, or nobody knows."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Because(enum.StrEnum):
    """Why a device is not to be assigned: the start fails, or it would work and hurt."""

    CANNOT = "cannot"
    MUST_NOT = "must not"


class Switch(enum.StrEnum):
    """What a switch of the host is at."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class IntentFrom(enum.StrEnum):
    """What says that a device is to be passed through, the strongest first."""

    INVENTORY = "inventory"
    OPTION = "option"
    SURVEY = "survey"
    CMDLINE = "cmdline"
    MODPROBE = "modprobe"
    OVERRIDE = "override"
    BOUND = "bound"
    HOSTDEV = "hostdev"
    QEMU = "qemu"
    MESSAGE = "message"


class SubjectResult(msgspec.Struct, frozen=True):
    """What a finding is about."""

    kind: SubjectKind
    name: Words

    @property
    def words(self) -> str:
        """`device 0000:01:00.0`; empty for the host, of which its report tells anyway."""
        return "" if self.kind is SubjectKind.HOST else f"{self.kind} {self.name}"


class KeyResult(msgspec.Struct, frozen=True):
    """Another finding of the same host."""

    id: CheckId
    subject: SubjectResult


class QuoteResult(msgspec.Struct, frozen=True):
    """A line of evidence. `status` says how the item was read in which it stands."""

    source: Words
    status: Status
    line: str

    @property
    def place(self) -> str:
        """The item as a person reads it: `/proc/cmdline`."""
        return place(self.source)


class WaiverResult(msgspec.Struct, frozen=True):
    """Why a failure is accepted, and the last day on which it is, UTC."""

    reason: str
    expires: Day


class StepResult(msgspec.Struct, frozen=True):
    """One step of a cure: commands for a root shell, or what a person does by hand.

    `files` are the files that it changes.
    """

    kind: Words
    title: Words
    commands: tuple[str, ...] = ()
    by_hand: str = ""
    files: tuple[str, ...] = ()


class FixResult(msgspec.Struct, frozen=True):
    """What would cure a failure.

    `undo` is true where going back restores what was before; `impacts` say what makes it unsafe.
    """

    grade: Grade
    title: Words
    reboot: bool
    undo: bool
    impacts: tuple[Words, ...] = ()
    steps: tuple[StepResult, ...] = ()


class FindingResult(msgspec.Struct, frozen=True):
    """What one check says of one subject, after policy.

    `gates` says that it makes the run fail, `selected` that pytest reported it in this run.
    `blocked_by` are the root causes for which it is a consequence.
    """

    id: CheckId
    severity: Severity
    refs: tuple[Words, ...]
    subject: SubjectResult
    outcome: Outcome
    gates: bool
    selected: bool
    message: str
    actual: str
    expected: str
    evidence: tuple[QuoteResult, ...]
    missing: tuple[Words, ...]
    blocked_by: tuple[KeyResult, ...]
    waiver: WaiverResult | None
    acts: Acts
    fix: FixResult | None


class CauseResult(msgspec.Struct, frozen=True):
    """A root cause, and the findings that are its consequences."""

    id: CheckId
    refs: tuple[Words, ...]
    subject: SubjectResult
    message: Words
    explains: tuple[KeyResult, ...]


class DeviceResult(msgspec.Struct, frozen=True, rename={"with_": "with"}):
    """A PCI function of the host, to be passed through or not.

    `label` is the address, or how the inventory calls a device that the host does not show (then
    `address` is None). `no_because` says of what kind a *no* is. `after` is what it takes to make
    a *no* a *yes*, in order, `with_` what goes along. `used_by` are the paths by which the host
    itself uses it. `numa_node` is None where there is none; `parent` is the bridge above it,
    `physfn` the PF of a VF, `vfs` how many VFs it can have. An `endpoint` is no bridge, nor of the chipset.
    `reset` names the kernel's ways to reset it, in their order, empty for none; `link` is what its
    link runs at now. `port` is what kind of PCI Express port a bridge is, in lspci's words.
    """

    label: Words
    address: Address | None
    id: DeviceId | None
    driver: str | None
    group: int | None
    intended: bool
    intent_from: IntentFrom | None
    guest: str | None
    assignable: Answer
    sentence: str
    no_because: Because | None = None
    after: tuple[str, ...] = ()
    with_: tuple[str, ...] = ()
    next_boot: Answer = Answer.UNKNOWN
    name: str | None = None
    used_by: tuple[str, ...] = ()
    numa_node: int | None = None
    parent: str | None = None
    physfn: str | None = None
    class_code: str | None = None
    endpoint: bool = False
    vfs: int | None = None
    reset: tuple[str, ...] | None = None
    link: str | None = None
    netdevs: tuple[str, ...] = ()
    port: str | None = None


class NodeResult(msgspec.Struct, frozen=True):
    """A NUMA node: the sockets that its CPUs are in, how many these are, its memory in KiB."""

    number: int
    sockets: tuple[int, ...]
    cpus: int
    memory_kib: int | None


class FactsResult(msgspec.Struct, frozen=True):
    """What kind of host it is. `devices_unread` hides devices that are to be passed through."""

    kernel: str | None
    cpu_vendor: str | None
    iommu: Switch
    interrupt_remapping: Switch
    devices: tuple[DeviceResult, ...]
    devices_unread: tuple[str, ...] = ()
    nodes: tuple[NodeResult, ...] = ()

    @property
    def intended(self) -> tuple[DeviceResult, ...]:
        """The devices that are to be passed through."""
        return tuple(device for device in self.devices if device.intended)


class UnreadResult(msgspec.Struct, frozen=True):
    """Evidence for want of which findings are unknown: how many, and why it was not read."""

    name: Words
    why: Words
    findings: int


class LapsedResult(msgspec.Struct, frozen=True):
    """An expired waiver that would cover one of the findings."""

    check: str
    reason: str
    expires: Day


class RemedyState(enum.StrEnum):
    """What became of a step of a plan, or of a whole one."""

    PLANNED = "planned"
    APPLIED = "applied"
    PENDING_REBOOT = "pending reboot"
    IN_TRIAL = "in trial"
    ROLLED_BACK = "rolled back"
    UNDONE = "undone"
    REFUSED = "refused"
    FAILED = "failed"
    BY_HAND = "by hand"


class RemedyStep(msgspec.Struct, frozen=True):
    """One step of a plan, or a failure that it does not mend.

    `why` is the failure, or the reason for a refusal; `diff` what changes in a file; `before` and
    `after` are shell tests; `proof` says by what the devices are idle that it takes from a driver.
    `finding` is the first of the `findings` that it is for. `by_hand` is what a person does.
    """

    id: Words
    title: Words
    finding: KeyResult
    state: RemedyState
    why: str
    kind: Words
    grade: Grade
    impacts: tuple[Words, ...] = ()
    diff: str = ""
    commands: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()
    findings: tuple[KeyResult, ...] = ()


class BeforeResult(msgspec.Struct, frozen=True):
    """What was to be said of a host before anything was done to it."""

    verdict: HostVerdict
    diagnosis: tuple[CauseResult, ...]


class RemedyResult(msgspec.Struct, frozen=True):
    """What would be done to a host, or was. `run` is the name of the plan or of the run.

    `journal` are the lines that the host wrote of it, `before` how it was; the rest of the host's
    result is how it is afterwards.
    """

    run: Words
    state: RemedyState
    steps: tuple[RemedyStep, ...]
    journal: tuple[str, ...] = ()
    before: BeforeResult | None = None


class HostResult(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All that is to be reported of one host.

    `facts` is None for a host that was not read; `reason` says why it is an error: unreachable, or
    read and not to be judged. `findings` are those of the whole suite, and so are verdict and
    `diagnosis`, first cause first. `seconds` are the host's own. `live` says that this run read it.
    `unread` is the evidence for want of which something is unknown. `notes` are sentences on what a
    text says that is harmless; `would_decide` are commands whose output would tell what it does not.
    """

    name: Words
    source: Source
    collected: Time | None
    reachable: bool
    verdict: HostVerdict
    facts: FactsResult | None
    findings: tuple[FindingResult, ...] = ()
    diagnosis: tuple[CauseResult, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    live: bool = False
    unread: tuple[UnreadResult, ...] = ()
    lapsed: tuple[LapsedResult, ...] = ()
    remedy: RemedyResult | None = None
    notes: tuple[Words, ...] = ()
    would_decide: tuple[Words, ...] = ()

    @cached_property
    def shown(self) -> tuple[FindingResult, ...]:
        """The findings that this run was asked for."""
        return tuple(finding for finding in self.findings if finding.selected)

    @cached_property
    def by_key(self) -> Mapping[tuple[str, SubjectResult], FindingResult]:
        """The findings by check and subject."""
        return {(finding.id, finding.subject): finding for finding in self.findings}

    def finding_of(self, cause: CauseResult) -> FindingResult:
        """The finding that a cause is."""
        return self.by_key[cause.id, cause.subject]


class CheckResult(msgspec.Struct, frozen=True):
    """A check of the suite, whether it was selected or not."""

    title: Words
    layer: Words
    severity: Severity
    refs: tuple[Words, ...]
    needs: tuple[CheckId, ...]


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """All that is to be reported of one run.

    `product` is name and version; `started` is UTC; `complete` is false where the run was stopped
    before its end. `idle` are sentences on waivers that cover nothing. `pool` says, in the words of
    the command line, which hosts the run is about: it tells the runs of several pools apart. In
    a `survey` every endpoint was judged as if it were to be passed through.
    """

    schema: Literal[2] = SCHEMA
    product: Words
    started: Time
    duration_s: Annotated[float, msgspec.Meta(ge=0)]
    complete: bool
    fail_on: tuple[Severity, ...]
    checks: dict[CheckId, CheckResult]
    hosts: tuple[HostResult, ...]
    idle: tuple[str, ...] = ()
    pool: str = ""
    survey: bool = False

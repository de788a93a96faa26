"""What looks better with less evidence: nothing may."""

from __future__ import annotations

from types import MappingProxyType

from msgspec import structs

from pytest_vfio.check import Outcome
from pytest_vfio.evidence import Evidence, Item, Status
from pytest_vfio.judge.diagnosis import HostVerdict, diagnose
from pytest_vfio.judge.judgement import Finding, Judgement, Key
from pytest_vfio.sources.bundles.recording import HEADER, dump_recording, load_recording
from tests.golden.matrix import POLICY

BAD = {Outcome.FAIL, Outcome.UNKNOWN, Outcome.BLOCKED}
GOOD = {Outcome.PASS, Outcome.SKIP}


class Told:
    """What is said of a host: its findings, and whether it is ready."""

    def __init__(self, judgement: Judgement) -> None:
        self.name = judgement.hypervisor.name
        self.findings: dict[Key, Finding] = {finding.key: finding for finding in judgement}
        verdict = diagnose(judgement, POLICY.judge(judgement)).verdict
        self.ready = verdict is HostVerdict.READY


def complaints(before: Told, after: Told) -> list[str]:
    """Where less evidence made something look better, or go away."""
    found = []
    for key, was in before.findings.items():
        # A subject that is no longer known is stood in for by the host.
        now = after.findings.get(key) or after.findings.get((was.id, "host", after.name))
        if now is None:
            found.append(f"{key}: {was.outcome} has vanished")
        elif now.key != key and now.outcome in GOOD:
            found.append(f"{key}: {was.outcome} has vanished, and the host says {now.message}")
        elif was.outcome in BAD and now.outcome in GOOD:
            found.append(
                f"{key}: {was.outcome} ({was.message}) became {now.outcome} ({now.message})"
            )
    errors = (one for one in after.findings.values() if one.outcome is Outcome.ERROR)
    found += [f"{one.key}: {one.message}\n{one.actual}" for one in errors]
    if after.ready and not before.ready:
        found.append("the host became ready")
    return found


def changed(evidence: Evidence, item: Item) -> Evidence:
    """The same evidence with another item of that name."""
    return structs.replace(evidence, items=MappingProxyType({**evidence.items, item.name: item}))


def cut(item: Item, size: int) -> Item:
    """An item of which only so many bytes arrived, and that is known."""
    return structs.replace(item, status=Status.TRUNCATED, data=item.data[:size])


def ended(evidence: Evidence, share: float) -> Evidence:
    """What is left of a recording that was cut at some byte behind its first line."""
    whole = dump_recording(evidence, redact=False)
    size = max(int(share * len(whole)), len(HEADER) + 1)
    return load_recording(whole[:size], evidence.host)


def denied(item: Item) -> Item:
    """An item that the user may not read."""
    return structs.replace(item, status=Status.DENIED, data=b"")

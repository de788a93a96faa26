"""Many guests on one restored host: edited, judged once, started one after the other."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.lab import lab
from tests.lab.fault import Intent, Scenario
from tests.lab.hosts import HOSTS
from tests.lab.machine import Machine
from tests.lab.oracle import ground, truth
from tests.lab.oracle.compare import judged, said_of
from tests.lab.oracle.generate import GuestPlay
from tests.lab.oracle.ground import NAME, VIRSH
from tests.lab.oracle.guest import Guest
from tests.lab.oracle.record import Played
from tests.lab.parts import NIC
from tests.lab.row import revision
from tests.lab.suite import judge

SLOT = "oracle"
FOLDER = "/etc/libvirt/qemu"


def play(seed: int, plays: Sequence[GuestPlay]) -> Iterator[Played]:
    """Judge the guests on one host, then ask the host about each.

    Those that libvirt refuses are judged by themselves after the others, which know nothing of them.
    """
    machine, refused = furnished((one.guest.name, one.xml) for one in plays)
    try:
        hosts: dict[str, Any] = {}
        for left in (False, True):
            some = [one for one in plays if (one.guest.name in refused) is left]
            if some and left:
                machine.shell.must(_leave(some), timeout=900)
            if some:
                host = judge(machine, _scenario(seed, some)).host
                hosts |= dict.fromkeys((one.guest.name for one in some), host)
        for one in plays:
            found = truth.ask(machine, one.guest.name, one.guest.cards)
            yield _told(seed, one, hosts[one.guest.name], found)
            if not found.lives:
                machine, _ = furnished((one.guest.name, one.xml) for one in plays)
    finally:
        machine.stop()


def _scenario(seed: int, plays: Sequence[GuestPlay]) -> Scenario:
    wanted = intent(one.guest for one in plays)
    return Scenario(f"oracle-{seed}-{plays[0].number}", NAME, intent=wanted)


def intent(guests: Iterable[Guest]) -> Intent:
    """What the inventory says: each guest has its functions, the card its virtual functions."""
    wanted = tuple((one.name, one.cards) for one in guests)
    return Intent(f'{{address = "{NIC}", vfs = {len(ground.VFS)}}}', wanted)


def furnished(guests: Iterable[tuple[str, str]]) -> tuple[Machine, list[str]]:
    """The host restored, with guests of these names and XML; and the names that libvirt refuses."""
    machine = lab.restore(HOSTS[NAME], slot=SLOT)
    defined = "".join(_define(name, xml) for name, xml in guests)
    return machine, machine.shell.must(ground.RELOAD + defined, timeout=900).split()


def _define(name: str, xml: str) -> str:
    """As ``virsh edit`` would."""
    return (
        f"printf %s {shlex.quote(xml)} >/tmp/{name}.xml\n"
        f"{VIRSH} define /tmp/{name}.xml >/dev/null 2>&1 || echo {name}\nrm /tmp/{name}.xml\n"
    )


def _leave(plays: Iterable[GuestPlay]) -> str:
    """What libvirt refuses stands in its folder, as an editor leaves it, and the daemon reads it."""
    files = "".join(
        f"printf %s {shlex.quote(one.xml)} >{FOLDER}/{one.guest.name}.xml\n" for one in plays
    )
    return f"{files}systemctl restart libvirtd\n"


def _told(seed: int, play_: GuestPlay, host: Any, found: truth.Truth) -> Played:
    said = said_of(host, play_.guest.name, play_.guest.cards)
    edits = play_.edits
    names = tuple(name for edit in edits for name in edit.names)
    return Played(
        seed,
        play_.number,
        "guest",
        tuple(edit.kind for edit in edits),
        edits[0].blind,
        tuple(edit.what for edit in edits),
        names,
        found.works,
        found.lives,
        found.said,
        said.sentence,
        f"{said.cause}: {said.words}" if said.cause else "",
        host["verdict"],
        judged(said, found, names),
        revision=revision(),
        seconds=found.seconds,
    )

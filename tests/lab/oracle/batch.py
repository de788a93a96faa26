"""Many guests on one restored host: edited, judged once, started one after the other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from shlex import quote
from typing import Any

from tests.lab import lab
from tests.lab.fault import Intent, Scenario
from tests.lab.hosts import HOSTS
from tests.lab.machine import Machine
from tests.lab.oracle import cure, ground, truth
from tests.lab.oracle.compare import Said, judged, said_of
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
        curable: list[tuple[GuestPlay, Said, Played]] = []
        for one in plays:
            found = truth.ask(machine, one.guest.name, one.guest.cards)
            said = said_of(hosts[one.guest.name], one.guest.name, one.guest.cards)
            played = _told(seed, one, hosts[one.guest.name], said, found)
            if not found.lives:
                machine, _ = furnished((one.guest.name, one.xml) for one in plays)
            if found.works or not cure.commands(said.fix):
                yield played
            else:
                curable.append((one, said, played))
        for one, said, played in curable:  # last: they change the host
            result = cure.tried(machine, said.fix or {}, one.guest.name, one.guest.cards)
            yield replace(played, cure=result)
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
    guests = list(guests)
    files = "".join(f"printf %s {quote(xml)} >/tmp/{name}.xml\n" for name, xml in guests)
    lines = "".join(f"define /tmp/{name}.xml\n" for name, _ in guests)
    script = (
        f"{ground.RELOAD}{files}printf %s {quote(lines)} | {VIRSH} 2>&1 || true\nrm /tmp/g*.xml"
    )
    said = machine.shell.must(script, timeout=900)
    return machine, [name for name, _ in guests if f"from /tmp/{name}.xml" not in said]


def _leave(plays: Iterable[GuestPlay]) -> str:
    """What libvirt refuses stands in its folder, as an editor leaves it, and the daemon reads it."""
    files = "".join(f"printf %s {quote(one.xml)} >{FOLDER}/{one.guest.name}.xml\n" for one in plays)
    return f"{files}systemctl restart libvirtd\n"


def _told(seed: int, play_: GuestPlay, host: Any, said: Said, found: truth.Truth) -> Played:
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

"""Many guests on one restored host: edited, judged once, started one after the other."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote

from tests.lab import cache, lab
from tests.lab.fault import Intent, Scenario
from tests.lab.hosts import HOSTS
from tests.lab.machine import Machine
from tests.lab.oracle import cure, ground, truth
from tests.lab.oracle.compare import Json, part
from tests.lab.oracle.generate import GuestPlay
from tests.lab.oracle.ground import NAME, VIRSH
from tests.lab.oracle.guest import Guest
from tests.lab.oracle.record import Played
from tests.lab.parts import NIC
from tests.lab.row import revision
from tests.lab.suite import judge, recording

SLOT = "oracle"
FOLDER = "/etc/libvirt/qemu"


def play(seed: int, plays: Sequence[GuestPlay]) -> Iterator[Played]:
    """Judge the guests on one host, then ask the host about each.

    Those that libvirt refuses stand in its folder for a while, judged by themselves: the others have
    nothing to do with them.
    """
    machine, rejected = furnished((one.guest.name, one.xml) for one in plays)
    try:
        taken = [one for one in plays if one.guest.name not in rejected]
        left = [one for one in plays if one.guest.name in rejected]
        host = _judged(machine, seed, taken)
        if left:
            machine.shell.must(_leave(left), timeout=900)
            broken = _judged(machine, seed, left)
            for one in left:
                found = truth.ask(machine, one.guest.name, one.guest.cards)
                yield _told(seed, one, left[0].number, broken, found)
            machine.shell.must(_take_away(left), timeout=900)
        curable: list[Played] = []
        for one in taken:
            found = truth.ask(machine, one.guest.name, one.guest.cards)
            played = _told(seed, one, taken[0].number, host, found)
            if not found.lives:
                machine, _ = furnished((one.guest.name, one.xml) for one in taken)
            if played.works or not cure.commands(played.worst.said.fix):
                yield played
            else:
                curable.append(played)
        for played in curable:  # last: they change the host
            yield replace(played, cure=cure.tried(machine, played.worst))
    finally:
        machine.stop()


def read(seed: int, plays: Sequence[GuestPlay]) -> dict[int, Json]:
    """Judge the guests once more, by what the probe reads now; the host is asked nothing."""
    machine, rejected = furnished((one.guest.name, one.xml) for one in plays)
    try:
        taken = [one for one in plays if one.guest.name not in rejected]
        left = [one for one in plays if one.guest.name in rejected]
        hosts = dict.fromkeys((one.number for one in taken), _judged(machine, seed, taken))
        if left:
            machine.shell.must(_leave(left), timeout=900)
        return hosts | dict.fromkeys((one.number for one in left), _judged(machine, seed, left))
    finally:
        machine.stop()


def _judged(machine: Machine, seed: int, plays: Sequence[GuestPlay]) -> Json:
    if not plays:
        return {}
    made = scenario(_name(seed, plays[0].number), [one.guest for one in plays])
    return judge(machine, made).host


def _name(seed: int, number: int) -> str:
    return f"oracle-{seed}-{number}"


def scenario(name: str, guests: Sequence[Guest]) -> Scenario:
    """What is judged; the inventory stays beside the recording."""
    made = Scenario(name, NAME, intent=intent(guests))
    inventory(name).write_text(made.intent.toml(name, bundle=recording(made).name))
    return made


def inventory(name: str) -> Path:
    """What a recorded host is for, as a file beside the recording."""
    return cache.folder("recordings") / f"{name}.toml"


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
    return machine, refused(said)


def refused(said: str) -> list[str]:
    """The guests that virsh could not define; quiet, it says nothing of the others."""
    return re.findall(r"Failed to define domain from /tmp/(\w+)\.xml", said)


def _leave(plays: Iterable[GuestPlay]) -> str:
    """What libvirt refuses stands in its folder, as an editor leaves it, and the daemon reads it."""
    files = "".join(f"printf %s {quote(one.xml)} >{FOLDER}/{one.guest.name}.xml\n" for one in plays)
    return f"{files}systemctl restart libvirtd\n"


def _take_away(plays: Iterable[GuestPlay]) -> str:
    files = " ".join(f"{FOLDER}/{one.guest.name}.xml" for one in plays)
    return f"rm {files}\nsystemctl restart libvirtd\n"


def _told(seed: int, play_: GuestPlay, first: int, host: Json, found: truth.Truth) -> Played:
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
        (part(host, play_.guest.name, play_.guest.cards, found, names),),
        host["verdict"],
        revision(),
        _name(seed, first),
    )

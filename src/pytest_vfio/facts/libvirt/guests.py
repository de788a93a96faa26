"""The guests of a host: each domain as it runs, as it is stored, and whether it starts by itself.

Two ways lead to each, and either is conclusive: what `virsh` printed, and libvirt's own files
(`/etc/libvirt/qemu` for what is stored, `/run/libvirt/qemu` for what runs; QEMU guests go on
running without the daemon). A domain file that somebody pasted (`domain/xml`) says neither that a
guest runs nor that there are no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Quote, Status
from pytest_vfio.facts.tristate import require
from pytest_vfio.parse import domainxml, hostdevs, xmltext
from pytest_vfio.parse.domainxml import DomainXml
from pytest_vfio.parse.hostdevs import Hostdev

LIST = "virsh/list"
LIVE = "virsh/dumpxml"
STORED = "virsh/dumpxml-inactive"
AUTOSTART = "virsh/list-autostart"
LOOSE = "domain/xml"
STORED_FOLDER = "etc/libvirt/qemu/"
AUTOSTART_FOLDER = "etc/libvirt/qemu/autostart/"
RUN_FOLDER = "run/libvirt/qemu/"

_STATES = "running|idle|paused|in shutdown|shut off|crashed|pmsuspended|no state|dying"
_LISTED = re.compile(rf"\s*(\d+|-)\s+(\S.*?)\s+({_STATES})\s*")
_OFF = ("shut off", "crashed")


class Domain(msgspec.Struct, frozen=True, eq=False):
    """One guest.

    `live` is None while it does not run, `stored` where libvirt keeps no definition of it (a
    transient guest); both are also None where nobody knows: `lacks` tells. `running` and
    `autostart` are None where nobody knows. `state` is libvirt's word (`paused`), as far as known.
    `hostdevs` are those that are known.
    """

    name: str
    uuid: str | None
    live: DomainXml | None
    stored: DomainXml | None
    loose: tuple[DomainXml, ...]
    running: bool | None
    autostart: bool | None
    state: str | None
    hostdevs: tuple[Hostdev, ...]
    quote: Quote
    autostart_quote: Quote
    gaps: Mapping[str, tuple[Lack, ...]]

    def lacks(self, *parts: str) -> tuple[Lack, ...]:
        """What was not read for these to be known: live, stored, running, autostart."""
        return tuple(lack for part in parts for lack in self.gaps.get(part, ()))

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read of its descriptions, live and stored; empty where all is known."""
        return self.lacks("live", "stored")

    @property
    def documents(self) -> tuple[DomainXml, ...]:
        """Every description that is known: live, stored, loose."""
        return tuple(doc for doc in (self.live, self.stored, *self.loose) if doc is not None)

    def hostdev(self, address: str) -> Hostdev | None:
        """Its hostdev with that source address."""
        return next((hostdev for hostdev in self.hostdevs if hostdev.address == address), None)


class Refused(msgspec.Struct, frozen=True):
    """A file of libvirt's folder of which the daemon that runs made no guest: why, and the line."""

    name: str
    why: str
    quote: Quote


class Guests:
    """The guests of one host."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @property
    def known(self) -> tuple[Domain, ...]:
        """The guests that are known, by name, whether or not there may be others."""
        return self._read.domains

    @property
    def refused(self) -> Mapping[str, Refused]:
        """The definitions that libvirt did not take, by the name of their file."""
        return self._read.refused

    @property
    def named(self) -> tuple[Domain, ...]:
        """All guests. Raises Missing unless it is known that there are no others."""
        require(self._read)
        return self._read.domains

    @property
    def domains(self) -> tuple[Domain, ...]:
        """All guests, all of their hostdevs known. Raises Missing."""
        require(self)
        return self._read.domains

    def get(self, name: str) -> Domain | None:
        """The guest of a name. Raises Missing where there may be one that was not read."""
        found = self._read.by_name.get(name)
        if found is None:
            require(self._read)
        return found

    def owner(self, hostdev: Hostdev) -> Domain:
        """The guest that names a hostdev."""
        return self._read.by_name[hostdev.guest]

    def holding(self, address: str) -> tuple[tuple[Domain, Hostdev], ...]:
        """Every known guest with a hostdev of that source address."""
        return self._holders.get(address, ())

    @cached_property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read, so that some guest may have other hostdevs than are known."""
        described = (lack for domain in self._read.domains for lack in domain.lacking)
        return tuple(dict.fromkeys((*self._read.lacking, *described)))

    @cached_property
    def _holders(self) -> Mapping[str, tuple[tuple[Domain, Hostdev], ...]]:
        found: dict[str, tuple[tuple[Domain, Hostdev], ...]] = {}
        for domain in self.known:
            for hostdev in domain.hostdevs:
                if hostdev.address is not None:
                    found[hostdev.address] = (*found.get(hostdev.address, ()), (domain, hostdev))
        return found

    @cached_property
    def _read(self) -> _Reading:
        return _Reading(self._evidence)


class _Part:
    """One source: the documents in it by guest, and what is wrong with it."""

    def __init__(self) -> None:
        self.documents: dict[str, DomainXml] = {}
        self.states: dict[str, str] = {}
        self.names: dict[str, Quote] = {}  # named only: no document could be read
        self.files: dict[str, tuple[DomainXml | None, str, Quote]] = {}
        self.lacking: list[Lack] = []

    def read(self, item: Item) -> None:
        """Take in an item's documents; status files of running guests are a level deeper."""
        found = xmltext.stream(item.text)
        self.lacking.extend(item.unread)  # without virsh there may be guests none the less
        if found.broken and not item.unread:
            self.lacking.append(Lack(item.name, Status.FAILED, found.broken[0]))
        for root in found.documents:
            inner = root.first("domain") if root.tag == "domstatus" else root
            document = None if inner is None else domainxml.parse(inner, item)
            if document is None:
                continue
            self.documents.setdefault(document.name, document)
            if root.tag == "domstatus":
                self.states.setdefault(document.name, root.get("state"))

    def folder(self, evidence: Evidence, folder: str) -> None:
        """Take in the `NAME.xml` of a folder."""
        listing = evidence.item(folder)
        self.lacking.extend(listing.lacking)
        for name in sorted(set(filter(None, listing.text.split("\n")))):
            if not name.endswith(".xml"):
                continue
            before, item = len(self.lacking), evidence.item(folder + name)
            self.read(item)
            self._keep(name.removesuffix(".xml"), item)
            if len(self.lacking) > before:
                self.names.setdefault(name.removesuffix(".xml"), listing.quote(name))

    def _keep(self, name: str, item: Item) -> None:
        """What one file holds: its document, or why it is none."""
        found = xmltext.stream(item.text)
        document = next((d for d in (domainxml.parse(r, item) for r in found.documents) if d), None)
        broken = "".join(found.broken[:1])
        quote = item.quote(broken or f"<name>{document.name if document else ''}</name>")
        if not item.unread:
            self.files[name] = document, broken, quote


class _Reading:
    """All sources of one host's guests, put together."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.printed, self.inactive = _Part(), _Part()
        self.files, self.status, self.loose = _Part(), _Part(), _Part()
        self.printed.read(evidence.item(LIVE))
        self.inactive.read(evidence.item(STORED))
        self.files.folder(evidence, STORED_FOLDER)
        self.status.folder(evidence, RUN_FOLDER)
        self.loose.read(evidence.item(LOOSE))
        self.listed = dict(_table(evidence.item(LIST)))
        self.autostarts = dict(_autostarts(evidence))
        self.refused = dict(self._refused())
        self.domains = tuple(self._domain(name) for name in sorted(self._names()))
        self.by_name = {domain.name: domain for domain in self.domains}

    @cached_property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read, so that there may be other guests; empty where all are known."""
        item = self.evidence.item(LIST)
        stored = min(self.inactive.lacking, self.files.lacking, key=len)
        running = min(self.printed.lacking, self.status.lacking, key=len)
        if not item.unread:
            return ()
        if not (stored or running):  # `virsh dumpxml` may be of running guests only
            return ()
        return (item.lack, *self.printed.lacking, *self.files.lacking, *self.status.lacking)

    def _names(self) -> Iterable[str]:
        parts = (self.printed, self.inactive, self.files, self.status, self.loose)
        names = {name for part in parts for name in (*part.documents, *part.names)}
        taken = names | set(self.listed) | set(self.autostarts)
        return taken - (set(self.refused) - set(self.listed))

    def _refused(self) -> Iterator[tuple[str, Refused]]:
        """While the daemon runs its list is the truth: a file of which it made no guest is refused.

        libvirt names a guest by what stands in the file, and takes each name and UUID once.
        """
        if self.evidence.item(LIST).unread:
            return
        for name, (document, broken, quote) in self.files.files.items():
            if document is None or broken:
                if name not in self.listed:
                    yield (
                        name,
                        Refused(name, f"it is no XML: {broken}" if broken else "no domain", quote),
                    )
            elif document.name not in self.listed:
                why = f"domain type {document.type!r}, or a value that libvirt does not know"
                yield name, Refused(name, why, document.quote("domain"))
            elif document.name != name and f"{document.name}.xml" in self._listing:
                why = f"its name is {document.name}, which another file has"
                yield name, Refused(name, why, document.quote("name"))

    @property
    def _listing(self) -> list[str]:
        return self.evidence.item(STORED_FOLDER).lines

    def _domain(self, name: str) -> Domain:
        printed = self.printed.documents.get(name)
        shown = self.loose.documents.get(name)
        live = next(filter(_is_live, (printed, self.status.documents.get(name), shown)), None)
        off = printed if printed is not None and not _is_live(printed) else None
        stored = self.inactive.documents.get(name) or off or self.files.documents.get(name)
        loose = () if shown is None or _is_live(shown) else (shown,)
        running = self._running(name, live, off)
        gaps = {
            "running": self._running_gap() if running is None else (),
            "live": () if running is False or live is not None else self._running_gap(),
            "stored": () if stored is not None else self._stored_gap(name),
        }
        autostart = self._autostart(name)
        if autostart is None:
            both = (AUTOSTART, AUTOSTART_FOLDER)
            gaps["autostart"] = tuple(self.evidence.item(name).lack for name in both)
        first = live or stored or shown
        return Domain(
            name=name,
            uuid=None if first is None else first.uuid,
            live=live,
            stored=stored,
            loose=loose,
            running=running,
            autostart=autostart,
            state=self._state(name),
            hostdevs=hostdevs.merge(
                () if live is None else live.hostdevs,
                () if stored is None else stored.hostdevs,
                () if not loose else loose[0].hostdevs,
            ),
            quote=self._quote(name, first),
            autostart_quote=self.autostarts.get(name, Quote(AUTOSTART, "", "present")),
            gaps=gaps,
        )

    def _running(self, name: str, live: DomainXml | None, off: DomainXml | None) -> bool | None:
        if live is not None:
            return True
        if name in self.listed:
            return self.listed[name][0] not in _OFF
        if name in self.status.names:
            return True
        if off is not None or not self.printed.lacking or not self.status.lacking:
            return False
        return None

    def _running_gap(self) -> tuple[Lack, ...]:
        return (*self.printed.lacking, *self.status.lacking) or (
            Lack(LIVE, Status.FAILED, detail="does not show every guest"),
        )

    def _stored_gap(self, name: str) -> tuple[Lack, ...]:
        """Nothing where all stored guests were read and this one is not among them: transient."""
        if name not in self.files.names and not (self.inactive.lacking and self.files.lacking):
            return ()
        return (*self.inactive.lacking, *self.files.lacking)

    def _autostart(self, name: str) -> bool | None:
        if name in self.autostarts:
            return True
        listed = self.evidence.item(AUTOSTART)
        if listed.status is Status.PRESENT and listed.whole:
            return False
        return False if self.evidence.item(AUTOSTART_FOLDER).whole else None

    def _state(self, name: str) -> str | None:
        if name in self.listed:
            return self.listed[name][0]
        return self.status.states.get(name)

    def _quote(self, name: str, document: DomainXml | None) -> Quote:
        if name in self.listed:
            return self.listed[name][1]
        if document is not None:
            return document.quote("name")
        named = self.status.names.get(name) or self.files.names.get(name)
        return named or self.autostarts.get(name) or Quote(LIST, name)


def _is_live(document: DomainXml | None) -> bool:
    return document is not None and (
        document.id is not None or document.source.startswith(RUN_FOLDER)
    )


def _table(item: Item) -> Iterator[tuple[str, tuple[str, Quote]]]:
    """(name, (state, line)) of `virsh list --all`; names may hold blanks, states do too."""
    for line in item.text.split("\n"):
        match = _LISTED.fullmatch(line[:1000])
        if match:
            yield match[2], (match[3], item.quote(line.strip()))


def _autostarts(evidence: Evidence) -> Iterator[tuple[str, Quote]]:
    """Names in `virsh list --all --autostart [--name]`, and in the folder of links."""
    item = evidence.item(AUTOSTART)
    lines = item.text.split("\n")
    rows = dict(_table(item))
    table = bool(rows) or any(re.match(r"\s*Id\s+Name\s", line[:200]) for line in lines)
    names = rows if table else filter(None, (line.strip() for line in lines))
    for name in names:
        yield name, rows[name][1] if table else item.quote(name)
    listing = evidence.item(AUTOSTART_FOLDER)
    for line in listing.text.split("\n"):
        if line.endswith(".xml"):
            yield line.removesuffix(".xml"), listing.quote(line)

"""What libvirt says that QEMU and the host can do: `virsh capabilities`.

Follows libvirt's "Driver capabilities XML format". A machine type that is not listed for an
architecture is refused at the guest's start; `<domain type='kvm'/>` is there where /dev/kvm works.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import msgspec
from msgspec.structs import replace

from pytest_vfio.evidence import Evidence, Item, Missing, Quote, Status
from pytest_vfio.parse import xmltext
from pytest_vfio.parse.nodedevs import number
from pytest_vfio.parse.xmltext import Element

ITEM = "virsh/capabilities"


class Emulator(msgspec.Struct, frozen=True):
    """QEMU for one architecture: its program, machine types with the CPUs they take, accelerators."""

    program: str
    machines: Mapping[str, int | None]
    types: frozenset[str]
    quote: Quote


class Capabilities:
    """The capabilities of one host."""

    def __init__(self, evidence: Evidence) -> None:
        self._item: Item = evidence.item(ITEM)

    @cached_property
    def _root(self) -> Element:
        if self._item.status is not Status.PRESENT or not self._item.whole:
            raise Missing(self._item)
        for root in xmltext.stream(self._item.text).documents:
            if root.tag == "capabilities":
                return root
        raise Missing(replace(self._item, status=Status.FAILED, detail="no capabilities in it"))

    @cached_property
    def emulators(self) -> Mapping[str, Emulator]:
        """By architecture. Raises Missing."""
        found: dict[str, Emulator] = {}
        for guest in self._root.all("guest"):
            for arch in guest.all("arch"):
                machines = {m.text: number(m.get("maxCpus")) for m in arch.all("machine")}
                types = frozenset(domain.get("type") for domain in arch.all("domain"))
                quote = self._item.quote(arch.line)
                name = arch.get("name")
                found.setdefault(name, Emulator(arch.at("emulator"), machines, types, quote))
        return found

    @cached_property
    def security(self) -> Mapping[str, Quote]:
        """The security models that libvirt uses. Raises Missing."""
        models = self._root.all("host", "secmodel", "model")
        return {model.text: self._item.quote(model.line) for model in models}

    @cached_property
    def page_sizes(self) -> frozenset[int]:
        """The sizes of pages that the host's CPU can have, in KiB. Raises Missing."""
        sizes = (number(pages.get("size")) for pages in self._root.all("host", "cpu", "pages"))
        return frozenset(size for size in sizes if size is not None)

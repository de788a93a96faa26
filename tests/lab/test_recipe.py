"""What a built disk is called, so that it is built again when it must be, and only then."""

from dataclasses import dataclass, replace

from tests.lab.hosts import HOSTS
from tests.lab.recipe import differing


@dataclass(frozen=True)
class _Old:
    name: str
    words: str = ""


@dataclass(frozen=True)
class _New:
    name: str
    words: str = ""
    cores: int = 2


def test_new_field_at_its_default_leaves_no_trace() -> None:
    """What does not use a new field is called as before."""
    assert differing(_Old("trixie", "quiet")) == differing(_New("trixie", "quiet"))


def test_field_that_is_used_shows() -> None:
    """A value other than the default is part of the name."""
    assert differing(_New("trixie")) != differing(_New("trixie", cores=4))


def test_hardware_is_part_of_the_recipe() -> None:
    """A snapshot fits one set of hardware, so another set is another name, defaults included."""
    host = HOSTS["trixie-intel"]

    assert host.recipe != replace(host, hardware=(*host.hardware, "-device", "VGA")).recipe


def test_no_two_hosts_share_a_name() -> None:
    """Hosts differ in what they are made of."""
    assert len({host.recipe for host in HOSTS.values()}) == len(HOSTS)

"""Frames between a host's NIC and QEMU's network."""

from hypothesis import given
from hypothesis import strategies as st

from tests.lab.trunk import is_tagged, with_tag, without_tag

FRAMES = st.binary(min_size=14, max_size=1514)


@given(FRAMES)
def test_tag_goes_on_and_off(frame: bytes) -> None:
    """A frame that went through the VLAN is the frame that it was."""
    assert is_tagged(with_tag(frame))
    assert frame == without_tag(with_tag(frame))


def test_other_vlans_are_not_ours() -> None:
    """A frame without a tag, or of another VLAN, is not taken for ours; a priority is no matter."""
    addresses, rest = bytes(12), b"\x08\x00data"

    assert not is_tagged(addresses + rest)
    assert not is_tagged(addresses + b"\x81\x00\x00\x0b" + rest)
    assert is_tagged(addresses + b"\x81\x00\xe0\x0a" + rest)

"""Frames between a host's NIC and QEMU's network."""

import socket
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.lab import trunk
from tests.lab.trunk import is_tagged, with_tag, without_tag

FRAMES = st.binary(min_size=14, max_size=1514)
FRAME = bytes(12) + b"\x08\x00data"


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


def _listening(path: Path) -> socket.socket:
    end = socket.socket(socket.AF_UNIX)
    end.bind(str(path))
    end.listen()
    return end


def _through(sender: socket.socket, receiver: socket.socket, frame: bytes) -> bytes:
    sender.sendall(len(frame).to_bytes(4, "big") + frame)
    length = int.from_bytes(receiver.recv(4, socket.MSG_WAITALL), "big")
    return receiver.recv(length, socket.MSG_WAITALL)


def test_port_becomes_a_trunk_when_the_host_speaks_in_its_vlan(tmp_path: Path) -> None:
    """Plain frames pass until the first tagged one; then only what is tagged, and so back."""
    with _listening(tmp_path / trunk.NIC) as near, _listening(tmp_path / trunk.NETWORK) as far:
        switch = threading.Thread(target=trunk.main, args=(tmp_path,))
        switch.start()
        (nic, _), (network, _) = near.accept(), far.accept()
        with nic, network:
            assert FRAME == _through(nic, network, FRAME)
            assert FRAME == _through(network, nic, FRAME)

            assert FRAME == _through(nic, network, with_tag(FRAME))
            assert with_tag(FRAME) == _through(network, nic, FRAME)

            nic.sendall(len(FRAME).to_bytes(4, "big") + FRAME)  # without a tag: dropped
            other = FRAME + b"2"
            assert other == _through(nic, network, with_tag(other))
        switch.join(10)
    assert not switch.is_alive()

"""A switch port that is a VLAN trunk, between a host's NIC and QEMU's own network.

QEMU's network knows no tags.  Until the host first speaks in the VLAN, the port is the plain one
that it was installed behind; from then on only tagged frames reach the network, and what comes
back is tagged.  The process ends when QEMU does.  Frames: IEEE 802.1Q; on the sockets each
stands behind its length, four octets, big-endian (QEMU's ``-netdev stream``).
"""

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

VLAN = 10
NIC, NETWORK = ENDS = ("nic.sock", "network.sock")
"""QEMU's ends, in the machine's folder."""
_ADDRESSES = 12
_TAG = b"\x81\x00" + VLAN.to_bytes(2, "big")


def main(folder: Path) -> None:
    """Carry frames both ways until one side closes."""
    nic, network = (_connected(folder / name) for name in ENDS)
    spoken = threading.Event()
    threading.Thread(target=_inwards, args=(network, nic, spoken), daemon=True).start()
    _outwards(nic, network, spoken)


def _outwards(nic: socket.socket, network: socket.socket, spoken: threading.Event) -> None:
    for frame in _frames(nic):
        if is_tagged(frame):
            spoken.set()
            _send(network, without_tag(frame))
        elif not spoken.is_set():
            _send(network, frame)


def _inwards(network: socket.socket, nic: socket.socket, spoken: threading.Event) -> None:
    for frame in _frames(network):
        _send(nic, with_tag(frame) if spoken.is_set() else frame)


def is_tagged(frame: bytes) -> bool:
    """Whether an Ethernet frame is of our VLAN, whatever its priority."""
    place = frame[_ADDRESSES : _ADDRESSES + len(_TAG)]
    return place[:2] == _TAG[:2] and int.from_bytes(place[2:], "big") & 0xFFF == VLAN


def with_tag(frame: bytes) -> bytes:
    """The frame in our VLAN."""
    return frame[:_ADDRESSES] + _TAG + frame[_ADDRESSES:]


def without_tag(frame: bytes) -> bytes:
    """A tagged frame as those outside the VLAN see it."""
    return frame[:_ADDRESSES] + frame[_ADDRESSES + len(_TAG) :]


def _frames(end: socket.socket) -> Iterator[bytes]:
    with end.makefile("rb") as stream:
        while length := stream.read(4):
            yield stream.read(int.from_bytes(length, "big"))


def _send(end: socket.socket, frame: bytes) -> None:
    end.sendall(len(frame).to_bytes(4, "big") + frame)


def _connected(path: Path) -> socket.socket:
    end = socket.socket(socket.AF_UNIX)
    end.connect(str(path))
    return end


if __name__ == "__main__":
    main(Path(sys.argv[1]))

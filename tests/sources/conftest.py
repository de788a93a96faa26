"""A real sshd for whoever asks for it."""

from tests.hosts.sshd import sshd

__all__ = ["sshd"]

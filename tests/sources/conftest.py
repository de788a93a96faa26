"""A real sshd for whoever asks for it."""

from tests.sshd import sshd

__all__ = ["sshd"]

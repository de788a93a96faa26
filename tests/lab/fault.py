"""What a scenario of the lab is: a host, what is done to it, and what must be said about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Intent:
    """What the host is for, as the inventory says it."""

    devices: str = '"0000:01:00.0"'
    """Elements of the ``devices`` list, in TOML; the igb card unless said otherwise."""
    guests: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def toml(self, host: str, bundle: str = "") -> str:
        """The inventory that the suite is given, of a running host or of a recorded one."""
        lines = [f"[hosts.{host}]", *([f'bundle = "{bundle}"'] if bundle else [])]
        lines.append(f"devices = [{self.devices}]")
        for guest, hostdevs in self.guests:
            listed = ", ".join(f'"{address}"' for address in hostdevs)
            lines += [f"[hosts.{host}.guests.{guest}]", f"hostdevs = [{listed}]"]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Scenario:
    """One state of one host, reached from its snapshot."""

    name: str
    host: str
    inject: str = ""
    reboot: bool = False
    after: str = ""
    """Shell run after the reboot."""
    inside: tuple[str, ...] = ()
    """Devices that the guest g1 must show on its console, as ``nested`` prints them."""
    intent: Intent = Intent()
    account: str = "root"
    smoke: bool = False
    """Whether the short run that CI has time for includes it."""
    witness: bool = False
    """Whether the host's state is compared before and after; always in the short run."""


@dataclass(frozen=True)
class Fault(Scenario):
    """A host broken in one way."""

    refs: tuple[str, ...] = ()
    """Entries of the failure catalogue, any of which is the right first cause; a check's id where
    the catalogue has no entry."""
    gates: bool = True
    """Whether it is a blocker or a security finding; else it must be found and must not gate."""
    also: tuple[str, ...] = ()
    """Entries that truly hold as well and may gate beside it; whatever else gates is noise."""
    quiet: tuple[str, ...] = ()
    """Entries that must not even be reported: consequences told as causes, old myths."""


@dataclass(frozen=True)
class Healthy(Scenario):
    """A host set up rightly in one of many ways: no blocker and no security finding."""

    unknown: bool = False
    """Whether this account may not see enough for more than *cannot tell*."""

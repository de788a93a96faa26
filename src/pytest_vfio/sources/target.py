"""Which host is to be read, and by what way: from a word on the command line to a `Target`."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from pytest_vfio.sources.errors import TargetError
from pytest_vfio.sources.table import item_name


class Target(msgspec.Struct, frozen=True):
    """One host to be read. `kind` is local, ssh, testinfra, libvirt or bundle.

    `spec` is what that source needs: for ssh(1) an alias or `user@host`, for testinfra its host
    spec, for libvirt a URI, for a bundle its path.
    """

    name: str
    kind: str
    spec: str = ""
    sudo: bool = False
    sudo_user: str | None = None
    ssh_config: str | None = None
    ssh_identity: str | None = None
    port: int | None = None
    ansible_inventory: str | None = None


class Unreachable(msgspec.Struct, frozen=True):
    """Of this host nothing could be read.

    `reason` is one line in words; `kind` is unreachable, unresolved, host-key, denied, timeout,
    no-shell, failed or bundle.
    """

    host: str
    reason: str
    kind: str
    seconds: float = 0.0


# testinfra's names for ways that OpenSSH goes for us, with the user's own ssh_config
_SSH_SCHEMES = frozenset({"ssh", "safe-ssh", "paramiko"})
_TESTINFRA_SCHEMES = frozenset(
    {"ansible", "chroot", "docker", "kubectl", "lxc", "openshift", "podman", "salt", "winrm"}
)
_BUNDLE_SUFFIX = re.compile(
    r"\.(?:txt|log|vfio|sosreport|tar|tgz|txz|tbz2?|gz|xz|bz2|zst)$", re.IGNORECASE
)


def target(
    name: str,
    connection: str = "",
    *,
    sudo: bool = False,
    sudo_user: str | None = None,
    ssh_config: str | None = None,
    ssh_identity: str | None = None,
    ansible_inventory: str | None = None,
) -> Target:
    """The host `name`, reached by `connection`, which is `name` itself where it is empty.

    `local` is this machine; a bare word or `user@host` goes to OpenSSH as it is; `scheme://` is
    testinfra's notation. Raises TargetError.
    """
    spec = connection or name
    _acceptable(name, "host name")
    _acceptable(spec, "connection")
    common = {"sudo": sudo, "sudo_user": sudo_user, "ssh_config": ssh_config}
    if spec in {"local", "local://"}:
        return Target(_bare(name), "local", **common)  # type: ignore[arg-type]
    scheme, mark, rest = spec.partition("://")
    if not mark:
        return Target(name, "ssh", spec, ssh_identity=ssh_identity, **common)  # type: ignore[arg-type]
    scheme = scheme.lower()
    if scheme in _SSH_SCHEMES:
        host, port = _ssh_spec(rest, spec)
        given = name if "://" not in name else host
        return Target(given, "ssh", host, port=port, ssh_identity=ssh_identity, **common)  # type: ignore[arg-type]
    if scheme in _TESTINFRA_SCHEMES:
        return Target(
            name,
            "testinfra",
            spec,
            ssh_identity=ssh_identity,
            ansible_inventory=ansible_inventory,
            **common,  # type: ignore[arg-type]
        )
    raise TargetError(
        f"{spec!r}: unknown connection {scheme!r}: give local, an OpenSSH alias, user@host, or one "
        f"of {', '.join(f'{one}://' for one in sorted(_SSH_SCHEMES | _TESTINFRA_SCHEMES))}"
    )


def libvirt_target(uri: str, name: str = "") -> Target:
    """A host that is read by libvirt's API alone. Raises TargetError."""
    _acceptable(uri, "libvirt URI")
    scheme, mark, _ = uri.partition(":")
    if not mark or not scheme:
        raise TargetError(f"{uri!r} is no libvirt URI, such as qemu+ssh://root@host/system")
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError as error:
        raise TargetError(f"{uri!r} is no libvirt URI: {error}") from error
    path = parts.path.strip("/").replace("/", "-")
    return Target(name or host or "-".join(filter(None, (scheme, path))), "libvirt", uri)


def bundle_target(path: str | Path, name: str = "") -> Target:
    """A recorded host. Its name is the last part of the path, without an archive's suffixes."""
    if not str(path):
        raise TargetError("the path of a bundle is empty")
    if not name:
        name = Path(path).name or Path(path).resolve().name
        while (shorter := _BUNDLE_SUFFIX.sub("", name)) != name and shorter:
            name = shorter
        name = item_name(name)
    _acceptable(name, "host name")
    return Target(name, "bundle", str(path))


def _acceptable(word: str, what: str) -> None:
    if not word:
        raise TargetError(f"the {what} is empty")
    if word.startswith("-"):
        raise TargetError(f"{what} {word!r} begins with a dash: ssh would take it for an option")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in word):
        raise TargetError(f"{what} {word!r} contains a control character")


def _bare(name: str) -> str:
    return "local" if name == "local://" else name


def _ssh_spec(rest: str, spec: str) -> tuple[str, int | None]:
    """`user@host:port` -> what ssh(1) gets, and the port. testinfra's query part is left out."""
    rest = rest.partition("?")[0].rstrip("/")
    user, at, place = rest.rpartition("@")
    if user.count(":"):
        raise TargetError(f"{place!r}: no password can be given with a name: use a key or an agent")
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TargetError(f"{spec!r}: {error}") from error
    if not host:
        raise TargetError(f"{spec!r} names no host")
    # urlsplit folds the case, but an alias in ssh_config keeps it
    host = place[1 : place.index("]")] if place.startswith("[") else place.partition(":")[0]
    found = f"{user}{at}{host}"
    _acceptable(found, "host name")
    _acceptable(host, "host name")
    return found, port

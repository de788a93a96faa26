"""Builds sosreports for tests: as a folder or as an archive."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

TOP = "sosreport-box-2026-11-22-abcdefg"
LIST = "sos_commands/virsh/virsh_-r_list_--all"
DUMP = "sos_commands/virsh/virsh_-r_dumpxml_"
DMESG = "sos_commands/kernel/dmesg"
UNAME = "sos_commands/kernel/uname_-a"


def table(**guests: str) -> str:
    """What `virsh list --all` prints."""
    rows = (
        f" {'-' if state == 'shut off' else 1}   {name}   {state}" for name, state in guests.items()
    )
    return "\n".join([" Id   Name   State", "-" * 20, *rows, ""])


def domain(name: str, *, live: bool = False) -> str:
    """A domain's document."""
    number = " id='1'" if live else ""
    return f"<domain type='kvm'{number}><name>{name}</name><uuid>u-{name}</uuid></domain>\n"


def manifest(
    commands: dict[str, dict] | None = None,
    files: dict[str, list[str]] | None = None,
    cmdline: str = "report --batch",
) -> str:
    """sos 4's word about its run: outputs with what became of them, and what was copied."""
    plugin = {
        "commands": [
            {"filepath": path, "exec": path.rpartition("/")[2].replace("_", " "), **said}
            for path, said in (commands or {}).items()
        ],
        "files": [
            {"specification": spec, "files_copied": copied, "tags": []}
            for spec, copied in (files or {}).items()
        ],
    }
    return json.dumps({"cmdline": cmdline, "components": {"report": {"plugins": {"all": plugin}}}})


def folder(at: Path, files: dict[str, str | bytes], links: dict[str, str] | None = None) -> Path:
    """An unpacked report."""
    top = at / TOP
    (top / "sos_commands").mkdir(parents=True)
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    for name, target in (links or {}).items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return top


def member(name: str, content: bytes = b"", **how) -> tuple[tarfile.TarInfo, bytes]:
    """One member of an archive, of whatever kind."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in how.items():
        setattr(info, key, value)
    return info, content


def archive(at: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:xz") -> Path:
    """An archive of exactly these members, after one that makes it a sosreport."""
    path = at / "box.tar.xz"
    with tarfile.open(path, mode) as made:
        for info, content in (member(f"{TOP}/{UNAME}", b"Linux box 6.1.0-1 x\n"), *members):
            made.addfile(info, io.BytesIO(content))
    return path

"""Blackens what a kept recording must not hold: passwords, their hashes, keys, tokens.

Only values go, and what stands around them stays: a check that reads the item sees the same
structure. Configuration bytes, tables and listings are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from pytest_vfio.evidence import Item
from pytest_vfio.sources.items import row_of

BLACK = b"REDACTED"
_New = bytes | Callable[[re.Match[bytes]], bytes]


def _quoted(found: re.Match[bytes]) -> bytes:
    """NAME=VALUE without the value, in the same quotes."""
    quote = found[0][len(found[1]) :][:1]
    return found[1] + (quote + BLACK + quote if quote in {b"'", b'"'} else BLACK)


_WORD = rb"[^\s\"'<>&;,|]{1,4096}"
_RULES: tuple[tuple[re.Pattern[bytes], _New], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), new)
    for pattern, new in (
        # libvirt: secrets in status XML, cookies, base64 keys of migration and disks
        (
            rb"(<(?:masterKey|secret|cookie|password|auth_?key)\b[^<>]{0,1000}(?<!/)>)[^<\n]{1,65536}(<)",
            rb"\1%s\2" % BLACK,
        ),
        # grub.cfg: password_pbkdf2 USER grub.pbkdf2.sha512..., password USER WORD
        (rb"(\bgrub\.pbkdf2\.sha\d{1,4}\.)[0-9a-f.]{1,8192}", rb"\1%s" % BLACK),
        (rb"(^[ \t]*password(?:_pbkdf2)?[ \t]+\S{1,256}[ \t]+)\S[^\n]*", rb"\1%s" % BLACK),
        # NAME=VALUE on command lines, in libvirt's XML (passwd='...'), in queries of URLs
        (
            rb"((?:(?<=[\s\"'&?;,.{(-])|^)[a-z0-9_.-]{0,64}"
            rb"(?:passw(?:or)?d|passphrase|secret(?:[_-]?key)?|token|psk|credentials?"
            rb"|(?:api|access|private|luks)[_-]?key)[0-9_]{0,4}=)"
            rb"(?:'[^'\n]{0,4096}'|\"[^\"\n]{0,4096}\"|" + _WORD + rb")",
            _quoted,
        ),
        # "token": "..." in JSON, token: ... in YAML
        (
            rb"(\"[\w-]{0,64}(?:passw(?:or)?d|secret|token|_key)\" ?: ?\")[^\"\n]{1,4096}(\")",
            rb"\1%s\2" % BLACK,
        ),
        # scheme://user:password@host
        (rb"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,256}:)[^\s/@]{1,1024}(@)", rb"\1%s\2" % BLACK),
        # Authorization: Bearer ...
        (rb"(\b(?:bearer|basic)[ \t]+)[a-z0-9+/._~-]{16,4096}=*", rb"\1%s" % BLACK),
        # crypt(3) hashes
        (rb"\$(?:1|2[abxy]|5|6|7|y|gy)\$[./a-z0-9$=,]{8,512}", BLACK),
        # tokens that tell themselves apart
        (rb"\b(?:gh[pousr]_[a-z0-9]{20,255}|glpat-[a-z0-9_-]{20,64}|AKIA[A-Z0-9]{16})\b", BLACK),
        (
            rb"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?:[^-]|-(?!----)){1,65536}",
            rb"\1%s" % BLACK,
        ),
        # iSCSI boot: netroot=iscsi:user:secret@host
        (rb"(\bnetroot=iscsi:)[^\s@]{1,512}(@)", rb"\1%s\2" % BLACK),
    )
)


def redacted(item: Item) -> Item:
    """The same item without secrets."""
    row = row_of(item.name)
    if not item.data or (row is not None and not row.secrets) or b"\0" in item.data[:4096]:
        return item
    data = item.data
    for pattern, new in _RULES:
        data = pattern.sub(new, data)
    return item if data == item.data else replace(item, data=data)

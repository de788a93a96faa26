"""Items as a kept recording may hold them: without secrets.

Bytes of hardware and names of files are not touched, as the table of items says.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from pytest_vfio.evidence import Item
from pytest_vfio.redaction import BLACK, blackened
from pytest_vfio.sources.table import row_of

#: A setting that takes the rest of its line, blanks and all; a command line has more words on it.
_SETTING = re.compile(
    rb"(^[ \t]{0,64}(?:[\w.-]{0,64}(?:passw(?:or)?d|passphrase|secret|psk|token)|"
    rb"(?:private|preshared)key|key)[ \t]{0,8}=[ \t]{0,8})(?![ \t\"'])[^\n]{1,4096}",
    re.IGNORECASE | re.MULTILINE,
)


def redacted(item: Item) -> Item:
    """The same item without secrets."""
    row = row_of(item.name)
    if not item.data or (row is not None and not row.secrets) or b"\0" in item.data[:4096]:
        return item
    data = item.data
    if item.name.startswith("etc/") and not item.name.endswith("cmdline"):
        data = _SETTING.sub(rb"\1%s" % BLACK, data)
    data = blackened(data)
    return item if data == item.data else replace(item, data=data)

"""The table of known messages: what kernel, QEMU, libvirt and others say, and what it means.

A known message is evidence on its own: it names a device, a group or a guest, and says that
somebody wants it passed through. Three questions are asked of the table, all pure and fast:

- `recognise(lines)`: which known messages stand in these lines? Lines may be indented, quoted,
  stamped in any style, or inside escaped JSON. Each `Message` has its `row`, what it names
  (`device`, `group`, `guest`, `names`), the raw `line` and its `index`.
- `standing(messages)`: which of them hold, because no later line takes them back (a later start, a
  reset that ended well), each once.
- `explain(text)`: which rows is a loosely typed text about?

A `Row` knows its meaning, the entries of the failure catalogue it is a sign of, whether it is
harmless (`weight`), what would decide between its causes (`message.commands`, with the names filled
in), what cures it and who acts. A new message is one `Row` in `rows/`, with an example for every
wording; `tests/parse/messages` refuses one without.

To make findings of a log, ask `standing(recognise(lines))`; take the subject from `device`, `group`
or `guest` (a row that names none is about the host); findings of state, where there is state,
explain a message, and a message that is `HARMLESS` is said to be harmless.
"""

from pytest_vfio.parse.messages.likely import explain
from pytest_vfio.parse.messages.recognise import Message, bare, recognise, standing
from pytest_vfio.parse.messages.row import Form, Row, Speaker, Weight
from pytest_vfio.parse.messages.table import BY_ID, ROWS

__all__ = [
    "BY_ID",
    "ROWS",
    "Form",
    "Message",
    "Row",
    "Speaker",
    "Weight",
    "bare",
    "explain",
    "recognise",
    "standing",
]

"""`python -m tests.golden [HOST...]` writes what the checks say now: read the diff."""

from __future__ import annotations

import sys

from tests.golden.digest import digest, digest_file, names
from tests.golden.matrix import file, matrix
from tests.hosts.recorded import bundles

for name in sys.argv[1:] or (*bundles(), *names()):
    target, text = (file, matrix) if name in bundles() else (digest_file, digest)
    target(name).parent.mkdir(exist_ok=True)
    target(name).write_text(text(name))
    print(target(name))

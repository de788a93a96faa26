"""`python -m tests.golden [HOST...]` writes what the checks say now: read the diff."""

from __future__ import annotations

import sys

from tests.golden.matrix import file, matrix
from tests.recorded import bundles

for name in sys.argv[1:] or bundles():
    file(name).write_text(matrix(name))
    print(file(name))

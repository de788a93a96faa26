"""The host is the oracle: random edits by seed, judged by the suite, then asked of the host itself.

A list of faults teaches the suite the list.  Here nobody writes down what is wrong: an edit is made,
and whether the guest starts with its device on a host that lives is seen, not foreseen.
``python -m tests.lab.oracle --seed N --edits M`` plays edits and writes ``docs/oracle.md``.
"""

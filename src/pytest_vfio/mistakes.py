"""What a user got wrong: in what was typed, in the inventory, in a bundle, in a check of one's own.

One parent, so that whoever talks to the user needs to know no more than this: the message is one
line that says what was given, what is wrong with it, and what to type instead.
"""

from __future__ import annotations


class Mistake(Exception):
    """What was given cannot be followed."""

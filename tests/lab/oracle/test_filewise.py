"""Blind edits of files: their text is the host's."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.oracle.bytewise import TEXT_EDITS
from tests.lab.oracle.filewise import (
    BOOT_FILES,
    FILE_EDITS,
    LIVE_FILES,
    THINGS,
    edited,
    file_edit,
    said,
)

CONF = '# user = "root"\n\nuser = "libvirt-qemu"\nmax_files = 4096\n'


@given(st.integers(), st.sampled_from(sorted(TEXT_EDITS)))
def test_a_comment_is_not_worth_an_edit(seed: int, how: str) -> None:
    """What is edited is what somebody reads."""
    assert said(edited(Random(seed), how, CONF)) != said(CONF)


@pytest.mark.parametrize("boot", [True, False])
@given(st.integers(), st.sampled_from(FILE_EDITS))
def test_files_that_matter_there(boot: bool, seed: int, how: str) -> None:
    """Only a mode or a name can be that of a thing which is no text."""
    edit = file_edit(Random(seed), how, boot=boot)

    assert edit.file in (BOOT_FILES if boot else {*LIVE_FILES, *THINGS})
    assert how in {"mode", "name"} or edit.file not in THINGS


def test_what_offers_nothing_stays() -> None:
    """A file of comments alone is left as it is."""
    assert "# one\n" == edited(Random(1), "line deleted", "# one\n")

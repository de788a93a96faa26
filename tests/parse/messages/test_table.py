"""The table of known messages: every row with each of its wordings, alone."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from pytest_vfio.parse.messages import BY_ID, ROWS, Form, Row, Weight, recognise
from tools.failures_page import catalogue

FORMS = [(row, form) for row in ROWS for form in row.forms]
SHORTEST = 5  # letters that a wording must at least have in one piece


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_a_message_alone_is_recognised_as_its_row_and_no_other(row: Row):
    """A line without any other evidence is known for what it is, in each of its wordings."""
    for form in row.forms:
        for example in form.examples:
            assert [message.row.id for message in recognise([example])] == [row.id], example
            assert form.pattern.search(example), "the example belongs to another wording"


def test_every_wording_has_examples_for_each_of_its_alternatives():
    """A wording that nobody has been seen to say is no wording."""
    assert [row.id for row, form in FORMS if not form.examples] == []
    assert [(row.id, unused) for row, form in FORMS if (unused := _unused_alternatives(form))] == []


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_a_row_says_what_it_has_to_say(row: Row):
    """One sentence of meaning; beside what is bad, a cure and what would decide."""
    assert row.means.endswith(".")
    assert all(re.fullmatch(r"F\d{2,3}", ref) for ref in row.refs)
    assert len(row.decide) <= 3
    assert set(row.over) <= set(BY_ID)
    assert row.acts in {"os", "firmware", "libvirt", "guest", "vendor"}
    if row.weight not in {Weight.HARMLESS, Weight.PASSED}:
        assert row.cure
        assert row.decide
        assert row.refs or row.frame


def test_every_entry_that_a_row_names_is_in_the_catalogue():
    """A reader of a report can look it up."""
    known = {ref for titles in catalogue().values() for ref in titles}

    assert {ref for row in ROWS for ref in row.refs} <= known


def test_ids_are_used_once():
    """An id names one row."""
    assert [id for id, count in Counter(row.id for row in ROWS).items() if count > 1] == []


def test_a_wording_has_plain_letters_by_which_it_is_found():
    """A wording without a plain stretch would have to be tried on every line of every log."""
    assert [form.template for _, form in FORMS if len(form.need.literal) < SHORTEST] == []


def _unused_alternatives(form: Form) -> list[str]:
    """Alternatives between which a template chooses, that none of its examples takes."""
    unused = []
    for start, end, choices in _choices(form.template):
        for choice in choices:
            template = f"{form.template[:start]}(?:{choice}){form.template[end:]}"
            if not any(Form(template, ()).pattern.search(example) for example in form.examples):
                unused.append(choice)
    return unused


def _choices(template: str) -> list[tuple[int, int, list[str]]]:
    """Each innermost group of alternatives: where it stands, and what stands in it."""
    groups = re.finditer(r"(?<!\\)\(\?:((?:[^()\\]|\\.)*\|(?:[^()\\]|\\.)*)\)", template)
    return [(found.start(), found.end(), _apart(found[1])) for found in groups]


def _apart(choices: str) -> list[str]:
    return re.split(r"(?<!\\)\|", choices)

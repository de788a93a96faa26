"""A run's result -> `report.html`: one file with everything in it, for people.

Legible and whole where neither style nor script is allowed (Jenkins' default policy for archived
pages): the templates are plain HTML, style and script are extras. Whatever came from a host is
text: harmless characters first (`printable`), then escaped by Jinja2, everywhere alike.
"""

from __future__ import annotations

from functools import cache

import jinja2
from markupsafe import Markup

from pytest_vfio.judge.result import RunResult
from pytest_vfio.printable import printable
from pytest_vfio.report import survey, words
from pytest_vfio.report.html import picture
from pytest_vfio.report.html.view import page


def render(run: RunResult) -> bytes:
    """The whole document."""
    text = _environment().get_template("page.html").render(page=page(run))
    return text.encode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pytest_vfio.report.html", "templates"),
        autoescape=True,
        finalize=_harmless,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "label": words.label,
        "grade": words.grade,
        "verdict": words.verdict,
        "survey_head": survey.HEAD,
        "survey_rows": survey.rows,
        "picture": picture.picture,
        "wide": picture.WIDE,
        "narrow": picture.NARROW,
        "colours": picture.COLOURS,
        "branches": picture.BRANCHES,
        "marks": picture.MARKS,
    }
    return environment


def _harmless(value: object) -> object:
    """What a template is about to print: text made printable, unless a template made it."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

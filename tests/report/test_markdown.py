"""summary.md is read in CI's pages and tickets: short, whole, and harmless."""

from __future__ import annotations

from msgspec import structs

from pytest_vfio.report import markdown
from tests.report import sample


def text(*hosts) -> str:
    return markdown.render(sample.run(*hosts)).decode()


def test_the_headline_counts_the_hosts():
    """What a person wants to know first."""
    assert text().startswith("## 3 of 3 hosts not ready for device assignment\n")
    assert text(sample.unreachable()).startswith("## gone: unreachable for device assignment\n")


def test_each_host_has_a_row():
    """Verdict, first cause and its fix in one line each."""
    rows = [line for line in text().splitlines() if line.startswith("| ")]

    assert [row.split(" | ")[0] for row in rows[2:]] == ["| bmt.example.org", "| healthy", "| gone"]
    assert rows[2].split(" | ")[1] == "not ready"
    assert rows[2].split(" | ")[2].startswith("AAA002 it is ")


def test_steps_can_be_pasted():
    """The commands of a cure stand in a block of their own."""
    told = text(sample.host())
    block = told[told.index("```sh") :].split("```")[1]

    assert "systemctl reboot" in block


def test_words_of_a_host_are_no_markup():
    """No tag, table cell, mention or link comes from a host."""
    host = structs.replace(
        sample.unreachable("evil|<b>@team"), reason="<script>x</script> | [a](http://b) @all `x`"
    )
    told = text(host)

    for harmful in ("<script", "<b>@", "](http", "@team", "@all", "://"):
        assert harmful not in told
    assert all(line.count(" | ") == 3 for line in told.splitlines() if line.startswith("| "))


def test_a_block_cannot_be_closed_by_what_is_in_it():
    """A fence is longer than any run of ticks in the evidence."""
    host = sample.host()
    quote = structs.replace(host.findings[1].evidence[0], line="```` </details> ```")
    finding = structs.replace(host.findings[1], evidence=(quote,))
    findings = tuple(finding if one.id == finding.id else one for one in host.findings)

    assert "   `````\n" in text(structs.replace(host, findings=findings))


def test_it_ends_before_github_drops_it():
    """A summary of too many hosts says how many it leaves out."""
    host = sample.host()
    hosts = [structs.replace(host, name=f"node{number}") for number in range(3000)]
    told = markdown.render(sample.run(*hosts))

    assert len(told) < 1_000_000
    assert b"more hosts: see results.json" in told

"""What libvirt takes of a batch of guests."""

from tests.lab.oracle.batch import refused


def test_a_guest_is_refused_where_virsh_says_so() -> None:
    """virsh -q is silent of the guests that it defined."""
    said = (
        "error: Failed to define domain from /tmp/g3.xml\n"
        "error: XML error: Invalid value for attribute 'tickpolicy'\n\n"
        "error: Failed to define domain from /tmp/g10.xml\n"
    )

    assert ["g3", "g10"] == refused(said)
    assert [] == refused("")

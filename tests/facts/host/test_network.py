"""The network graph: what stands on which interface, and on which PCI function."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Missing, Status
from pytest_vfio.facts.host.network import Network
from pytest_vfio.parse import iproute
from tests.hosts.in_use import NET, NIC, SPARE, SSHD, addresses, host, lines, routes
from tests.hosts.plain import evidence


def network(**changes):
    return Network(evidence(host() | changes))


def paths(**changes):
    return {use.path for use in network(**changes).uses}


def test_a_default_route_leads_through_its_bridge_to_the_card():
    """A route by a bridge stands on the bridge's port."""
    assert f"eth0 -> br0 -> default route -> {NIC}" in paths()


def test_a_live_session_is_a_control_path_by_its_local_address():
    """Where sshd's own socket ends is how the administrator gets in."""
    assert f"eth0 -> br0 -> SSH session from 192.0.2.9 -> {NIC}" in paths()


def test_a_whole_graph_lacks_nothing():
    """Where everything was read and resolved, what is not in use is free."""
    assert () == network().lacking


@pytest.mark.parametrize(
    "name", ["sys/class/net", "ip/addr", "ip/route4", "ip/route6", "sockets/sshd"]
)
@pytest.mark.parametrize("status", [Status.DENIED, Status.NOT_COLLECTED, Status.ABSENT])
def test_each_unread_part_is_lacking(name, status):
    """Without a part of the graph nobody can say that a function is free."""
    assert name in {item.name for item in network(**{name: status}).lacking}


def test_bonds_vlans_and_macvlans_are_followed_down_to_every_card():
    """A VLAN on a bond stands on both of the bond's members."""
    tree = lines(
        "eth0->../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/eth0",
        "eth1->../../devices/pci0000:00/0000:00:1c.0/0000:02:00.1/net/eth1",
        "bond0->../../devices/virtual/net/bond0",
        "bond0/lower_eth0->x",
        "bond0/lower_eth1->x",
        "bond0.5->../../devices/virtual/net/bond0.5",
        "bond0.5/lower_bond0=",
    )
    found = paths(
        **{"sys/class/net": tree, "ip/route4": routes("default dev bond0.5"), "sockets/sshd": ""}
    )

    assert {
        f"eth0 -> bond0 -> bond0.5 -> default route -> {NIC}",
        f"eth1 -> bond0 -> bond0.5 -> default route -> {SPARE}",
    } == found


def test_routes_of_all_tables_count():
    """A default route of a table of its own is a way out as well."""
    table = '[{"dst": "default", "gateway": "198.51.100.1", "dev": "eth1", "table": "77"}]'
    found = network(**{"ip/route4": table, "sockets/sshd": ""})

    assert [f"eth1 -> default route -> {SPARE}"] == [use.path for use in found.uses]
    assert "default via 198.51.100.1 dev eth1 table 77" == found.uses[0].quote.line


def test_a_multipath_route_stands_on_all_of_its_hops():
    """Each next hop of a default route is needed."""
    hops = '[{"dst": "default", "nexthops": [{"dev": "eth0"}, {"dev": "eth1"}]}]'

    assert {NIC, SPARE} == {use.function for use in network(**{"ip/route4": hops}).uses}


def test_unreachable_default_routes_lead_nowhere():
    """The kernel's own `unreachable default dev lo` protects nothing and is no riddle."""
    text = '[{"type": "unreachable", "dst": "default", "dev": "lo", "metric": 4294967295}]'
    found = network(**{"ip/route6": text})

    assert () == found.lacking
    assert {NIC} == {use.function for use in found.uses}


def test_an_open_vswitch_port_stands_on_every_port_of_the_datapath():
    """The kernel does not say which port carries an internal port, so each may."""
    tree = lines(
        "eth0->../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/eth0",
        "eth0/master->../../../../virtual/net/ovs-system",
        "ovs-system->../../devices/virtual/net/ovs-system",
        "br-ex->../../devices/virtual/net/br-ex",
    )
    links = json.dumps(
        [
            {"ifname": "ovs-system", "linkinfo": {"info_kind": "openvswitch"}},
            {"ifname": "br-ex", "linkinfo": {"info_kind": "openvswitch"}},
            {"ifname": "eth0", "master": "ovs-system"},
        ]
    )
    found = network(
        **{
            "sys/class/net": tree, "ip/link": links, "ip/addr": "[]", "sockets/sshd": "",
            "ip/route4": routes("default dev br-ex"),
        }
    )  # fmt: skip

    assert [f"eth0 -> br-ex -> default route -> {NIC}"] == [use.path for use in found.uses]
    assert () == found.lacking


def test_a_tunnel_is_never_taken_for_nothing():
    """Nobody can tell by which card a WireGuard tunnel leaves: unknown, not free."""
    tree = "wg0->../../devices/virtual/net/wg0"
    found = network(
        **{"sys/class/net": tree, "ip/route4": routes("default dev wg0"), "sockets/sshd": ""}
    )

    assert () == found.uses
    assert ["default route goes by wg0, and nothing says by which device"] == [
        item.detail for item in found.lacking
    ]


def test_taps_on_a_bridge_lead_to_guests():
    """The guests' ports on the host's own bridge are no way out of the host."""
    tree = f"""{NET}
vnet0->../../devices/virtual/net/vnet0
veth1->../../devices/virtual/net/veth1
br0/lower_vnet0=
br0/lower_veth1="""
    links = json.dumps(
        [
            {"ifname": "vnet0", "master": "br0", "linkinfo": {"info_kind": "tun"}},
            {"ifname": "veth1", "master": "br0", "linkinfo": {"info_kind": "veth"}},
        ]
    )

    assert () == network(**{"sys/class/net": tree, "ip/link": links}).lacking


def test_a_bridge_is_followed_by_a_veth_pair_into_the_next():
    """Two bridges that a veth pair joins are one way out."""
    tree = f"""{NET}
br1->../../devices/virtual/net/br1
br1/bridge/stp_state=0
ve0->../../devices/virtual/net/ve0
ve1->../../devices/virtual/net/ve1
br1/lower_ve1=
br0/lower_ve0="""
    links = json.dumps(
        [
            {"ifname": "ve0", "link": "ve1", "master": "br0", "linkinfo": {"info_kind": "veth"}},
            {"ifname": "ve1", "link": "ve0", "master": "br1", "linkinfo": {"info_kind": "veth"}},
        ]
    )
    table = routes("default dev br1")
    found = paths(
        **{"sys/class/net": tree, "ip/link": links, "ip/route4": table, "sockets/sshd": ""}
    )

    assert {f"eth0 -> br0 -> ve0 -> ve1 -> br1 -> default route -> {NIC}"} == found


def test_a_tunnel_on_a_bridge_leads_out():
    """A VXLAN port leaves by a card that the graph does not name."""
    tree = f"{NET}\nvx0->../../devices/virtual/net/vx0\nbr0/lower_vx0="
    links = json.dumps([{"ifname": "vx0", "master": "br0", "linkinfo": {"info_kind": "vxlan"}}])

    assert network(**{"sys/class/net": tree, "ip/link": links}).lacking


def test_a_session_on_an_unknown_address_is_lacking():
    """A session whose local address no interface has may come by any."""
    found = network(**{"ip/addr": addresses(eth1="198.51.100.1/24")})

    assert any("which no interface has" in item.detail for item in found.lacking)


@pytest.mark.parametrize("local", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_sessions_on_the_loopback_stand_on_no_card(local):
    """`ssh localhost` protects nothing."""
    line = f'ESTAB 0 0 {local}:22 {local}:50000 users:(("sshd",pid=7,fd=4))'
    found = network(**{"sockets/sshd": line, "ip/route4": "[]"})

    assert () == found.uses
    assert () == found.lacking


@pytest.mark.parametrize(
    ("line", "local"),
    [
        (SSHD, "192.0.2.5"),
        ('0 0 192.0.2.5:22 192.0.2.9:50000 users:(("sshd-session",pid=7,fd=4))', "192.0.2.5"),
        ("ESTAB 0 0 [::ffff:192.0.2.5]:22 [::ffff:192.0.2.9]:50000", "192.0.2.5"),
        ("ESTAB 0 0 [2001:db8::5]:22 [2001:db8::9]:50000", "2001:db8::5"),
        ("ESTAB 0 0 [fe80::5%eth0]:22 [fe80::9%eth0]:50000", "fe80::5"),
    ],
)
def test_sockets_are_read_in_every_form_of_ss(line, local):
    """With and without a state column, mapped, scoped, and with the newer session process."""
    assert [local] == [str(socket.local) for socket in iproute.sockets(line)]


@pytest.mark.parametrize(
    "line",
    [
        'LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))',
        'ESTAB 0 0 192.0.2.5:40000 192.0.2.9:443 users:(("curl",pid=1,fd=3))',
        "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process",
        "",
    ],
)
def test_other_sockets_are_no_sessions(line):
    """Listening sockets, other programs and headers are not control paths."""
    assert () == iproute.sockets(line)


def test_a_cut_list_keeps_what_came_before_the_cut():
    """What was read of a cut list is known, and that it was cut too."""
    found, whole = iproute.elements('[{"dst": "default", "dev": "eth0"}, {"dst": "10.0.0')

    assert [{"dst": "default", "dev": "eth0"}] == found
    assert not whole


def test_text_that_is_no_json_is_lacking():
    """An older `ip` without -j prints plain text: nothing is concluded from it."""
    found = network(**{"ip/route4": "default via 192.0.2.1 dev eth0"})

    assert "ip/route4" in {item.name for item in found.lacking}


def test_the_best_route_of_each_table_reaches_a_server():
    """A storage server is reached by the longest prefix."""
    found = network(**{"ip/route4": routes("default dev br0", "198.51.100.0/24 dev eth1")})

    assert ("eth1",) == found.reaching("198.51.100.7")
    assert ("br0",) == found.reaching("203.0.113.1")
    assert () == found.reaching("not an address")


def test_a_loop_of_interfaces_ends():
    """Hostile trees that point at themselves are followed once."""
    tree = "a->../../devices/virtual/net/a\na/lower_b=\nb->../../devices/virtual/net/b\nb/lower_a="
    found = network(**{"sys/class/net": tree, "ip/route4": routes("default dev a")})

    assert set() == {use.function for use in found.uses if use.purpose == "default route"}
    assert found.lacking


def test_interfaces_need_a_whole_tree():
    """A list of interfaces that may go on is no list."""
    with pytest.raises(Missing):
        _ = network(
            **{"sys/class/net": Item("sys/class/net", Status.TRUNCATED, b"lo->x\n")}
        ).interfaces


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["ifname", "dst", "dev", "linkinfo", "addr_info", "nexthops", "master"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=6).map(json.dumps) | st.text(max_size=200), st.text(max_size=300))
def test_no_input_breaks_the_network(text, other):
    """Whatever stands in the items, the graph is built and answers."""
    found = network(
        **{
            "ip/addr": text, "ip/link": text, "ip/route4": text, "ip/route6": other,
            "sockets/sshd": other, "sys/class/net": other,
        }
    )  # fmt: skip

    assert isinstance(found.uses, tuple)
    assert isinstance(found.lacking, tuple)


@given(st.integers(0, 200))
def test_a_cut_anywhere_never_shows_less_doubt(at):
    """A route list cut at any byte is lacking, save where nothing was cut."""
    text = host()["ip/route4"]
    cut = Item("ip/route4", Status.TRUNCATED, text.encode()[:at])

    assert "ip/route4" in {item.name for item in network(**{"ip/route4": cut}).lacking}


def test_very_deep_json_is_refused():
    """Nesting without end is no list of routes, and no crash."""
    found, whole = iproute.elements("[" + '{"a":' * 100_000)

    assert [] == found
    assert not whole

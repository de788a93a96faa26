"""The picture shows every function of a host once, boxes lie in boxes, and none over another."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_vfio.judge.result import Answer, FactsResult, NodeResult
from pytest_vfio.report.html.layout import Placed, Wanted, place
from pytest_vfio.report.html.picture import NARROW, WIDE, picture
from pytest_vfio.report.html.tree import Branch, Leaf, Tree, functions, grow
from tests.report.html.hosts import facts, function, virtual_functions

PLACES = [f"0000:{bus:02x}:{slot:02x}.0" for bus in range(4) for slot in range(4)]
TILES = {"host", "idle", "vfio", "guest", "none", "port", "to"}
HOSTS = st.lists(
    st.builds(
        function,
        st.sampled_from(PLACES),
        st.sampled_from(["020000", "060400", "060000", "010802"]),
        parent=st.none() | st.sampled_from(PLACES),
        group=st.none() | st.integers(0, 5),
        numa_node=st.none() | st.integers(0, 1),
        driver=st.none() | st.sampled_from(["vfio-pci", "igb"]),
        guest=st.none() | st.sampled_from(["g1", "a guest with a very long name indeed"]),
        physfn=st.none() | st.sampled_from(PLACES[:2]),
        used_by=st.sampled_from([(), ("vda1 -> / -> 0000:00:03.0",)]),
    ),
    unique_by=lambda one: one.address,
).map(lambda devices: facts(*devices))

BOXES = st.recursive(
    st.builds(Wanted, st.uuids(), st.floats(10, 300), st.floats(10, 90)),
    lambda inner: st.builds(Wanted, st.uuids(), st.floats(10, 300), inner=st.lists(inner, min_size=1)),
    max_leaves=30,
)  # fmt: skip


def over(one: Placed, other: Placed) -> bool:
    """Two boxes have more than an edge in common."""
    slack = 1e-6
    return (
        one.x + slack < other.x + other.width
        and other.x + slack < one.x + one.width
        and one.y + slack < other.y + other.height
        and other.y + slack < one.y + one.height
    )


def within(one: Placed, other: Placed) -> bool:
    """One box is inside another."""
    slack = 1e-6
    return (
        other.x - slack <= one.x
        and one.x + one.width <= other.x + other.width + slack
        and other.y - slack <= one.y
        and one.y + one.height <= other.y + other.height + slack
    )


def leaves(tree: Tree) -> list[Leaf]:
    return [tree] if isinstance(tree, Leaf) else [x for one in tree.children for x in leaves(one)]


def lines(host: FactsResult) -> set[str]:
    """What is written in the picture."""
    return {line for one in picture(host, WIDE).shapes for line in one.what.lines}


def branches(tree: Tree) -> list[Branch]:
    if isinstance(tree, Leaf):
        return []
    return [tree, *(one for child in tree.children for one in branches(child))]


@given(HOSTS)
def test_every_function_is_there_once(host: FactsResult):
    """Whatever a host says of its functions, circles among them included."""
    shown = Counter(one.address for tree in grow(host.devices) for one in functions(tree))

    assert shown == Counter(one.address for one in host.devices)


@settings(max_examples=40)
@given(HOSTS)
def test_no_tile_lies_over_another(host: FactsResult):
    """On a desk and on a phone; and nothing is outside the picture."""
    for width in (WIDE, NARROW):
        drawn = picture(host, width)
        tiles = [one for one in drawn.shapes if one.what.style in TILES]
        canvas = Placed(None, 0, 0, drawn.width, drawn.height)

        assert all(within(one, canvas) for one in drawn.shapes)
        assert not [pair for pair in combinations(tiles, 2) if over(*pair)]


@settings(max_examples=50)
@given(st.lists(BOXES, max_size=8))
def test_boxes_lie_in_what_holds_them(boxes: list[Wanted]):
    """What is beside one another has no area in common, what is held is within what holds it."""
    placed, height = place(boxes, 2000)
    at = {one.what: one for one in placed}

    def check(together: list[Wanted], holder: Placed) -> None:
        here = [at[one.what] for one in together]
        assert all(within(one, holder) for one in here)
        assert not any(over(*pair) for pair in combinations(here, 2))
        for one in together:
            check(list(one.inner), at[one.what])

    check(boxes, Placed(None, 0, 0, 2000, height))


def test_alike_virtual_functions_are_one_box():
    """1,024 VFs of one PF, which have each a group of their own and one driver."""
    host = virtual_functions(1024)
    (node,) = grow(host)

    assert [len(leaf.devices) for leaf in leaves(node)] == [1, 1024]
    assert {"1,024 VFs", "of 17:00.0 vfio-pci"} <= lines(facts(*host))


def test_virtual_functions_for_guests_are_apart_from_the_others():
    """What is to be seen of a fold is true of all in it."""
    physical, *virtual = virtual_functions(16)[1:]
    given_away = [replace(one, guest="g1") for one in virtual[:6]]

    (tree,) = grow([physical, *given_away, *virtual[6:]])

    assert sorted(len(leaf.devices) for leaf in leaves(tree)) == [1, 6, 10]


def test_a_group_of_several_is_outlined_once():
    """A bridge that is in the group of what is below it, and both functions there."""
    host = (
        function("0000:00:01.0", "060400", group=1, driver="pcieport"),
        function("0000:01:00.0", group=1, parent="0000:00:01.0"),
        function("0000:01:00.1", group=1, parent="0000:00:01.0"),
        function("0000:00:02.0", group=2),
    )
    (node,) = grow(host)
    outlines = [one for one in branches(node) if one.kind == "group"]

    assert [(one.group, len(functions(one))) for one in outlines] == [(1, 3)]


def test_what_the_host_lives_on_is_never_folded():
    """A VF that carries the host's default route stands by itself, however many others there are."""
    host = virtual_functions(64)
    own = function("0000:18:00.0", physfn="0000:17:00.0", used_by=("eth0 -> default route -> x",))

    (one,) = [leaf for tree in grow((*host, own)) for leaf in leaves(tree) if own in leaf.devices]

    assert one.devices == (own,)
    assert "host: default route" in lines(facts(*host, own))


def test_numa_nodes_are_panels():
    """What hangs below a port of a node belongs to the node; what has none comes last."""
    host = (
        function("0000:ae:00.0"),
        function("0000:80:01.0", numa_node=1),
        function("0000:12:00.0", parent="0000:11:00.0", numa_node=0),
    )

    assert [(tree.name, [one.label for one in functions(tree)]) for tree in grow(host)] == [
        ("0", ["0000:12:00.0"]),
        ("1", ["0000:80:01.0"]),
        ("", ["0000:ae:00.0"]),
    ]


def test_a_node_names_its_socket():
    """What is known of a node stands in its panel's title."""
    host = replace(
        facts(function("0000:80:01.0", numa_node=1), function("0000:00:01.0", numa_node=0)),
        nodes=(NodeResult(1, (1,), 16, 64 << 20),),
    )

    assert {
        "NUMA node 0 \u00b7 root bus 00",
        "NUMA node 1 \u00b7 socket 1 \u00b7 16 CPUs \u00b7 64 GiB \u00b7 root bus 80",
    } <= lines(host)


def test_what_is_wanted_and_not_there_is_shown_so():
    """A device of the inventory that the host does not show has no address."""
    wanted = function("0000:01:00.0", intended=True, assignable=Answer.NO)
    gone = replace(function("8086:1572", intended=True), address=None)

    assert "not on this host" in lines(facts(wanted, gone))


def test_all_that_is_known_is_told_of_a_box():
    """What the eye sees is short; its title has the rest."""
    one = function(
        "0000:01:00.0",
        driver="vfio-pci",
        group=7,
        guest="g1",
        name="Intel 82576",
        reset=("flr",),
        link="5 GT/s x4",
        vfs=8,
    )
    drawn = picture(facts(one), WIDE)
    (told,) = [shape.what.facts for shape in drawn.shapes if shape.what.style == "guest"]

    for known in (one.label, "Intel 82576", "8086:10c9", "group 7", "reset: flr", "5 GT/s x4"):
        assert known in told


def test_a_chain_of_bridges_is_drawn_however_long():
    """A host may tell of hundreds of bridges, one below the other."""
    chain = [
        function(
            f"0000:{bus:02x}:00.0", "060400", parent=f"0000:{bus - 1:02x}:00.0" if bus else None
        )
        for bus in range(250)
    ]

    drawn = picture(facts(*chain), NARROW)
    shown = sorted(one.label for tree in grow(chain) for one in functions(tree))

    assert all(one.width > 0 for one in drawn.shapes)
    assert shown == [one.label for one in chain]

"""The storage graph: what is mounted or swapped to, and the PCI functions below."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Missing, Status
from pytest_vfio.facts.host.blocks import Blocks
from pytest_vfio.facts.host.carrier import descend, functions_in
from pytest_vfio.facts.host.storage import Storage
from tests.hosts.in_use import BLOCK, DISK, MOUNTS, NIC, SPARE, host, lines, routes
from tests.hosts.plain import evidence


def storage(**changes):
    return Storage(evidence(host() | changes))


def paths(**changes):
    return {use.path for use in storage(**changes).uses}


def lacking(**changes):
    return [item.detail or item.name for item in storage(**changes).lacking]


def test_the_root_is_followed_through_lvm_and_luks_to_its_controller():
    """The words of the path name each layer."""
    assert {f"nvme0n1p2 -> LUKS -> LVM -> / -> {DISK}"} == paths()


def test_a_whole_graph_lacks_nothing():
    """Where everything was read and resolved, what is not in use is free."""
    assert [] == lacking()


@pytest.mark.parametrize(
    "name", ["sys/class/block", "proc/self/mountinfo", "proc/swaps", "etc/fstab"]
)
@pytest.mark.parametrize("status", [Status.DENIED, Status.NOT_COLLECTED])
def test_each_unread_part_is_lacking(name, status):
    """Without a part of the graph nobody can say that a function is free."""
    assert name in {item.name for item in storage(**{name: status}).lacking}


def test_a_host_without_swap_or_fstab_is_known():
    """Absent files are knowledge, an absent mount table is not."""
    assert [] == lacking(**{"proc/swaps": None, "etc/fstab": None})
    assert ["proc/self/mountinfo"] == lacking(**{"proc/self/mountinfo": None})


def test_swap_counts():
    """Swap on a partition stands on its controller, swap in a file on the file's mount."""
    swaps = "Filename Type\n/dev/dm-1 partition 8 0 -2\n/swapfile file 8 0 -3"

    assert f"nvme0n1p2 -> LUKS -> LVM -> swap -> {DISK}" in paths(**{"proc/swaps": swaps})


def test_fstab_names_what_will_be_mounted():
    """A file system that is not mounted now, but there, is lived on after the next boot."""
    labels = {
        "blockdevices": [{"name": "nvme0n1", "children": [{"name": "nvme0n1p2", "uuid": "77"}]}]
    }
    fstab = (
        "UUID=77 /data ext4 defaults 0 0\nUUID=88 /gone ext4 nofail 0 0\n/dev/sdz /x ext4 noauto"
    )
    found = paths(**{"etc/fstab": fstab, "lsblk": json.dumps(labels)})

    assert f"nvme0n1p2 -> /data (fstab) -> {DISK}" in found
    assert 2 == len(found)


def test_raid_stands_on_all_members():
    """A mirror is lost with either of its controllers when the other one has failed."""
    tree = lines(
        "sda->../../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda",
        "sdb->../../devices/pci0000:00/0000:05:00.0/host1/target1:0:0/1:0:0:0/block/sdb",
        "md0->../../devices/virtual/block/md0",
        "md0/dev=9:0",
        "md0/slaves/sda=",
        "md0/slaves/sdb=",
    )
    found = paths(
        **{"sys/class/block": tree, "proc/self/mountinfo": "1 0 9:0 / / rw - ext4 /dev/md0 rw"}
    )

    assert {"sda -> RAID md0 -> / -> 0000:00:17.0", "sdb -> RAID md0 -> / -> 0000:05:00.0"} == found


def test_native_nvme_multipath_hides_the_controllers_not_from_us():
    """The head has no PCI parent; its hidden paths have."""
    tree = lines(
        "nvme0n1->../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
        "nvme0n1p1->../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1",
        "nvme0n1p1/dev=259:1",
        "nvme0c0n1->../../devices/pci0000:00/0000:03:00.0/nvme/nvme0/nvme0c0n1",
        "nvme0c1n1->../../devices/pci0000:00/0000:05:00.0/nvme/nvme1/nvme0c1n1",
    )
    mounts = "1 0 259:1 / / rw - ext4 /dev/nvme0n1p1 rw"
    found = storage(**{"sys/class/block": tree, "proc/self/mountinfo": mounts})

    assert {"0000:03:00.0", "0000:05:00.0"} == {use.function for use in found.uses}
    assert () == found.lacking


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (
            "sdc->../../devices/platform/host3/session1/target3:0:0/3:0:0:0/block/sdc",
            "iSCSI session1",
        ),
        ("sdc->../../devices/virtual/nvme-fabrics/ctl/nvme1/sdc", "NVMe over fabrics"),
        ("sdc->../../devices/virtual/block/sdc", "no parent"),
    ],
)
def test_what_comes_over_the_network_is_never_taken_for_nothing(line, detail):
    """A disk without a PCI parent leaves every card in doubt."""
    found = lacking(
        **{
            "sys/class/block": f"{line}\nsdc/dev=8:32",
            "proc/self/mountinfo": "1 0 8:32 / / rw - ext4 /dev/sdc rw",
        }
    )

    assert [f"/ is on sdc ({detail})"] == found


def test_disks_of_the_platform_stand_on_no_pci_function():
    """An eMMC of an ARM board is resolved, and protects nothing."""
    tree = "mmcblk0->../../devices/platform/soc/mmc0/mmc0:0001/block/mmcblk0\nmmcblk0/dev=179:0"
    mounts = "1 0 179:0 / / rw - ext4 /dev/mmcblk0 rw"
    found = storage(**{"sys/class/block": tree, "proc/self/mountinfo": mounts})

    assert () == found.uses
    assert () == found.lacking


def test_the_controller_behind_vmd_protects_vmd_too():
    """Intel VMD carries a PCI domain of its own: both functions are needed."""
    path = (
        "../../devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0/nvme/nvme0"
    )

    assert ("0000:00:0e.0", "10000:e1:00.0") == functions_in(path)


ZFS = f"{MOUNTS}\n40 1 0:44 / /tank rw - zfs rpool/ROOT rw"


def test_a_zfs_pool_stands_on_all_of_its_members():
    """The kernel does not tell a pool's devices; the labels on the disks do."""
    labels = {"blockdevices": [{"name": "nvme0n1p2", "fstype": "zfs_member", "label": "rpool"}]}
    found = paths(**{"proc/self/mountinfo": ZFS, "lsblk": json.dumps(labels)})

    assert f"nvme0n1p2 -> /tank -> {DISK}" in found


@pytest.mark.parametrize("labels", ['{"blockdevices": []}', Status.NOT_COLLECTED, "not JSON"])
def test_a_zfs_pool_of_unknown_members_is_lacking(labels):
    """A pool whose members nobody found may be anywhere."""
    assert any(
        text.startswith("/tank: ")
        for text in lacking(**{"proc/self/mountinfo": ZFS, "lsblk": labels})
    )


def test_all_devices_of_a_btrfs_count():
    """The mount names one device, the others have the same UUID."""
    tree = f"{BLOCK}\nsda->../../devices/pci0000:00/0000:00:17.0/ata1/block/sda\nsda/dev=8:0"
    mounts = "1 0 0:30 / / rw - btrfs /dev/sda rw"
    devices = [{"name": name, "fstype": "btrfs", "uuid": "5"} for name in ("sda", "nvme0n1p2")]
    found = storage(
        **{
            "sys/class/block": tree, "proc/self/mountinfo": mounts,
            "lsblk": json.dumps({"blockdevices": devices}),
        }
    )  # fmt: skip

    assert {"0000:00:17.0", DISK} == {use.function for use in found.uses}


def test_the_device_of_a_btrfs_is_known_without_labels():
    """The one that the mount names is lived on; whether there are others is not known."""
    mounts = "1 0 0:30 / / rw - btrfs /dev/mapper/vg0-root rw"
    found = storage(**{"proc/self/mountinfo": mounts, "lsblk": Status.NOT_COLLECTED})

    assert {DISK} == {use.function for use in found.uses}
    assert found.lacking


def test_a_bcachefs_stands_on_all_that_it_names():
    """The source lists its devices."""
    tree = f"{BLOCK}\nsda->../../devices/pci0000:00/0000:00:17.0/ata1/block/sda"
    mounts = "1 0 0:30 / / rw - bcachefs /dev/sda:/dev/nvme0n1p2 rw"
    found = storage(**{"sys/class/block": tree, "proc/self/mountinfo": mounts})

    assert {"0000:00:17.0", DISK} == {use.function for use in found.uses}
    assert lacking(**{"proc/self/mountinfo": mounts})


def test_fstab_by_uuid_needs_labels():
    """Without lsblk nobody knows which disk a UUID is; what is mounted anyway is known."""
    fstab = "UUID=77 /data ext4 defaults 0 0\nUUID=78 / ext4 defaults 0 0"
    found = lacking(**{"etc/fstab": fstab, "lsblk": Status.NOT_COLLECTED})

    assert ["/data in fstab is on UUID=77: not collected"] == found


def test_a_network_file_system_stands_on_the_card_that_reaches_it():
    """NFS goes by the route to its server."""
    mounts = f"{MOUNTS}\n50 1 0:50 / /vm rw - nfs4 198.51.100.7:/vm rw,addr=198.51.100.7"
    table = routes("default dev br0", "198.51.100.0/24 dev eth1")
    found = paths(**{"proc/self/mountinfo": mounts, "ip/route4": table})

    assert f"eth1 -> /vm (nfs4) -> {SPARE}" in found
    assert not any(path.endswith(NIC) for path in found)


def test_a_network_file_system_without_a_known_server_is_lacking():
    """What comes over the network by an unknown way leaves every card in doubt."""
    mounts = f"{MOUNTS}\n50 1 0:50 / /vm rw - ceph mon1:/ rw"

    assert ["/vm comes over the network, and no route to it is known"] == lacking(
        **{"proc/self/mountinfo": mounts}
    )


def test_a_mount_on_an_unknown_device_is_lacking():
    """A number that no block device has is a device that nobody read."""
    assert ["/ is on 8:1, which is not in it"] == lacking(
        **{"proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/root rw"}
    )


def test_holders_are_what_stands_on_a_device():
    """LUKS holds the partition, LVM holds LUKS."""
    blocks = Blocks(evidence(host()))

    assert ("dm-0",) == blocks.holders("nvme0n1p2")
    assert "LUKS nvme0n1p2_crypt" == blocks.title("dm-0")


def test_members_are_asked_of_a_whole_list_only():
    """A list that may go on does not tell all members."""
    with pytest.raises(Missing):
        Blocks(evidence(host() | {"lsblk": Status.DENIED})).members("zfs_member", label="rpool")


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_input_breaks_the_storage(text, other):
    """Whatever stands in the items, the graph is built and answers."""
    found = storage(
        **{
            "sys/class/block": text, "proc/self/mountinfo": other, "proc/swaps": text,
            "etc/fstab": other, "lsblk": text,
        }
    )  # fmt: skip

    assert isinstance(found.uses, tuple)
    assert isinstance(found.lacking, tuple)


@given(
    st.lists(
        st.sampled_from(["sda", "dm-0", "md0", "nvme0n1", "a\x1b[31m", "..", "x y"]), max_size=8
    ),
    st.lists(st.sampled_from(["sda", "dm-0", "md0", "nvme0n1"]), max_size=8),
)
def test_hostile_slaves_end(uppers, lowers):
    """Loops, odd names and devices that are not there are followed once."""
    lines = [f"{name}->../../devices/virtual/block/{name}\n{name}/dev=8:1" for name in uppers]
    lines += [f"{up}/slaves/{low}=" for up, low in zip(uppers, lowers, strict=False)]
    found = storage(
        **{"sys/class/block": "\n".join(lines), "proc/self/mountinfo": "1 0 8:1 / / rw - ext4 x rw"}
    )

    assert () == found.uses
    assert found.lacking


@given(st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=4), max_size=10))
def test_every_way_down_begins_at_its_node_and_ends_at_the_start(edges):
    """A way names the node first and the start last, and each node is reached once."""
    ways = descend(("0",), lambda name: [str(low) for low in edges.get(int(name), ())])

    assert all(way[0] == name and way[-1] == "0" for name, way in ways.items())

"""libvirt has to run, and to let QEMU open the VFIO nodes."""

from collections.abc import Container, Iterator

from pytest_vfio.check import BLOCKER, Verdict, check, fails, passes, skips
from pytest_vfio.cures import libvirt as libvirt_cures
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.evidence import Missing, Quote, Status
from pytest_vfio.facts.libvirt.daemon import DAEMONS, QEMU_DAEMONS
from pytest_vfio.facts.libvirt.guests import STORED_FOLDER
from pytest_vfio.facts.tristate import known
from pytest_vfio.hypervisor.hypervisor import Hypervisor

#: Of a folder: says not even whether it exists, as a refusal does.
_SILENT = (Status.NOT_COLLECTED, Status.FAILED)


@check("LIB001", severity=BLOCKER)
def test_libvirt_runs_or_its_socket_listens(hypervisor: Hypervisor) -> Verdict:
    """libvirt runs, or its socket listens

    Checks:
        That libvirt answered, or that a daemon that drives QEMU runs, or that its socket listens.
        A daemon that its socket will start is healthy; it was not started, for that starts guests.
    Why it matters:
        Without libvirt nothing detaches devices, sets limits, labels nodes or starts guests.
    Evidence:
        What virsh printed; the running daemons and listening sockets; whether libvirt's folder of
        guests exists, without which guests belong to another program.
    Fix:
        Enable libvirt's sockets.
    Fix safety:
        Manual: the first connection starts guests marked for autostart.
    References:
        libvirt, Monolithic and modular daemons.
    """
    libvirt = hypervisor.libvirt
    if libvirt.answered is not None:
        return passes("libvirt answers", evidence=libvirt.answered)
    item = hypervisor.evidence.item(DAEMONS)
    running = [libvirt.running_daemons[n] for n in QEMU_DAEMONS if n in libvirt.running_daemons]
    waiting = [libvirt.waiting_daemons[n] for n in QEMU_DAEMONS if n in libvirt.waiting_daemons]
    if running:
        return passes("a daemon that drives QEMU runs", evidence=running)
    if waiting:
        return passes("libvirt's socket listens and starts it when needed", evidence=waiting)
    folder = hypervisor.evidence.item(STORED_FOLDER)
    absent = Status.ABSENT in (item.status, folder.status)
    if not hypervisor.declared.guests:
        if absent:
            return skips("libvirt is not installed: guests of other programs are not judged")
        others = libvirt.running_daemons or libvirt.waiting_daemons
        if folder.status in _SILENT and not others:
            raise Missing(folder)  # whether libvirt ought to run here
    state = "is not installed" if absent else "does not run, and no socket listens"
    return fails(
        f"libvirt {state}",
        actual=state,
        expected="virtqemud or libvirtd running, or its socket listening",
        evidence=item.quote("no daemon that drives QEMU"),
        acts="libvirt",
        cure=libvirt_cures.start_daemon(),
    )


@check("LIB002", severity=BLOCKER, needs=["LIB001", "IOM001"], refs=["F141"])
def test_host_passes_libvirt_test_for_passthrough(hypervisor: Hypervisor) -> Verdict:
    """Host passes libvirt's own test for passthrough

    Checks:
        That libvirt's own test holds: some IOMMU group exists, and /dev/vfio/vfio does.
    Why it matters:
        Otherwise libvirt refuses: "host doesn't support passthrough of host PCI devices".
    Evidence:
        /dev/vfio/vfio; <iommu support=> of virsh capabilities; where libvirt did not answer, what it
        looks at.
    Fix:
        Load vfio-pci; where there is no group, the IOMMU is off.
    Fix safety:
        Safe: loading the module touches no device unless ids are set for it.
    References:
        F141; libvirt src/util/virhostdev.c and virHostHasIOMMU.
    """
    node = hypervisor.evidence.item("dev/vfio/vfio")
    if node.status is Status.ABSENT:
        return _no_vfio(hypervisor, "/dev/vfio/vfio does not exist", node.quote("(absent)"))
    said = known(lambda: hypervisor.libvirt.iommu_support)
    if said is not None:  # else libvirt did not answer, and what it looks at is looked at
        supported, quote = said
        if supported:
            return passes("libvirt finds an IOMMU for VFIO", evidence=quote)
        return _no_vfio(hypervisor, "libvirt reports no IOMMU for VFIO", quote)
    if not hypervisor.groups.known and not hypervisor.groups.all:
        return _no_vfio(hypervisor, "there is no IOMMU group", hypervisor.groups.tree.item.quote())
    if node.status is not Status.PRESENT:
        raise Missing(node)
    return passes("there are IOMMU groups and /dev/vfio/vfio", evidence=node.quote(node.text[:200]))


def _no_vfio(hypervisor: Hypervisor, message: str, quote: Quote) -> Verdict:
    return fails(
        f"{message}, so that libvirt refuses to assign devices",
        actual="no support for passthrough",
        expected="an IOMMU group and /dev/vfio/vfio",
        evidence=quote,
        acts="os",
        cure=modprobe_cures.load(hypervisor.evidence, "vfio-pci"),
    )


@check("LIB005", severity=BLOCKER, needs=["LIB001"], refs=["F153"])
def test_qemu_conf_lets_qemu_open_vfio_device_nodes(hypervisor: Hypervisor) -> Verdict:
    """qemu.conf lets QEMU open VFIO device nodes

    Checks:
        That the user in qemu.conf exists, and that dynamic_ownership is on, or QEMU runs as root,
        or a udev rule sets who may open the nodes of VFIO.
    Why it matters:
        /dev/vfio/N belongs to root. Without the change of owner an ordinary QEMU user fails with
        "failed to open /dev/vfio/N: Permission denied".
    Evidence:
        /etc/libvirt/qemu.conf; the default is on; /etc/udev/rules.d; id(1) of the user.
    Fix:
        Remove dynamic_ownership = 0, or give the nodes a group by udev.
    Fix safety:
        Unsafe: it holds for every guest that starts from then on. Can be undone.
    References:
        F153; libvirt src/qemu/qemu.conf.in.
    """
    settings = hypervisor.libvirt.qemu_conf
    owner, user = settings.get("dynamic_ownership"), settings.get("user")
    name = user.values[0] if user is not None and user.values else ""
    users = known(_users, hypervisor)
    if user is not None and name and users is not None and name.lstrip("+") not in users:
        return _no_user(name, user.quote, hypervisor.paths.users_quote)
    if owner is None or owner.values != ("0",):
        return passes(
            "libvirt changes the owner of device nodes", evidence=owner.quote if owner else ()
        )
    if user is not None and name in ("root", "+0", "0"):
        return passes(
            "QEMU runs as root and may open every node", evidence=[owner.quote, user.quote]
        )
    rule = next(_node_rules(hypervisor), None)
    if rule is not None:
        return passes("a udev rule sets who may open the nodes", evidence=[owner.quote, rule])
    return fails(
        f"libvirt leaves /dev/vfio nodes owned by root, and QEMU runs as {name or 'its own user'}",
        actual="dynamic_ownership = 0",
        expected="dynamic_ownership on, QEMU as root, or a udev rule for the nodes",
        evidence=[owner.quote, *([user.quote] if user else [])],
        acts="libvirt",
        cure=libvirt_cures.own_the_node(hypervisor.evidence, hypervisor.libvirt, owner.quote),
    )


def _users(hypervisor: Hypervisor) -> Container[str]:
    return hypervisor.paths.users


def _no_user(name: str, quote: Quote, users: Quote) -> Verdict:
    return fails(
        f"qemu.conf names user {name}, which does not exist",
        actual=f"no user {name}",
        expected="a user of this host",
        evidence=[quote, users],
        acts="libvirt",
        cure=libvirt_cures.existing_user(name),
    )


def _node_rules(hypervisor: Hypervisor) -> Iterator[Quote]:
    """The udev rules that set owner, group or mode of VFIO's nodes."""
    for item in hypervisor.evidence.seen(*hypervisor.evidence.items):
        if item.name.startswith("etc/udev/rules.d/"):
            for line in item.lines:
                of_vfio = "vfio" in line and not line.lstrip().startswith("#")
                if of_vfio and any(f"{word}=" in line for word in ("OWNER", "GROUP", "MODE")):
                    yield item.quote(line.strip()[:400])

"""libvirt: what keeps a guest with a device from starting, moving or letting go of it.

Wordings: src/qemu/qemu_{hotplug,migration}.c, src/util/{virprocess,virnetdev,virhook}.c,
src/network/bridge_driver.c, src/conf/domain_validate.c of libvirt 7.0, 9.0 and 11.3.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, HURTS, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE, STARTED

LIBVIRT = Speaker.LIBVIRT

ROWS = (
    Row(
        "memlock-not-raised",
        LIBVIRT,
        "libvirt may not raise the limit of locked memory of QEMU: it runs without the right to do "
        "so (a container, a session daemon).",
        (
            form(
                r"cannot limit locked memory of process <pid:count> to <bytes:count>:",
                "cannot limit locked memory of process 111 to 9007199254740991: Operation not "
                "permitted",
            ),
            form(
                r"nable to change max memlock limit",
                "Unable to change max memlock limit",
            ),
        ),
        refs=("F148", "F147"),
        decide=("ulimit -l", "grep -i 'max locked' /proc/$(pgrep -o virtqemud)/limits"),
        cure="The capability SYS_RESOURCE, or a limit that is high enough from the start.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "hostdev-twice",
        LIBVIRT,
        "The guest's XML names the same device of the host twice.",
        (
            form(
                r"Hostdev already exists in the domain configuration",
                "XML error: Hostdev already exists in the domain configuration",
            ),
            form(
                r"target device already exists",
                "XML error: target device already exists",
            ),
        ),
        refs=("F143",),
        decide=("virsh dumpxml <guest> | grep -A 6 '<hostdev'",),
        cure="Take one of the two out; often virt-manager added it and an <interface> or a second "
        "<hostdev> has it too.",
        acts="libvirt",
    ),
    Row(
        "migration-blocked",
        LIBVIRT,
        "A guest with a device of the host cannot be migrated or saved.",
        (
            form(
                r"cannot migrate a domain with \<hostdev",
                "Requested operation is not valid: cannot migrate a domain with <hostdev "
                "mode='subsystem' type='pci'>",
            ),
            form(
                r"domain has assigned non-USB host devices",
                "Requested operation is not valid: domain has assigned non-USB host devices",
            ),
            form(
                r"cannot migrate a domain with \<interface type=",
                "cannot migrate a domain with <interface type='hostdev'>",
            ),
        ),
        refs=("F160",),
        weight=HURTS,
        decide=("grep ON_SHUTDOWN /etc/default/libvirt-guests /etc/sysconfig/libvirt-guests",),
        cure="Shut such guests down instead of saving them (ON_SHUTDOWN=shutdown).",
        acts="libvirt",
    ),
    Row(
        "unplug-rejected",
        LIBVIRT,
        "The guest refused to let go of the device.",
        (
            form(
                r"unplug of device was rejected by the guest",
                "operation failed: unplug of device was rejected by the guest",
            ),
            form(
                r"device cannot be detached: device is busy",
                "device cannot be detached: device is busy",
            ),
        ),
        refs=("F162",),
        weight=HURTS,
        decide=("virsh dumpxml <guest> | grep -A 6 '<hostdev'",),
        cure="Unload its driver in the guest, or shut the guest down.",
        acts="guest",
    ),
    Row(
        "unplug-requested",
        LIBVIRT,
        "The guest was asked to let go of the device; whether it did shows in the live XML.",
        (
            form(
                r"Device detach request sent successfully",
                "Device detach request sent successfully",
            ),
        ),
        refs=("F162",),
        weight=HARMLESS,
    ),
    Row(
        "pool-exhausted",
        LIBVIRT,
        "The network has no free VF left for the guest.",
        (
            form(
                r"network '<network:guest>' requires exclusive access to interfaces, but none are "
                r"available",
                "internal error: network 'vfs' requires exclusive access to interfaces, but none "
                "are available",
            ),
            form(
                r"No usable Vf's present on SRIOV PF <interface:word>",
                "internal error: No usable Vf's present on SRIOV PF ens1f0",
            ),
        ),
        refs=("F136",),
        decide=("virsh net-dumpxml NETWORK", "ip link show"),
        cure="More VFs, or fewer guests.",
        over=STARTED,
    ),
    Row(
        "vf-in-use-elsewhere",
        LIBVIRT,
        "A VF was left out of the network's pool because no network driver has it.",
        (
            form(
                r"couldn't be added to the interface pool because it isn't bound to a network",
                "VF 2 of SRIOV PF ens1f0 couldn't be added to the interface pool because it isn't "
                "bound to a network driver - possibly in use elsewhere",
            ),
        ),
        refs=("F130", "F136"),
        weight=HURTS,
        decide=(OF_DEVICE,),
        cure="List the VFs by address in the network (forward mode='hostdev').",
    ),
    Row(
        "pf-not-online",
        LIBVIRT,
        "The VF's physical port is down, so libvirt cannot set the VF up.",
        (
            form(
                r"nable to configure VF <vf:count> of PF '<interface:word>' because the PF is not "
                r"online",
                "internal error: Unable to configure VF 4 of PF 'ens1f0' because the PF is not "
                "online. Please change host network config to put the PF online.",
            ),
        ),
        refs=("F133",),
        decide=("ip link show <interface>",),
        cure="ip link set <interface> up, and up at boot.",
        over=STARTED,
    ),
    Row(
        "interface-hostdev-needs-vf",
        LIBVIRT,
        "<interface type='hostdev'> is for VFs; this device is none.",
        (
            form(
                r"nterface type hostdev is currently supported on SR-IOV Virtual Functions only",
                "unsupported configuration: Interface type hostdev is currently supported on SR-IOV "
                "Virtual Functions only",
            ),
        ),
        refs=("F135",),
        decide=("lspci -nn",),
        cure="A plain <hostdev> for a whole card.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "vf-has-no-netdev",
        LIBVIRT,
        "The VF's physical function has no network interface: it is not on its network driver.",
        (
            form(
                r"The PF device for VF <vf:path> has no network device name",
                "internal error: The PF device for VF /sys/bus/pci/devices/x has no network device "
                "name, cannot get virtual function info",
            ),
            form(
                r"he device at <device> has no network device name",
                "internal error: The device at 0000:01:00.0 has no network device name",
            ),
            form(
                r"VF <vf:count> of PF '<interface:word>' is not bound to a net driver",
                "VF 2 of PF 'ens1f0' is not bound to a net driver, so its MAC address cannot be set",
            ),
        ),
        refs=("F131", "F135"),
        decide=(OF_DEVICE,),
        cure="Leave the PF on its host driver; give VFs away.",
        over=STARTED,
    ),
    Row(
        "hook-failed",
        LIBVIRT,
        "A hook script of libvirt ended with an error, so the guest is not started.",
        (
            form(
                r"ook script execution failed:",
                "error: Hook script execution failed: internal error: Child process "
                "(LC_ALL=C /etc/libvirt/hooks/qemu g1 prepare begin -) unexpected exit status 1",
            ),
        ),
        refs=("F222",),
        decide=(
            "ls -l /etc/libvirt/hooks",
            "sh -x /etc/libvirt/hooks/qemu <guest> prepare begin - < /dev/null",
        ),
        cure="Mend the script; what it printed stands in the message.",
        over=STARTED,
    ),
    Row(
        "hook-not-executable",
        LIBVIRT,
        "A hook script of libvirt is not executable, so it does nothing.",
        (
            form(
                r"Non-executable hook script <path>",
                "Non-executable hook script /etc/libvirt/hooks/qemu",
            ),
        ),
        refs=("F222",),
        weight=HURTS,
        decide=("ls -l <path>",),
        cure="chmod +x the script.",
    ),
    Row(
        "domain-high-privileges",
        LIBVIRT,
        "libvirt notes that the guest has rights beyond the usual; for a guest with a device that "
        "is meant.",
        (
            form(
                r"is tainted: (?:high-privileges|host-cpu|custom-argv)",
                "Domain id=1 name='g1' uuid=c7a5fdbd-edaf-9455-926a-d65c16db1809 is tainted: "
                "high-privileges",
                "Domain id=1 name='g1' uuid=c7a5fdbd-edaf-9455-926a-d65c16db1809 is tainted: "
                "custom-argv",
                "Domain id=1 name='g1' uuid=c7a5fdbd-edaf-9455-926a-d65c16db1809 is tainted: "
                "host-cpu",
            ),
        ),
        weight=HARMLESS,
    ),
    Row(
        "isolation-group-unknown",
        LIBVIRT,
        "libvirt places the device in the guest without regard to its group; nothing is wrong.",
        (
            form(
                r"an't look up isolation group for host device <device>, device won't be isolated",
                "Can't look up isolation group for host device 0000:01:00.0, device won't be "
                "isolated",
            ),
        ),
        weight=HARMLESS,
    ),
)

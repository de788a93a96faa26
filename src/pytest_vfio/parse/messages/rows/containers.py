"""Container runtimes and Kubernetes: Docker, Podman, Kata, KubeVirt, device plugins, SR-IOV's operator.

Wordings: kubevirt (pkg/virt-api, pkg/virt-handler, pkg/virt-launcher), kata-containers (src/runtime,
src/runtime-rs), moby, kube-scheduler, sriov-network-operator.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HURTS, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

CONTAINER = Speaker.CONTAINER
KUBERNETES = Speaker.KUBERNETES

ROWS = (
    Row(
        "container-no-node",
        CONTAINER,
        "The node that the container asks for is not on the host: the device is not bound to vfio-pci, "
        "or its group has another number now.",
        (
            form(
                r"while adding custom device \"/dev/vfio/<group>\": <ENOENT>",
                "Error response from daemon: error gathering device information while adding custom "
                'device "/dev/vfio/31": no such file or directory',
            ),
            form(
                r"(?:stat|lstat) /dev/vfio/<group>: no such file or directory",
                "Error: stat /dev/vfio/31: no such file or directory",
                "failed to generate spec: lstat /dev/vfio/31: no such file or directory",
            ),
        ),
        refs=("F102", "F71", "F99"),
        decide=("ls -l /dev/vfio", "lspci -nnk"),
        cure="Bind the device to vfio-pci before the container starts; find its group anew each time.",
    ),
    Row(
        "kata-group-incomplete",
        CONTAINER,
        "Kata cannot find or take the devices of the group.",
        (
            form(
                r"failed to get VFIO group",
                "failed to get VFIO group",
            ),
            form(
                r"Cannot get all VFIO devices from IOMMU group with device",
                "Cannot get all VFIO devices from IOMMU group with device: &{/dev/vfio/31} err: open "
                "/sys/kernel/iommu_groups/31/devices",
            ),
            form(
                r"Cannot get VFIO device from IOMMUFD with device",
                "Cannot get VFIO device from IOMMUFD with device: &{/dev/vfio/devices/vfio0} err: none",
            ),
            form(
                r"VFIO device type unrecognized",
                "Failed to append device: VFIO device type unrecognized",
            ),
            form(
                r"ncorrect tokens found while parsing (?:VFIO|vfio) details",
                "Incorrect tokens found while parsing VFIO details: foo",
                "Incorrect tokens found while parsing vfio details: foo",
            ),
        ),
        refs=("F102", "F99"),
        decide=("ls /sys/kernel/iommu_groups/*/devices", "ls -lR /dev/vfio"),
        cure="A group whose devices are all on vfio-pci; a Kata that knows the nodes that the kernel makes.",
    ),
    Row(
        "kata-no-vfio-port",
        CONTAINER,
        "Kata is not set up to plug devices in: no port for them in its configuration.",
        (
            form(
                r"hot_plug_vfio port is not configured",
                'cannot attach VFIO network interface "eth0" (BDF 0000:03:10.4): hot_plug_vfio port is '
                "not configured",
            ),
            form(
                r"because cold_plug_vfio is disabled",
                "unable to add PhysicalEndpoint eth0 because cold_plug_vfio is disabled",
            ),
            form(
                r"VFIO device requires a PCIe topology but none was provided",
                "VFIO device requires a PCIe topology but none was provided",
            ),
            form(
                r"invalid hot-plug=<hot:word> and cold-plug=<cold:word> settings",
                "invalid hot-plug=root-port and cold-plug=root-port settings, only one of them can be set",
            ),
        ),
        refs=("F156",),
        decide=("grep -n -e plug_vfio -e pcie_root_port /etc/kata-containers/configuration.toml",),
        cure='hot_plug_vfio or cold_plug_vfio = "root-port" in Kata\'s configuration.',
    ),
    Row(
        "kubevirt-not-permitted",
        KUBERNETES,
        "KubeVirt is not told that guests may have this kind of device.",
        (
            form(
                r"(?:GPU|HostDevice) <resource:guest> is not permitted in permittedHostDevices "
                r"configuration",
                "HostDevice intel.com/x710 is not permitted in permittedHostDevices configuration",
                "GPU nvidia.com/GA102 is not permitted in permittedHostDevices configuration",
            ),
        ),
        refs=("F224",),
        decide=("kubectl get kubevirt -A -o yaml | grep -A 12 permittedHostDevices",),
        cure="An entry of permittedHostDevices with the device's id and resource name.",
    ),
    Row(
        "nodes-lack-device",
        KUBERNETES,
        "No node offers the device: no device plugin announces it, because it is not on vfio-pci, not "
        "permitted, or in use.",
        (
            form(
                r"Insufficient <resource:guest>/<kind:guest>",
                "0/3 nodes are available: 3 Insufficient nvidia.com/GA102GL_A10. preemption: 0/3 nodes "
                "are available",
                "0/2 nodes are available: 2 Insufficient intel.com/sriov_netdevice.",
            ),
        ),
        refs=("F224", "F71"),
        decide=("kubectl describe node NODE | grep -A 12 Allocatable", "lspci -nnk"),
        cure="Bind the devices to vfio-pci on the node, and look at the device plugin's log.",
    ),
    Row(
        "kubevirt-hostdevice-failed",
        KUBERNETES,
        "KubeVirt could not make the host device of the guest; the rest of the line is why.",
        (
            form(
                r"failed to create PCI device for <name:guest>:",
                "failed to create PCI device for gpu1: failed to parse pci address",
            ),
            form(
                r"failed to create (?:GPU |SRIOV |PCI )?host-devices?:",
                "failed to create GPU host-devices: failed to create PCI device",
                "failed to create host-device: x",
                "failed to create SRIOV hostdevice: x".replace("hostdevice", "host-devices"),
                "failed to create PCI host-devices: x",
            ),
        ),
        refs=("F224", "F145"),
        decide=("kubectl logs POD -c compute | tail -30",),
        cure="What the rest of the line says.",
        frame=True,
    ),
    Row(
        "kubevirt-iommufd",
        KUBERNETES,
        "KubeVirt asks for iommufd, which this node's kernel does not have.",
        (
            form(
                r"IOMMUFD not supported on this node",
                "IOMMUFD not supported on this node (/dev/iommu not found)",
            ),
            form(
                r"failed to open/configure IOMMUFD",
                "failed to open/configure IOMMUFD: permission denied",
            ),
        ),
        refs=("F166",),
        decide=("ls -l /dev/iommu", "grep IOMMUFD /boot/config-$(uname -r)"),
        cure="A kernel with IOMMUFD, or a KubeVirt that uses the group.",
        acts="vendor",
    ),
    Row(
        "sriov-operator-failed",
        KUBERNETES,
        "SR-IOV's operator could not make the VFs on the node; the kernel's log there says why.",
        (
            form(
                r"cannot configure sriov interfaces",
                'syncStatus: Failed lastSyncError: "cannot configure sriov interfaces"',
            ),
            form(
                r"fail to (?:set|configure) (?:NumVfs|VF admin mac address) for device <device>",
                "configSriovDevice(): fail to set NumVfs for device 0000:3b:00.0",
                "configSriovDevice(): fail to configure VF admin mac address for device 0000:0c:00.1 "
                '"operation not supported"',
            ),
        ),
        refs=("F12", "F125", "F127"),
        decide=("dmesg | tail -30", "cat /sys/bus/pci/devices/<device>/sriov_totalvfs"),
        cure="SR-IOV on in the board's setup and in the adapter's own firmware; then what the kernel says.",
        acts="firmware",
    ),
    Row(
        "k8s-cannot-bind",
        CONTAINER,
        "A tool could not move the device to vfio-pci; the kernel's log of that moment says why.",
        (
            form(
                r"ailed to bind PCI device <device> to vfio-pci",
                "ERROR: Failed to bind PCI device 0001:01:00.0 to vfio-pci. Please double check if your "
                "system supports IOMMU",
            ),
            form(
                r"bind physical endpoint from <driver> to vfio",
                "bind physical endpoint from ixgbevf to vfio",
            ),
            form(
                r"Unable to bind device <device> to (?:driver )?vfio-pci",
                "Error: bind failed for 0000:03:00.0 - Cannot bind to driver vfio-pci: Unable to bind "
                "device 0000:03:00.0 to driver vfio-pci",
                "Unable to bind device 0000:03:00.0 to vfio-pci",
            ),
            form(
                r"bind failed for <device> - Cannot bind to driver vfio-pci",
                "Error: bind failed for 0000:03:00.0 - Cannot bind to driver vfio-pci",
            ),
        ),
        refs=("F49", "F82", "F84"),
        decide=(
            "dmesg | tail -20",
            "readlink /sys/bus/pci/devices/<device>/iommu_group",
            OF_DEVICE,
        ),
        cure="-22 in the log: no IOMMU group, so the IOMMU is off. -16: in use.",
    ),
    Row(
        "vmm-container-refused",
        CONTAINER,
        "The kernel refuses to put the group behind the IOMMU for the guest: most often interrupt "
        "remapping is missing, or firmware keeps memory of its own in the device.",
        (
            form(
                r"failed to set container's IOMMU driver type as VfioType1V2:",
                "failed to set container's IOMMU driver type as VfioType1V2: Operation not permitted "
                "(os error 1)",
            ),
            form(
                r"failed to add vfio group into vfio container",
                "failed to add vfio group into vfio container",
            ),
        ),
        refs=("F53", "F15"),
        decide=("dmesg | grep -e vfio -e DMAR -e AMD-Vi", "grep IR- /proc/interrupts"),
        cure="What the kernel's log says decides.",
    ),
    Row(
        "no-iommu-group-available",
        KUBERNETES,
        "The device has no IOMMU group: no IOMMU of the node translates for it.",
        (
            form(
                r"has no iommuGroup available",
                'admission webhook "pcidevices.harvesterhci.io" denied the request: pcidevice '
                "hv-000001000 has no iommuGroup available",
            ),
            form(
                r"<device> has no IOMMU group",
                "0000:01:00.0 has no IOMMU group",
            ),
        ),
        refs=("F49", "F03", "F04", "F21"),
        decide=("ls /sys/class/iommu", "cat /proc/cmdline", "dmesg | grep -e DMAR -e AMD-Vi"),
        cure="Switch the IOMMU on: in the firmware's setup, and on the kernel line where the kernel does "
        "not by itself.",
    ),
    Row(
        "dpdk-no-vfio",
        CONTAINER,
        "DPDK finds no VFIO that it can use.",
        (
            form(r"VFIO support not initialized", "EAL: VFIO support not initialized"),
            form(
                r"Cannot open VFIO container, error <code:count>",
                "EAL: Cannot open VFIO container, error 2 (No such file or directory)",
            ),
            form(
                r"<device> not managed by VFIO driver",
                "EAL:   0000:03:00.0 not managed by VFIO driver, skipping",
            ),
        ),
        refs=("F63", "F71"),
        weight=HURTS,
        decide=("ls -l /dev/vfio", "dpdk-devbind.py --status"),
        cure="modprobe vfio-pci; bind the port to it; run with rights on /dev/vfio.",
    ),
)

"""What a shell or another writer says when the kernel refuses a write to sysfs.

Wordings: bash, dash, tee, Go's os package, echo of coreutils; which error number stands for what:
drivers/pci/{iov,pci-driver,pci-sysfs}.c of Linux 4.15 to 6.12.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

SHELL = Speaker.SHELL

ROWS = (
    Row(
        "write-enomem",
        SHELL,
        "The kernel refused the write for lack of room; for sriov_numvfs that is address space or bus "
        "numbers for the VFs, never the host's memory.",
        (
            form(
                r"write error: <ENOMEM>",
                "-bash: echo: write error: Cannot allocate memory",
                "sh: 1: echo: echo: write error: Cannot allocate memory",
            ),
            form(
                r"sriov_numvfs'?: <ENOMEM>",
                "write /sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs: cannot allocate memory",
                "tee: /sys/class/net/ens1f0/device/sriov_numvfs: Cannot allocate memory",
            ),
        ),
        refs=("F125", "F126", "F12"),
        decide=("dmesg | tail -20", "lspci -vvs <device> | grep -A 12 SR-IOV"),
        cure="SR-IOV and Above 4G decoding in the firmware's setup, pci=realloc, or fewer VFs.",
        acts="firmware",
    ),
    Row(
        "write-ebusy",
        SHELL,
        "What was written to is in use: VFs exist already, or the group is in the hands of a user.",
        (
            form(
                r"write error: <EBUSY>",
                "-bash: echo: write error: Device or resource busy",
            ),
            form(
                r"sriov_numvfs'?: <EBUSY>",
                "write /sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs: device or resource busy",
            ),
            form(
                r"/bind'?: <EBUSY>",
                "tee: /sys/bus/pci/drivers/vfio-pci/bind: Device or resource busy",
            ),
        ),
        refs=("F127", "F82"),
        decide=("dmesg | tail -20", OF_DEVICE),
        cure="For VFs write 0 first; for bind stop whoever uses the group.",
    ),
    Row(
        "write-enodev",
        SHELL,
        "The device cannot be bound: the driver does not know its id, or its probe failed.",
        (
            form(
                r"write error: <ENODEV>",
                "-bash: echo: write error: No such device",
                "/bin/sh: echo: write error: No such device",
            ),
            form(
                r"/bind'?: <ENODEV>",
                "tee: /sys/bus/pci/drivers/vfio-pci/bind: No such device",
            ),
        ),
        refs=("F78", "F79"),
        decide=(OF_DEVICE, "cat /sys/bus/pci/devices/<device>/driver_override", "dmesg | tail -20"),
        cure="Write vfio-pci to driver_override, then the address to drivers_probe.",
    ),
    Row(
        "write-eexist",
        SHELL,
        "The id is known to the driver already.",
        (
            form(
                r"write error: <EEXIST>",
                "-bash: echo: write error: File exists",
            ),
            form(
                r"new_id'?: <EEXIST>",
                "tee: /sys/bus/pci/drivers/vfio-pci/new_id: File exists",
            ),
        ),
        refs=("F78",),
        decide=(OF_DEVICE,),
        cure="driver_override and drivers_probe by address instead of new_id.",
    ),
    Row(
        "write-erange",
        SHELL,
        "More VFs were asked for than the device can make.",
        (
            form(
                r"write error: <ERANGE>",
                "-bash: echo: write error: Numerical result out of range",
            ),
            form(
                r"sriov_numvfs'?: <ERANGE>",
                "write /sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs: numerical result out of range",
            ),
        ),
        refs=("F127",),
        decide=("cat /sys/bus/pci/devices/<device>/sriov_totalvfs",),
        cure="No more than sriov_totalvfs; the adapter's own firmware may allow more.",
    ),
    Row(
        "write-einval",
        SHELL,
        "The kernel does not take what was written: a wrong form, or a device without IOMMU group.",
        (
            form(
                r"write error: <EINVAL>",
                "-bash: echo: write error: Invalid argument",
            ),
            form(
                r"/bind'?: <EINVAL>",
                "tee: /sys/bus/pci/drivers/vfio-pci/bind: Invalid argument",
            ),
            form(
                r"new_id'?: <EINVAL>",
                "tee: /sys/bus/pci/drivers/vfio-pci/new_id: Invalid argument",
            ),
        ),
        refs=("F49", "F78", "F41"),
        decide=("dmesg | tail -20", "readlink /sys/bus/pci/devices/<device>/iommu_group"),
        cure="Addresses are written 0000:01:00.0, ids `10de 2204`; -22 of vfio-pci in the log is a "
        "missing IOMMU group.",
    ),
    Row(
        "write-eperm",
        SHELL,
        "The kernel does not allow the write: kernel lockdown (Secure Boot), or no rights.",
        (
            form(
                r"write error: <EPERM>",
                "-bash: echo: write error: Operation not permitted",
            ),
        ),
        refs=("F88",),
        decide=("cat /sys/kernel/security/lockdown", "id"),
        cure="Write as root (`echo x | sudo tee FILE`); under lockdown there is no way.",
    ),
    Row(
        "write-enosys",
        SHELL,
        "The driver does not make VFs through sysfs.",
        (
            form(
                r"write error: (?:<ENOSYS>|<EOPNOTSUPP>)",
                "-bash: echo: write error: Function not implemented",
                "-bash: echo: write error: Operation not supported",
            ),
            form(
                r"sriov_numvfs'?: (?:<ENOSYS>|<EOPNOTSUPP>)",
                "write /sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs: operation not supported",
                "write /sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs: function not implemented",
            ),
        ),
        refs=("F127",),
        decide=(OF_DEVICE,),
        cure="The port's own driver, with SR-IOV; for mlx5 in switchdev devlink.",
    ),
    Row(
        "write-eio",
        SHELL,
        "The device or its firmware failed at what was asked for.",
        (
            form(
                r"write error: <EIO>",
                "-bash: echo: write error: Input/output error",
            ),
        ),
        refs=("F106", "F127"),
        decide=("dmesg | tail -20",),
        cure="The driver's line in the kernel's log says why.",
        acts="vendor",
    ),
    Row(
        "sriov-file-missing",
        SHELL,
        "The device has no SR-IOV that the kernel can see: not made for it, or switched off in its "
        "own firmware or the board's.",
        (
            form(
                r"sriov_(?:numvfs|totalvfs)'?: <ENOENT>",
                "-bash: /sys/class/net/ibp59s0/device/sriov_numvfs: No such file or directory",
                "cat: /sys/bus/pci/devices/0000:3b:00.0/sriov_totalvfs: No such file or directory",
                "open /sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs: no such file or directory",
            ),
            form(
                r"o such file or directory: /sys/\S{1,120}/sriov_numvfs",
                "zsh: no such file or directory: /sys/class/net/ens1f0/device/sriov_numvfs",
            ),
        ),
        refs=("F12",),
        decide=(
            "lspci -vvs <device> | grep -e SR-IOV -e ARI",
            "mlxconfig -d <device> query | grep -e SRIOV -e VFS",
        ),
        cure="SR-IOV on in the adapter's own firmware (mlxconfig SRIOV_EN=1 NUM_OF_VFS=N, a cold "
        "reboot) and in the board's setup.",
        acts="firmware",
    ),
    Row(
        "sriov-file-denied",
        SHELL,
        "The file may be written by root only; with `sudo echo` the shell that writes is not root.",
        (
            form(
                r"sriov_numvfs: <EACCES>",
                "-bash: /sys/class/net/ens1f0/device/sriov_numvfs: Permission denied",
            ),
            form(
                r"new_id: <EACCES>",
                "-bash: /sys/bus/pci/drivers/vfio-pci/new_id: Permission denied",
            ),
            form(
                r"/rescan: <EACCES>",
                "tee: /sys/bus/pci/rescan: Permission denied",
            ),
            form(
                r"ermission denied: /sys/(?:bus/pci|class/net|devices)/",
                "zsh: permission denied: /sys/bus/pci/drivers/vfio-pci/new_id",
                "zsh: permission denied: /sys/class/net/ens1f0/device/sriov_numvfs",
                "zsh: permission denied: /sys/devices/pci0000:00/0000:00:01.0/remove",
            ),
        ),
        refs=("F223",),
        decide=("id",),
        cure="echo 4 | sudo tee FILE",
    ),
    Row(
        "bind-file-missing",
        SHELL,
        "The driver is not loaded, so it has no folder to write to; or the device has no driver to be "
        "unbound from.",
        (
            form(
                r"/sys/bus/pci/drivers/<driver>/(?:new_id|bind)'?: <ENOENT>",
                "-bash: /sys/bus/pci/drivers/vfio-pci/new_id: No such file or directory",
                "-bash: /sys/bus/pci/drivers/vfio-pci/bind: No such file or directory",
            ),
            form(
                r"/sys/bus/pci/devices/<device>/driver/unbind'?: <ENOENT>",
                "-bash: /sys/bus/pci/devices/0000:01:00.0/driver/unbind: No such file or directory",
            ),
            form(
                r"o such file or directory: /sys/bus/pci/drivers/<driver>/(?:new_id|bind)",
                "zsh: no such file or directory: /sys/bus/pci/drivers/vfio-pci/new_id",
                "zsh: no such file or directory: /sys/bus/pci/drivers/vfio-pci/bind",
            ),
        ),
        refs=("F72", "F19"),
        decide=("lsmod | grep vfio", OF_DEVICE),
        cure="modprobe vfio-pci; a device without driver needs no unbind.",
    ),
    Row(
        "no-iommu-group-link",
        SHELL,
        "The device has no IOMMU group: no IOMMU of the host translates for it.",
        (
            form(
                r"<device>/iommu_group'?(?:/devices/?)?'?: <ENOENT>",
                "ls: cannot access '/sys/bus/pci/devices/0000:01:00.0/iommu_group/devices/': No such "
                "file or directory",
                "readlink: /sys/bus/pci/devices/0000:01:00.0/iommu_group: No such file or directory",
            ),
            form(
                r"/sys/kernel/iommu_groups/\*(?:/devices/\*?)?'?: <ENOENT>",
                "find: '/sys/kernel/iommu_groups/*': No such file or directory",
                "ls: cannot access '/sys/kernel/iommu_groups/*/devices/*': No such file or directory",
            ),
        ),
        refs=("F49", "F03", "F04", "F21"),
        decide=(
            "ls /sys/class/iommu",
            "cat /proc/cmdline",
            "dmesg | grep -e DMAR -e AMD-Vi -e smmu",
        ),
        cure="Switch the IOMMU on: in the firmware's setup, and on the kernel line where the kernel "
        "does not by itself.",
    ),
)

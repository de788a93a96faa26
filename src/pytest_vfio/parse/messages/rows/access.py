"""AppArmor and SELinux: what they kept from QEMU or libvirt.

Formats: security/apparmor/audit.c, security/selinux/avc.c and kernel/audit.c of Linux 5.10 and 6.1;
setroubleshoot.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HURTS, Row, Speaker, form
from pytest_vfio.parse.messages.words import STARTED

APPARMOR = Speaker.APPARMOR
SELINUX = Speaker.SELINUX

ROWS = (
    Row(
        "apparmor-vfio-node",
        APPARMOR,
        "AppArmor kept QEMU from a VFIO node: its profile does not know that the guest has the device.",
        (
            form(
                r"apparmor=\"DENIED\" operation=\"[a-z_]{1,20}\".{0,120} name=\"<path>/(?:vfio|iommu)"
                r"(?:/<group>)?\"",
                'audit: type=1400 audit(1750687644.519:1123): apparmor="DENIED" operation="open" '
                'class="file" profile="libvirt-a382f0b5-97dc-4ae9-a1b6-5f83efd27dd7" '
                'name="/dev/vfio/12" pid=1950 comm="qemu-system-x86" requested_mask="wr"',
                'apparmor="DENIED" operation="open" profile="libvirt-a382f0b5" name="/dev/vfio/vfio" '
                'pid=1950 comm="qemu-system-x86" requested_mask="wr"',
                'apparmor="DENIED" operation="open" profile="libvirt-a382f0b5" name="/dev/iommu" '
                'pid=1950 comm="qemu-system-x86" requested_mask="wr"',
            ),
        ),
        refs=("F150", "F146"),
        decide=(
            "virsh dumpxml GUEST | grep -e '<hostdev' -e qemu:arg",
            "ls /etc/apparmor.d/libvirt",
        ),
        cure="A <hostdev> instead of raw QEMU words; else the node in "
        "/etc/apparmor.d/abstractions/libvirt-qemu.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "apparmor-guest-file",
        APPARMOR,
        "AppArmor kept the guest's QEMU from a file: a ROM file, firmware or disk in a place that its "
        "profile does not allow.",
        (
            form(
                r"apparmor=\"DENIED\" operation=\"[a-z_]{1,20}\".{0,60} profile=\"libvirt-[0-9a-f-]{8,40}\" "
                r"name=\"(?!/dev/vfio|/dev/iommu)<path>\"",
                'apparmor="DENIED" operation="open" profile="libvirt-a382f0b5-97dc-4ae9-a1b6-5f83efd27dd7"'
                ' name="/home/me/gpu.rom" pid=1950 comm="qemu-system-x86" requested_mask="r"',
            ),
        ),
        refs=("F221", "F150"),
        weight=HURTS,
        decide=("ls -l <path>", "virsh dumpxml GUEST | grep -e '<rom' -e '<source file'"),
        cure="Put it where libvirt's guests may read (/usr/share, /var/lib/libvirt), or allow it in "
        "/etc/apparmor.d/abstractions/libvirt-qemu.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "apparmor-pci-write",
        APPARMOR,
        "AppArmor kept libvirt from moving the device to vfio-pci.",
        (
            form(
                r"apparmor=\"DENIED\" .{0,160} name=\"/sys/(?:devices/pci|bus/pci/)",
                'apparmor="DENIED" operation="open" class="file" profile="snap.openstack-hypervisor.'
                'libvirtd" name="/sys/devices/pci0000:17/0000:17:03.0/0000:1b:10.6/driver_override" '
                'pid=1950 comm="rpc-libvirtd" requested_mask="w"',
                'apparmor="DENIED" operation="open" profile="libvirtd" '
                'name="/sys/bus/pci/drivers/ixgbevf/unbind" pid=1950 requested_mask="w"',
            ),
        ),
        refs=("F150",),
        decide=("aa-status",),
        cure="Allow driver_override, unbind and drivers_probe in libvirtd's profile, or bind the device "
        "before.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "apparmor-memlock",
        APPARMOR,
        "AppArmor kept the right to lock memory from QEMU or libvirt.",
        (
            form(
                r"apparmor=\"DENIED\" operation=\"capable\".{0,160} capname=\"(?:sys_resource|ipc_lock)\"",
                'apparmor="DENIED" operation="capable" profile="libvirtd" pid=1950 comm="libvirtd" '
                'capability=24  capname="sys_resource"',
                'apparmor="DENIED" operation="capable" profile="libvirtd" pid=1950 comm="libvirtd" '
                'capability=14  capname="ipc_lock"',
            ),
        ),
        refs=("F148", "F150"),
        decide=("aa-status",),
        cure="The capability in the profile.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "selinux-vfio-node",
        SELINUX,
        "SELinux kept QEMU from a VFIO node: the node has a label that guests may not use, or QEMU runs "
        "in another domain.",
        (
            form(
                r"avc: +denied +\{.{0,60}\} for .{0,120}path=\"?/dev/vfio/<node:word>",
                "type=AVC msg=audit(1729238705.963:170): avc:  denied  { open } for  pid=1681 "
                'comm="qemu-kvm" path="/dev/vfio/12" dev="devtmpfs" ino=86 '
                "scontext=system_u:system_r:svirt_t:s0:c1,c2 tcontext=system_u:object_r:device_t:s0 "
                "tclass=chr_file permissive=0",
            ),
            form(
                r"avc: +denied +\{.{0,60}\} for .{0,240}:vfio_device_t:",
                'avc:  denied  { setattr } for  pid=5771 comm=chown name=482 dev="devtmpfs" ino=1901 '
                "scontext=system_u:system_r:qatlib_t:s0 tcontext=system_u:object_r:vfio_device_t:s0 "
                "tclass=chr_file permissive=0",
            ),
            form(
                r"SELinux is preventing .{0,80} (?:access )?on the chr_file /dev/vfio/",
                "SELinux is preventing qemu-kvm from open access on the chr_file /dev/vfio/12.",
                "SELinux is preventing /usr/libexec/qemu-kvm from read, write on the chr_file "
                "/dev/vfio/12.",
            ),
        ),
        refs=("F151", "F146"),
        decide=("ausearch -m avc -ts recent", "ls -lZ /dev/vfio"),
        cure="A <hostdev>, so that libvirt labels the node; restorecon /dev/vfio/*.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "selinux-guest-file",
        SELINUX,
        "SELinux kept the guest's QEMU from a file: a ROM file, firmware or disk with the wrong label.",
        (
            form(
                r"avc: +denied +\{.{0,60}\} for .{0,80}comm=\"?(?:qemu|CPU).{0,40}"
                r"path=\"?(?!/dev/vfio)<path>",
                'avc:  denied  { read } for  pid=1681 comm="qemu-kvm" path="/home/me/gpu.rom" dev="dm-0" '
                "ino=86 scontext=system_u:system_r:svirt_t:s0:c1,c2 "
                "tcontext=unconfined_u:object_r:user_home_t:s0 tclass=file permissive=0",
                'avc:  denied  { map } for  pid=31328 comm="CPU 0/KVM" path="/dev/vhost-vdpa-0" '
                'dev="devtmpfs" ino=876 scontext=system_u:system_r:svirt_t:s0 '
                "tcontext=system_u:object_r:vhost_device_t:s0 tclass=chr_file permissive=0",
            ),
        ),
        refs=("F221", "F151"),
        weight=HURTS,
        decide=("ls -lZ <path>",),
        cure="Put it below /var/lib/libvirt/images or give it the label virt_image_t.",
        over=STARTED,
        acts="libvirt",
    ),
)

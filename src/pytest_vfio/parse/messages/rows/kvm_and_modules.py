"""KVM, modules, kernel lockdown and the kernel's command line.

Wordings: arch/x86/kvm, arch/x86/kernel/cpu/feat_ctl.c, kernel/module, security/lockdown, init/main.c of
Linux 4.15 to 6.12; kmod 34; systemd-modules-load.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, HURTS, Row, Speaker, form

KVM = Speaker.KVM
KERNEL = Speaker.KERNEL
MODPROBE = Speaker.MODPROBE

ROWS = (
    Row(
        "kvm-off-in-firmware",
        KVM,
        "Virtualisation is switched off in the firmware's setup, so no guest runs with KVM.",
        (
            form(
                r"kvm: (?:support for '<module:word>' )?disabled by bios",
                "kvm: disabled by bios",
                "kvm: support for 'kvm_intel' disabled by bios",
            ),
            form(
                r"VMX not enabled \(by BIOS\) in MSR_IA32_FEAT_CTL",
                "kvm_intel: VMX not enabled (by BIOS) in MSR_IA32_FEAT_CTL on CPU 0",
            ),
            form(
                r"VMX \((?:inside|outside) TXT\) disabled by BIOS",
                "x86/cpu: VMX (outside TXT) disabled by BIOS",
                "x86/cpu: VMX (inside TXT) disabled by BIOS",
            ),
            form(
                r"SVM disabled \(by BIOS\) in MSR_VM_CR",
                "kvm_amd: SVM disabled (by BIOS) in MSR_VM_CR on CPU 0",
            ),
        ),
        refs=("F01", "F02"),
        decide=("grep -cw -e vmx -e svm /proc/cpuinfo", "ls -l /dev/kvm"),
        cure="Intel Virtualization Technology or SVM Mode on in the firmware's setup; then power off and "
        "on.",
        acts="firmware",
    ),
    Row(
        "kvm-no-hardware",
        KVM,
        "This CPU, or the guest that this is, offers no virtualisation; or KVM's module for the other maker "
        "of CPUs was tried, which is harmless.",
        (
            form(
                r"kvm: no hardware support(?: for '<module:word>')?",
                "kvm: no hardware support",
                "kvm: no hardware support for 'kvm_intel'",
            ),
            form(
                r"(?:VMX|SVM) not supported by CPU <cpu:count>",
                "kvm_intel: VMX not supported by CPU 0",
                "kvm_amd: SVM not supported by CPU 0",
            ),
        ),
        refs=("F01", "F02", "F65"),
        decide=("lscpu | grep -i -e model -e virtual", "systemd-detect-virt"),
        weight=HURTS,
        cure="In a guest, nested virtualisation on its host; else another CPU.",
    ),
    Row(
        "kvm-module-refused",
        MODPROBE,
        "KVM's module cannot be loaded: virtualisation is off in firmware, or not there.",
        (
            form(
                r"could not insert '<module:word>': <EOPNOTSUPP>",
                "modprobe: ERROR: could not insert 'kvm_intel': Operation not supported",
                "modprobe: ERROR: could not insert 'kvm_amd': Operation not supported",
            ),
        ),
        refs=("F01", "F02"),
        decide=("dmesg | grep -i kvm", "grep -cw -e vmx -e svm /proc/cpuinfo"),
        cure="Virtualisation on in the firmware's setup; then power off and on.",
        acts="firmware",
    ),
    Row(
        "module-not-found",
        MODPROBE,
        "The kernel that runs has no such module: another flavour, or its folder went with an update.",
        (
            form(
                r"FATAL: Module vfio(?![_-]virqfd)[a-z0-9_-]{0,30} not found",
                "modprobe: FATAL: Module vfio-pci not found in directory /lib/modules/6.1.0-21-amd64",
                "modprobe: FATAL: Module vfio_iommu_type1 not found.",
            ),
        ),
        refs=("F72", "F51"),
        decide=("uname -r", "ls /lib/modules", "grep VFIO /boot/config-$(uname -r)"),
        cure="Reboot after a kernel update; the package with the kernel's modules; a kernel that has VFIO.",
    ),
    Row(
        "virqfd-gone",
        MODPROBE,
        "vfio_virqfd is part of vfio since 6.2; the name in a list of modules is left over.",
        (
            form(
                r"FATAL: Module vfio[_-]virqfd not found",
                "modprobe: FATAL: Module vfio_virqfd not found in directory /lib/modules/6.8.0",
            ),
            form(
                r"Failed to find module '?vfio[_-]virqfd",
                "systemd-modules-load[312]: Failed to find module 'vfio_virqfd'",
            ),
            form(
                r"module not found: '?vfio_virqfd",
                "==> ERROR: module not found: 'vfio_virqfd'",
            ),
        ),
        refs=("F86",),
        weight=HURTS,
        decide=(
            "grep -rn virqfd /etc/modules* /etc/mkinitcpio.conf /etc/dracut.conf.d /etc/initramfs-tools",
        ),
        cure="Delete the name from the list; build the initramfs again.",
    ),
    Row(
        "module-in-use",
        MODPROBE,
        "The driver cannot be unloaded because something uses it.",
        (
            form(
                r"FATAL: Module <module:word> is in use",
                "modprobe: FATAL: Module nvidia_drm is in use.",
            ),
            form(
                r"ERROR: Module <module:word> is in use",
                "rmmod: ERROR: Module nvidia is in use by: nvidia_modeset",
            ),
        ),
        refs=("F84",),
        decide=("lsmod", "sudo fuser -v /dev/nvidia* /dev/dri/*"),
        cure="Stop the display manager and whatever has the device open.",
    ),
    Row(
        "module-key-rejected",
        MODPROBE,
        "Secure Boot keeps a module out that is not signed with a known key.",
        (
            form(
                r"could not insert '<module:word>': Key was rejected by service",
                "modprobe: ERROR: could not insert 'vendor_reset': Key was rejected by service",
            ),
            form(
                r"could not insert '<module:word>': Required key not available",
                "modprobe: ERROR: could not insert 'nvidia': Required key not available",
            ),
            form(
                r"Loading of (?:unsigned module|module with unavailable key) is rejected",
                "Loading of unsigned module is rejected",
                "Loading of module with unavailable key is rejected",
            ),
            form(
                r"Lockdown: <task:word>: unsigned module loading is restricted",
                "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7",
            ),
        ),
        refs=("F87", "F176"),
        decide=("mokutil --sb-state", "cat /sys/kernel/security/lockdown"),
        cure="Sign the module and enrol the key (MOK), or do without the module.",
    ),
    Row(
        "lockdown",
        KERNEL,
        "Kernel lockdown (Secure Boot) forbids what was tried; reading is still allowed.",
        (
            form(
                r"Lockdown: <task:word>: (?:direct PCI access|raw MSR access|/dev/mem,kmem,port) is "
                r"restricted",
                "Lockdown: setpci: direct PCI access is restricted; see man kernel_lockdown.7",
                "Lockdown: rdmsr: raw MSR access is restricted; see man kernel_lockdown.7",
                "Lockdown: dmidecode: /dev/mem,kmem,port is restricted; see man kernel_lockdown.7",
            ),
        ),
        refs=("F88",),
        weight=HURTS,
        decide=("cat /sys/kernel/security/lockdown",),
        cure="Do without it, or Secure Boot off.",
    ),
    Row(
        "module-tainting",
        KERNEL,
        "A module without a signature was loaded; nothing is wrong.",
        (
            form(
                r"module verification failed: signature and/or required key missing",
                "i915: module verification failed: signature and/or required key missing - tainting "
                "kernel",
            ),
            form(
                r"loading out-of-tree module taints kernel",
                "vendor_reset: loading out-of-tree module taints kernel.",
            ),
        ),
        refs=("F87",),
        weight=HARMLESS,
    ),
    Row(
        "unknown-parameters",
        KERNEL,
        "Words on the kernel line are not known to the kernel; they do nothing in it.",
        (
            form(
                r"Unknown kernel command line parameters \"[^\"]{0,300}vfio[_-]pci[_-]ids",
                'Unknown kernel command line parameters "vfio-pci-ids=10de:2204", will be passed to user '
                "space.",
            ),
        ),
        refs=("F40",),
        decide=("cat /proc/cmdline",),
        cure="vfio-pci.ids=, with a dot.",
    ),
    Row(
        "malformed-early-option",
        KERNEL,
        "A word for the IOMMU on the kernel line has a value that the kernel does not take.",
        (
            form(
                r"Malformed early option 'iommu\.<option:word>'",
                "Malformed early option 'iommu.passthrough'",
            ),
        ),
        refs=("F30",),
        weight=HURTS,
        decide=("cat /proc/cmdline",),
        cure="iommu.passthrough=1",
    ),
    Row(
        "driver-probe-hung",
        KERNEL,
        "A task waits in the kernel without end; if it unbinds or removes a device, a guest or a "
        "program still has it.",
        (
            form(
                r"INFO: task (?:bash|sh|tee|virsh|modprobe|rmmod|driverctl|libvirtd|virtqemud|rpc-[a-z]{4,12}"
                r"|qemu-system-x86|kvm):<pid:count> blocked for more than <seconds:count> seconds",
                "INFO: task bash:1234 blocked for more than 120 seconds.",
                "INFO: task rpc-libvirtd:999 blocked for more than 241 seconds.",
                *(
                    f"INFO: task {task}:77 blocked for more than 120 seconds."
                    for task in (
                        *("sh", "tee", "virsh", "modprobe", "rmmod", "driverctl"),
                        *("libvirtd", "virtqemud", "qemu-system-x86", "kvm"),
                    )
                ),
            ),
        ),
        refs=("F163", "F84"),
        decide=("dmesg | grep -A 25 'blocked for more'", "sudo fuser -v /dev/vfio/*"),
        cure="Stop who has the device; else a reboot.",
    ),
    Row(
        "no-memory-to-pin",
        KERNEL,
        "The host found no memory at that moment for QEMU or the device.",
        (
            form(
                r"(?:qemu[a-z0-9_-]{0,20}|kvm|CPU \d{1,4}/KVM): page allocation failure",
                "qemu-system-x86: page allocation failure: order:9, mode:0x140dca",
                "kvm: page allocation failure: order:4, mode:0x40cc0",
                "CPU 0/KVM: page allocation failure: order:4, mode:0x40cc0",
            ),
        ),
        refs=("F189",),
        decide=("free -g", "grep Huge /proc/meminfo"),
        cure="Huge pages reserved at boot; smaller guests.",
    ),
    Row(
        "setpci-refused",
        KERNEL,
        "A write to the device's configuration was refused: kernel lockdown, or no rights.",
        (
            form(
                r"setpci: pcilib: sysfs_write: write failed:",
                "setpci: pcilib: sysfs_write: write failed: Operation not permitted",
            ),
        ),
        refs=("F88",),
        weight=HURTS,
        decide=("cat /sys/kernel/security/lockdown", "id"),
        cure="As root; under lockdown there is no way.",
    ),
    Row(
        "x2apic-after-resume",
        KERNEL,
        "Firmware switched x2APIC on while the host slept, and the kernel off again.",
        (
            form(
                r"x2apic: re-enabled by firmware during resume",
                "x2apic: re-enabled by firmware during resume. Disabling",
            ),
        ),
        refs=("F69",),
        weight=HARMLESS,
    ),
    Row(
        "out-of-memory",
        KERNEL,
        "The host ran out of memory and killed QEMU; a guest with an assigned device pins all of its "
        "memory.",
        (
            form(
                r"Out of memory: Killed process <pid:count> \((?:qemu|kvm|CPU)",
                "Out of memory: Killed process 4242 (qemu-system-x86) total-vm:18000000kB, "
                "anon-rss:16000000kB",
                "Out of memory: Killed process 4242 (kvm) total-vm:18000000kB",
                "Out of memory: Killed process 4242 (CPU 0/KVM) total-vm:18000000kB",
            ),
            form(
                r"oom-kill:.{0,300}task=(?:qemu|kvm|CPU)",
                "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=emulator,mems_allowed=0,"
                "task=qemu-system-x86,pid=4242,uid=64055",
                "oom-kill:constraint=CONSTRAINT_NONE,task=kvm,pid=4242,uid=0",
                "oom-kill:constraint=CONSTRAINT_NONE,task=CPU 0/KVM,pid=4242,uid=0",
            ),
        ),
        refs=("F189",),
        decide=("free -g", "virsh list --all"),
        cure="Smaller guests; leave the host room; take a hard_limit out that is too small.",
    ),
)

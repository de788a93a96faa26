"""Drivers of network adapters: VFs that cannot be made, VFs without their PF, adapters that are gone.

Wordings: drivers/net/ethernet/{intel,mellanox,broadcom} of Linux 5.10 and 6.1.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, HURTS, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

NIC = Speaker.NIC

ROWS = (
    Row(
        "nic-vfs-refused",
        NIC,
        "The adapter's driver could not make the VFs; the number behind the colon is why (-12 no "
        "room, -16 in use).",
        (
            form(
                r"ailed to enable (?:PCI sriov|SR-IOV): -<code:count>",
                "ixgbe 0000:03:00.0: Failed to enable PCI sriov: -12",
                "i40e 0000:03:00.0: Failed to enable SR-IOV: -12",
                "ice 0000:03:00.0: Failed to enable SR-IOV: -16",
            ),
            form(
                r"pci_enable_sriov failed : -<code:count>",
                "mlx5_core 0000:3b:00.0: mlx5_sriov_enable:174:(pid 1): pci_enable_sriov failed : -12",
            ),
            form(
                r"mlx5_device_enable_sriov failed : -<code:count>",
                "mlx5_core 0000:3b:00.0: mlx5_device_enable_sriov failed : -22",
            ),
            form(
                r"ailed to enable SR-IOV, continuing without SR-IOV \(err = -",
                "mlx4_core 0000:3b:00.0: Failed to enable SR-IOV, continuing without SR-IOV (err = -12)",
            ),
        ),
        refs=("F125", "F126", "F127"),
        decide=("dmesg | grep <device>", "lspci -vvs <device> | grep -A 12 SR-IOV"),
        cure="Room for the VFs: Above 4G decoding and SR-IOV in the firmware's setup, pci=realloc, or "
        "fewer VFs.",
        acts="firmware",
    ),
    Row(
        "nic-fewer-vfs-only",
        NIC,
        "The adapter has not the resources (queues, interrupts) for so many VFs.",
        (
            form(
                r"Not enough resources for <count> VFs, err",
                "ice 0000:03:00.0: Not enough resources for 128 VFs, err -28. Try with fewer number of "
                "VFs",
            ),
            form(
                r"Only <vectors:count> MSI-X interrupts available for SR-IOV",
                "ice 0000:03:00.0: Only 12 MSI-X interrupts available for SR-IOV. Not enough to "
                "support minimum of 2 MSI-X interrupts per VF for 64 VFs",
            ),
            form(
                r"Not enough queues to support minimum of",
                "ice 0000:03:00.0: Not enough queues to support minimum of 1 queue pairs per VF for 64 "
                "VFs",
            ),
            form(
                r"Can't enable <count> VFs, max VFs supported is",
                "ice 0000:03:00.0: Can't enable 300 VFs, max VFs supported is 256",
            ),
            form(
                r"Cannot enable VF's as all resources are used by PF",
                "bnxt_en 0000:3b:00.0 ens1f0np0: Cannot enable VF's as all resources are used by PF",
            ),
            form(
                r"Maximum of 7 VFs per PF, using max",
                "igb 0000:03:00.0: Maximum of 7 VFs per PF, using max",
            ),
            form(
                r"Requested more VF's \(<asked:count>\) than allowed",
                "mlx4_core 0000:3b:00.0: Requested more VF's (16) than allowed by hw (8)",
            ),
            form(
                r"requested vfs \(<asked:count>\) \> available vfs",
                "mlx4_core 0000:3b:00.0: requested vfs (16) > available vfs (0). Continuing without "
                "SR_IOV",
            ),
            form(
                r"Creating more than <count> VFs is not allowed",
                "ixgbe 0000:03:00.0: Currently configured with 4 TCs, and 0 offloaded macvlans. "
                "Creating more than 31 VFs is not allowed",
            ),
        ),
        refs=("F127", "F12"),
        decide=("cat /sys/bus/pci/devices/<device>/sriov_totalvfs",),
        cure="Fewer VFs; fewer queues, traffic classes or offloads on the port; for Mellanox NUM_OF_VFS "
        "in its firmware.",
    ),
    Row(
        "nic-no-sriov",
        NIC,
        "The adapter or its slot cannot do SR-IOV as it is set up.",
        (
            form(
                r"This device is not capable of SR-IOV",
                "ice 0000:03:00.0: This device is not capable of SR-IOV",
            ),
            form(
                r"SR-IOV cannot be configured - Device is in Safe Mode",
                "ice 0000:03:00.0: SR-IOV cannot be configured - Device is in Safe Mode",
            ),
            form(
                r"ARI not supported \(check pci bridge ARI forwarding\), SRIOV can not be enabled",
                "bnx2x 0000:3b:00.0: ARI not supported (check pci bridge ARI forwarding), SRIOV can not "
                "be enabled",
            ),
            form(
                r"IGU not normal mode, +SRIOV can not be enabled",
                "bnx2x 0000:3b:00.0: IGU not normal mode,  SRIOV can not be enabled",
            ),
            form(
                r"Forced MSI/INTx mode is incompatible with SRIOV",
                "bnx2x 0000:3b:00.0: Forced MSI/INTx mode is incompatible with SRIOV",
            ),
            form(
                r"SRIOV is not supported with XDP",
                "ixgbe 0000:03:00.0: SRIOV is not supported with XDP",
            ),
        ),
        refs=("F12", "F13", "F127"),
        decide=("dmesg | grep <device>", "lspci -vvs <device> | grep -e SR-IOV -e ARI"),
        cure="The adapter's firmware package (ice: DDP) and settings, ARI and SR-IOV in the board's setup.",
        acts="firmware",
    ),
    Row(
        "nic-vfs-in-guests",
        NIC,
        "VFs of the port are in guests, so the driver leaves them as they are.",
        (
            form(
                r"VFs are assigned - not disabling SR-IOV",
                "i40e 0000:03:00.0: VFs are assigned - not disabling SR-IOV",
            ),
            form(
                r"Unloading driver while VFs are assigned",
                "ixgbe 0000:03:00.0: Unloading driver while VFs are assigned - VFs will not be deallocated",
            ),
            form(
                r"annot deallocate SR-IOV virtual functions while they are assigned",
                "igb 0000:03:00.0: Cannot deallocate SR-IOV virtual functions while they are assigned - "
                "VFs will not be deallocated",
            ),
            form(
                r"Reset not allowed when VFs are assigned to VMs",
                "bnxt_en 0000:3b:00.0: Reset not allowed when VFs are assigned to VMs",
            ),
        ),
        refs=("F128", "F137"),
        decide=("virsh list", "sudo fuser -v /dev/vfio/*"),
        cure="Shut the guests down that have VFs of the port.",
    ),
    Row(
        "nic-pf-down",
        NIC,
        "The VF waits for its port: the port is down on the host.",
        (
            form(
                r"PF still in reset state\. +Is the PF interface up\?",
                "ixgbevf 0000:03:10.0: PF still in reset state.  Is the PF interface up?",
                "igbvf 0000:03:10.0: PF still in reset state. Is the PF interface up?",
            ),
            form(
                r"perhaps the PF Driver isn't up yet",
                "ixgbevf: Unable to start - perhaps the PF Driver isn't up yet",
            ),
            form(
                r"he VF (?:MAC address|VLAN) has been set, but the PF device is not up",
                "ixgbe 0000:03:00.0: The VF MAC address has been set, but the PF device is not up.",
                "igb 0000:03:00.0: The VF VLAN has been set, but the PF device is not up.",
            ),
            form(
                r"ring the PF device up before attempting to use the VF device",
                "igb 0000:03:00.0: Bring the PF device up before attempting to use the VF device.",
            ),
            form(
                r"iavf <device>: Failed to communicate with PF; waiting before retry",
                "iavf 0000:03:02.0: Failed to communicate with PF; waiting before retry",
            ),
        ),
        refs=("F133",),
        weight=HURTS,
        decide=("ip link show",),
        cure="ip link set the port up, and up at boot.",
    ),
    Row(
        "nic-vf-denied",
        NIC,
        "The guest wants more of its VF than the host allows: another MAC address, a VLAN, promiscuous "
        "mode.",
        (
            form(
                r"attempt(?:ed|ing) to override administratively set (?:MAC address|VLAN tag)",
                "i40e 0000:03:00.0: VF attempting to override administratively set MAC address, bring "
                "down and up the VF interface to resume normal operation",
                "igb 0000:03:00.0: VF 1 attempted to override administratively set MAC address",
                "igb 0000:03:00.0: VF 1 attempted to override administratively set VLAN tag",
            ),
            form(
                r"switch the VF to trusted",
                "i40e 0000:03:00.0: Cannot add more MAC addresses, VF is not trusted, switch the VF to "
                "trusted to add more functionality",
                "ice 0000:03:00.0: Can't add more MAC addresses, because VF-1 is not trusted, switch "
                "the VF to trusted mode in order to add more functionalities",
            ),
            form(
                r"nprivileged VF <vf:count> is attempting to configure promiscuous mode",
                "i40e 0000:03:00.0: Unprivileged VF 1 is attempting to configure promiscuous mode",
            ),
            form(
                r"(?:<count> Spoofed packets|Spoof event\(s\)) detected",
                "ixgbe 0000:03:00.0: 12 Spoofed packets detected",
                "igb 0000:03:00.0: Spoof event(s) detected on VF 1",
            ),
        ),
        refs=("F134",),
        weight=HURTS,
        decide=("ip -d link show",),
        cure="Where the guest may: ip link set PF vf N trust on, spoofchk off; else the address that the "
        "host gave.",
        acts="guest",
    ),
    Row(
        "nic-vf-random-mac",
        NIC,
        "The host gave the VF no address, so it made up its own, another at each start.",
        (
            form(
                r"MAC address not assigned by administrator",
                "ixgbevf 0000:03:10.0: MAC address not assigned by administrator.",
            ),
            form(
                r"Assigning random MAC address",
                "ixgbevf 0000:03:10.0: Assigning random MAC address",
            ),
        ),
        refs=("F135",),
        weight=HARMLESS,
        cure="<interface type='hostdev'> with a <mac>, or ip link set PF vf N mac.",
    ),
    Row(
        "nic-gone",
        NIC,
        "The adapter no longer answers its driver.",
        (
            form(
                r"ixgbe(?:vf)? <device>: Adapter removed",
                "ixgbe 0000:03:00.0: Adapter removed",
                "ixgbevf 0000:03:10.0: Adapter removed",
            ),
            form(
                r"(?:igb|igc) .{0,60}PCIe link lost",
                "igb 0000:03:00.0 enp3s0: PCIe link lost",
                "igc 0000:03:00.0 enp3s0: PCIe link lost, device now detached",
            ),
            form(
                r"device's health compromised - reached miss count",
                "mlx5_core 0000:3b:00.0: poll_health:795:(pid 0): device's health compromised - reached "
                "miss count",
            ),
            form(
                r"Firmware over <ms:count> MS in (?:pre-)?initializing state, aborting",
                "mlx5_core 0000:3b:00.0: mlx5_function_setup:977:(pid 1): Firmware over 120000 MS in "
                "pre-initializing state, aborting",
            ),
            form(
                r"Firmware not responding, status: 0x",
                "bnxt_en 0000:3b:00.0: Firmware not responding, status: 0x8000",
            ),
            form(r"HW Init failed: -<code:count>", "ixgbe 0000:03:00.0: HW Init failed: -12"),
        ),
        refs=("F106", "F117"),
        decide=(OF_DEVICE, "dmesg | grep <device>"),
        cure="Power-cycle; slot and firmware of the adapter; in a guest, whether the host's device is "
        "alive.",
        acts="vendor",
    ),
    Row(
        "nic-vf-broke-bus",
        NIC,
        "A VF in a guest caused an error on the bus.",
        (
            form(
                r"VF <vf:count> has caused a PCIe error",
                "ixgbe 0000:03:00.0: VF 3 has caused a PCIe error",
            ),
            form(
                r"Malicious Driver Detection event detected on PF",
                "ixgbe 0000:03:00.0: Malicious Driver Detection event detected on PF 0 VF 3 MAC: "
                "02:00:00:00:00:03 mdd-disable-vf=on",
            ),
        ),
        refs=("F115", "F134"),
        weight=HURTS,
        decide=("dmesg | grep -e AER -e <device>",),
        cure="The VF's driver in the guest; a newer one.",
        acts="guest",
    ),
    Row(
        "nic-vfs-found-at-load",
        NIC,
        "VFs were there before the port's driver; their drivers have to be loaded anew.",
        (
            form(
                r"Virtual Functions already enabled for this device - Please reload all VF drivers",
                "ixgbe 0000:03:00.0: Virtual Functions already enabled for this device - Please reload "
                "all VF drivers to avoid spoofed packet errors",
            ),
            form(
                r"pre-allocated VFs found - override max_vfs setting",
                "igb 0000:03:00.0: 2 pre-allocated VFs found - override max_vfs setting of 0",
            ),
        ),
        refs=("F137",),
        weight=HURTS,
        decide=("cat /sys/bus/pci/devices/<device>/sriov_numvfs",),
        cure="Restart the guests that have VFs of the port.",
    ),
    Row(
        "nic-max-vfs-word",
        NIC,
        "VFs are made by an option of the driver, which is old and may go.",
        (
            form(
                r"VFs using the (?:max_vfs )?module parameter is deprecated",
                "ixgbe 0000:03:00.0: Enabling SR-IOV VFs using the max_vfs module parameter is deprecated "
                "- please use the pci sysfs interface instead.",
                "igb 0000:03:00.0: Enabling SR-IOV VFs using the module parameter is deprecated - please "
                "use the pci sysfs interface.",
            ),
            form(
                r"max_vfs parameter out of range\. +Not assigning any SR-IOV VFs",
                "ixgbe 0000:03:00.0: max_vfs parameter out of range. Not assigning any SR-IOV VFs",
            ),
        ),
        refs=("F129",),
        weight=HARMLESS,
    ),
)

"""How a host is set up so that what it lives on is not where it seems: shell that root runs."""

from tests.lab.kernel import words
from tests.lab.parts import write
from tests.lab.trunk import VLAN

_NETWORK = "/etc/systemd/network"
_VLAN = f"bond0.{VLAN}"
_SAME = "MACAddress=52:54:00:0a:00:01"  # QEMU's network remembers whose the address was
NETSTACK = (
    write(
        f"{_NETWORK}/10-management.network",
        "[Match]\nPermanentMACAddress=52:54:00:0a:00:01\n\n[Network]\nBond=bond0",
    )
    + write(
        f"{_NETWORK}/bond0.netdev",
        f"[NetDev]\nName=bond0\nKind=bond\n{_SAME}\n\n[Bond]\nMode=active-backup\nMIIMonitorSec=100ms",
    )
    + write(
        f"{_NETWORK}/bond0.network",
        f"[Match]\nName=bond0\n\n[Network]\nVLAN={_VLAN}\nLinkLocalAddressing=no",
    )
    + write(f"{_NETWORK}/vlan.netdev", f"[NetDev]\nName={_VLAN}\nKind=vlan\n\n[VLAN]\nId={VLAN}")
    + write(f"{_NETWORK}/vlan.network", f"[Match]\nName={_VLAN}\n\n[Network]\nBridge=br0")
    + write(f"{_NETWORK}/br0.netdev", f"[NetDev]\nName=br0\nKind=bridge\n{_SAME}")
    + write(
        f"{_NETWORK}/br0.network",
        "[Match]\nName=br0\n\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n"
        "LinkLocalAddressing=no",
    )
)
"""The management NIC in a bond, a VLAN on the bond, a bridge on the VLAN: all traffic goes so."""

CRYPT_NEEDS = words("cryptsetup-initramfs lvm2 fdisk e2fsprogs")
CRYPT = """
sfdisk -q --relocate gpt-bak-std /dev/vda
printf 'size=400M,type=L\\ntype=L\\n' | sfdisk -q --append --no-reread --force /dev/vda
partx --add --nr 4: /dev/vda; udevadm settle
mkdir -m 700 -p /etc/keys; head -c 32 /dev/urandom >/etc/keys/vault.key
cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vda5 /etc/keys/vault.key
cryptsetup open --key-file /etc/keys/vault.key /dev/vda5 vault
pvcreate -qq /dev/mapper/vault; vgcreate -qq host /dev/mapper/vault
lvcreate -qq --yes -n root -l 100%FREE host
mkfs.ext4 -q -L boot /dev/vda4; mkfs.ext4 -q /dev/host/root
mount /dev/host/root /mnt; cp -ax / /mnt
mv /mnt/boot /mnt/boot.old; mkdir /mnt/boot; mount /dev/vda4 /mnt/boot
cp -a /mnt/boot.old/. /mnt/boot; rm -r /mnt/boot.old
printf '%s ext4 defaults 0 1\n' '/dev/host/root /' 'LABEL=boot /boot' >/mnt/etc/fstab
uuid=$(cryptsetup luksUUID /dev/vda5)
echo "vault UUID=$uuid /etc/keys/vault.key luks,initramfs" >/mnt/etc/crypttab
echo 'KEYFILE_PATTERN="/etc/keys/*.key"' >>/mnt/etc/cryptsetup-initramfs/conf-hook
echo UMASK=0077 >>/mnt/etc/initramfs-tools/initramfs.conf
for folder in dev proc sys run; do mount --rbind /$folder /mnt/$folder; done
chroot /mnt sh -ec 'update-initramfs -u; grub-install /dev/vda; update-grub' 2>&1
sync
"""
"""Root on LVM on LUKS in the free end of the disk; its key is in the initramfs beside it.

Nobody is there to type a passphrase, and what is judged is the way down, not the secrecy.
"""

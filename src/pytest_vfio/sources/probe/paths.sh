# -- what guests name ----------------------------------------------------------------------------

# Every path in the files of guests, with the folders above it; libvirt's hooks, the nodes of VFIO,
# the initramfs and what it is made from. A line each: mode, numeric owner and group, when it was
# last written (seconds since 1970), path without its leading slash; or `absent`.
named_paths() {
  if [ "$ME" != 0 ] && [ ! -r "$R/etc/libvirt/qemu" ]; then
    without paths 'denied the files of guests are read by root only'
    return
  fi
  if ! have stat; then
    without paths 'not collected no command stat'
    return
  fi
  run paths 15 sh -c '
    cd "$1/" || exit 1
    skip=$2
    exec 4>&1
    {
      for f in etc/libvirt/qemu/*.xml run/libvirt/qemu/*.xml; do
        [ ! -r "$f" ] || cat "$f"
      done | tr "\042\047<>" "\n\n\n\n" | grep -a "^[[:space:]]*/[^/]*/" |
        sed "s,^[[:space:]]*,,; s,[[:space:]]*\$,,; s,//*,/,g; s,\(.\)/\$,\1,"
      printf "/%s\n" dev/vfio/* etc/libvirt/hooks/* etc/libvirt/hooks/qemu.d/* \
        etc/modprobe.d/* etc/modules etc/initramfs-tools/modules \
        etc/dracut.conf.d/* etc/mkinitcpio.conf "boot/initrd.img-$3" "boot/initramfs-$3.img" \
        bin/sh bin/bash usr/bin/env usr/bin/python3 usr/bin/perl usr/bin/swtpm
    } | awk "{ p = \$0; while (p != \"\") { print substr(p, 2); sub(/\/[^\/]*\$/, \"\", p) } }" |
      sort -u | head -n 5000 | while IFS= read -r p; do
        case "/$p" in *"*"*) continue ;; esac
        for m in $skip; do case "/$p/" in "$m"/*) continue 2 ;; esac; done
        if [ -e "$p" ]; then printf "%s\0" "$p"; else printf "absent %s\n" "$p" >&4; fi
      done | xargs -0 -r stat -L -c "%A %u %g %Y %n" --
  ' sh "$R" "$AUTO" "$RELEASE"
}

# Who QEMU runs as: the user that qemu.conf names, and those of the distributions.
qemu_users() {
  run users/qemu 5 sh -c '
    asked=$(sed -n "s/^[[:space:]]*user[[:space:]]*=[[:space:]]*\"+*\([^\"]*\)\".*/\1/p" "$1" 2>/dev/null)
    for name in $asked libvirt-qemu qemu; do id -- "$name" 2>/dev/null; done
    :
  ' sh "$R/etc/libvirt/qemu.conf"
}

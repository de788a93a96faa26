# -- the boot loader, the logs of guests ---------------------------------------------------------

boot_loader() {
  if [ ! -d "$R/sys/firmware/efi" ]; then
    without bootctl 'not collected not booted by EFI'
  elif sleeping_mount /boot/efi || sleeping_mount /efi; then
    without bootctl "$ASLEEP_THERE"
  else
    run bootctl 10 bootctl --no-pager status
  fi
}

guest_logs() {
  FOUND=
  list_dir var/log/libvirt/qemu/ '*.log'
  with_found tails
}

tails() {            # the ends of all logs with one tail
  [ $# -gt 0 ] || return 0
  say mode file
  printf '%s\n' "$@"
  say mode tail
  if [ -n "$LIMITER" ]; then
    timeout -k 2 10 tail -n 400 "$@" /dev/null 2>/dev/null </dev/null
  else
    limited 10 tail -n 400 "$@" /dev/null 2>/dev/null </dev/null
  fi
  say tails
}

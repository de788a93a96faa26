# -- PCI devices ---------------------------------------------------------------------------------
#
# Which files of theirs are read is told by VALUES, LINKS and NAMES (patterns), AWAKE_FILES and
# LOCKED_FILES (names).

MANY=400             # from here on a grep for each kind of file: an argument list is not endless

pci_devices() {
  tree sys/bus/pci/devices || return 0
  find_sleepers
  set -- *
  patience=$((5 + $# / 50))
  if [ $# -lt "$MANY" ]; then
    values '' $VALUES
    links ./* $LINKS
  else
    set -f
    set -- $VALUES
    set +f
    for f; do values '' $f; done
    links ./*
    set -f
    set -- $LINKS
    set +f
    for f; do links $f; done
  fi
  names $NAMES
  PCI_SEEN=1
  say end "truncated $READ_ON"
}

# What may wait inside the kernel, for as long as somebody else likes, is read last, by a process
# that can be left behind, so that all the rest is there by then:
#   sriov_numvfs, driver_override  take the device's lock (drivers/pci/iov.c, pci-sysfs.c), which an
#                unbind or a removal holds until whoever has the device open lets go
#   config       waits, deaf to signals, while a reset keeps it closed (pci_wait_cfg in access.c)
#   link speeds, bus numbers       have the device and the port above it powered up first
READ_ON="what may wait for a device comes last"
PCI_SEEN=

pci_rest() {
  [ -n "$PCI_SEEN" ] && cd "$R/sys/bus/pci/devices" || return 0
  say item 'sys/bus/pci/devices more'
  for a in $ASLEEP; do
    for f in $AWAKE_FILES; do [ -e "$a/$f" ] && printf '%s/%s!not collected\n' "$a" "$f"; done
  done
  from_both_ends pci_files "$AWAKE $ASLEEP" || {
    say mode unread timed out
    for a in $AWAKE; do
      for f in $AWAKE_FILES $LOCKED_FILES; do [ -e "$a/$f" ] && printf '%s/%s\n' "$a" "$f"; done
    done
    for a in $ASLEEP; do
      for f in $LOCKED_FILES; do [ -e "$a/$f" ] && printf '%s/%s\n' "$a" "$f"; done
    done
  }
  say end present
}

pci_files() {        # of the addresses in ORDER
  for a in $ORDER; do
    case " $ASLEEP " in
      *" $a "*) ;;
      *) for f in $AWAKE_FILES; do [ -e "$a/$f" ] && small_values "$a/$f"; done ;;
    esac
    for f in $LOCKED_FILES; do [ -e "$a/$f" ] && small_values "$a/$f"; done
  done
  return 0
}

pci_config() {
  tree sys/bus/pci/config sys/bus/pci/devices || return 0
  for a in $ASLEEP; do printf '%s!not collected\n' "$a"; done
  from_both_ends config_bytes "$AWAKE" || {
    say mode unread timed out
    for a in $AWAKE; do [ -e "$a/config" ] && printf '%s\n' "$a"; done
  }
  say end present
}

config_bytes() {     # of the addresses in ORDER; it ends as od, so that what kills it kills od
  set --
  say mode address
  for a in $ORDER; do
    [ -e "$a/config" ] || continue
    printf '%s\n' "$a"
    set -- "$@" "$a/config" "$R/proc/sys/kernel/random/boot_id"
  done
  [ $# -gt 0 ] || return 0
  if [ "$ME" = 0 ]; then say mode config 1; else say mode config; fi
  # line by line, so that what was read before one that hangs is not lost in a buffer
  if have stdbuf; then exec stdbuf -oL od -Ad -tx1 "$@" 2>/dev/null </dev/null; fi
  exec od -Ad -tx1 "$@" 2>/dev/null </dev/null
}

# One that hangs hides those behind it, so the others are tried from the other end.
from_both_ends() {   # FUNCTION ADDRESSES; false where it was left behind
  ORDER=$2
  guarded "$patience" "$1" && return 0
  ORDER=
  for a in $2; do ORDER="$a $ORDER"; done
  guarded 3 "$1"
  return 1
}

# The part of the host's own list of PCI ids that is about what is here: vendors, devices, classes.
pci_names() {
  for f in "$R/usr/share/misc/pci.ids" "$R/usr/share/hwdata/pci.ids" ''; do
    [ -r "$f" ] && break
  done
  [ -n "$f" ] || { without pci.ids 'absent the host has no list of PCI ids'; return; }
  ids=
  for a in "$R"/sys/bus/pci/devices/*; do
    v= d= c=
    { read -r v <"$a/vendor"; read -r d <"$a/device"; read -r c <"$a/class"; } 2>/dev/null
    ids="$ids $v:$d:$c"
  done
  run pci.ids 5 awk -v ids="$ids" '
    BEGIN {
      count = split(ids, each, " ")
      for (i = 1; i <= count; i++) {
        split(each[i], part, ":")
        vendor = substr(part[1], 3, 4)
        wanted[vendor]
        wanted[vendor ":" substr(part[2], 3, 4)]
        class = substr(part[3], 3, 2)
        wanted["C " class]
        wanted["C " class ":" substr(part[3], 5, 2)]
      }
    }
    /^[0-9a-f]/ { above = substr($0, 1, 4); if (above in wanted) print; next }
    /^C /       { above = substr($0, 1, 4); if (above in wanted) print; next }
    /^\t[0-9a-f]/ { split($0, word); if ((above ":" word[1]) in wanted) print }' "$f"
}

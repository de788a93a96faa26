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
  for a in $AWAKE; do
    for f in $AWAKE_FILES; do [ -e "$a/$f" ] && small_values "$a/$f"; done
  done
  for a in $ASLEEP; do
    for f in $AWAKE_FILES; do [ -e "$a/$f" ] && printf '%s/%s!not collected\n' "$a" "$f"; done
  done
  guarded "$patience" pci_locked || for a in *; do
    for f in $LOCKED_FILES; do [ -e "$a/$f" ] && printf '%s/%s!timed out\n' "$a" "$f"; done
  done
  say end present
}

# These wait for the device's lock, which a driver that is being unbound may hold for ever.
pci_locked() {
  for a in *; do
    for f in $LOCKED_FILES; do [ -e "$a/$f" ] && small_values "$a/$f"; done
  done
}

pci_config() {
  tree sys/bus/pci/config sys/bus/pci/devices || return 0
  for a in $ASLEEP; do printf '%s!not collected\n' "$a"; done
  set --
  say mode address
  for a in $AWAKE; do
    [ -e "$a/config" ] || continue
    printf '%s\n' "$a"
    set -- "$@" "$a/config" "$R/proc/sys/kernel/random/boot_id"
  done
  if [ $# -gt 0 ]; then
    if [ "$ME" = 0 ]; then say mode config 1; else say mode config; fi
    od -Ad -tx1 "$@" 2>/dev/null </dev/null
  fi
  say end present
}

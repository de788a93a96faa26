# -- libvirt ---------------------------------------------------------------------------------------

# An address that reaches the daemon which runs, and cannot wake another one's socket: libvirt's
# own choice depends on which sockets there are.
uri() {              # MODULAR DAEMON, ITS DRIVER -> URI; false where none runs
  if runs "$1"; then
    URI=$2:///system
    [ ! -e "$R/run/libvirt/libvirt-sock-ro" ] || URI="$URI?mode=direct"
  elif runs libvirtd; then
    URI=qemu:///system
    [ ! -e "$R/run/libvirt/virtqemud-sock-ro" ] || URI="$URI?mode=legacy"
  else
    return 1
  fi
}

# One virsh for all objects: `dumpxml A; dumpxml B`.
ask_each() {         # NAME SECONDS VERB IDS [SUFFIX]
  every=
  for id in $4; do
    case $id in *[!0-9A-Za-z_-]*) continue ;; esac
    every="$every$3 $id${5-}; "
  done
  if [ -z "$every" ]; then
    without "$1" present
  elif [ ${#every} -gt 120000 ]; then
    without "$1" 'failed too many objects for one command line'
  else
    run "$1" "$2" virsh -r -c "$URI" "${every%; }"
  fi
}

listed() {           # WORDS -> LIST; false where virsh failed
  if [ -n "$LIMITER" ]; then
    LIST=$(timeout -k 2 15 virsh -r -q -c "$URI" "$@" 2>/dev/null </dev/null)
  else
    LIST=$(limited 15 virsh -r -q -c "$URI" "$@" 2>/dev/null </dev/null)
  fi
}

libvirt() {
  why='not collected daemon not running'
  have virsh || why='not collected no command virsh'
  unasked='version list list-autostart dumpxml dumpxml-inactive capabilities'
  if have virsh && uri virtqemud qemu; then
    run virsh/version 10 virsh -r -c "$URI" version --daemon
    unasked=${unasked#version }
    case $code in
      124 | 137 | 143) RUNNING= why='not collected libvirt does not answer' ;;
    esac
  fi
  if have virsh && uri virtqemud qemu; then
    run virsh/list 10 virsh -r -c "$URI" list --all
    run virsh/list-autostart 10 virsh -r -c "$URI" list --all --autostart
    if listed list --all --uuid; then
      ask_each virsh/dumpxml 20 dumpxml "$LIST"
    else
      without virsh/dumpxml 'failed no list of guests'
    fi
    if listed list --all --persistent --uuid; then
      ask_each virsh/dumpxml-inactive 20 dumpxml "$LIST" ' --inactive'
    else
      without virsh/dumpxml-inactive 'failed no list of guests'
    fi
    run virsh/capabilities 15 virsh -r -c "$URI" capabilities
  else
    for f in $unasked; do
      without "virsh/$f" "$why"
    done
  fi
  if have virsh && uri virtnetworkd network; then
    if listed net-list --all --uuid; then
      ask_each virsh/net-dumpxml 15 net-dumpxml "$LIST"
    else
      without virsh/net-dumpxml 'failed no list of networks'
    fi
  else
    without virsh/net-dumpxml "$why"
  fi
  if have virsh && uri virtstoraged storage; then
    run virsh/pool-list 10 virsh -r -c "$URI" pool-list --all
  else
    without virsh/pool-list "$why"
  fi
  if have virsh && uri virtnodedevd nodedev; then
    node_devices
  else
    without virsh/nodedev-dumpxml "$why"
  fi
}

# libvirt itself looks at a device before it describes it (at its SR-IOV files, its group and, where
# it is new enough, its VPD), and so would wake one that sleeps.
node_devices() {
  if ! listed nodedev-list; then
    without virsh/nodedev-dumpxml 'failed no list of devices'
    return
  fi
  asleep=
  for a in $ASLEEP; do
    rest=${a#*:}
    slot=${rest#*:}
    asleep="$asleep pci_${a%%:*}_${rest%%:*}_${slot%.*}_${slot#*.}"
  done
  chosen=
  for id in $LIST; do
    case $id in pci_*) ;; *) continue ;; esac
    case " $asleep " in
      *" $id "*) EXTENT='grepped devices that sleep are left alone' ;;
      *) chosen="$chosen $id" ;;
    esac
  done
  ask_each virsh/nodedev-dumpxml 30 nodedev-dumpxml "$chosen"
  EXTENT=
}

# -- processes -----------------------------------------------------------------------------------

# Which of libvirt's daemons run: by name, owned by root, and in this mount namespace (a container
# may run its own). Sockets that only wait are told, and left alone.
RUNNING=
daemons() {
  cd / || exit         # out of the trees
  say mode process
  found= installed=
  for p in "$R"/proc/[0-9]*; do
    comm=
    { read -r comm <"$p/comm"; } 2>/dev/null
    [ -n "$comm" ] || continue
    printf '%s %s\n' "${p##*/}" "$comm"
    case $comm in
      libvirtd | virtqemud | virtnodedevd | virtnetworkd | virtstoraged | virtproxyd | virtlogd | \
        virtlockd | virtinterfaced) ;;
      *) continue ;;
    esac
    owner=
    { while read -r word owner rest; do [ "$word" = Uid: ] && break; done <"$p/status"; } 2>/dev/null
    [ "$owner" = 0 ] || continue
    if [ -e "$p/ns/mnt" ] && [ -e "$R/proc/self/ns/mnt" ]; then
      # shellcheck disable=SC3013 # not POSIX, but dash, bash and busybox have it
      [ "$p/ns/mnt" -ef "$R/proc/self/ns/mnt" ] || continue
    fi
    found="$found
${p##*/} $comm running"
    RUNNING="$RUNNING $comm"
  done
  for s in libvirtd virtqemud; do
    for p in /usr/sbin /usr/bin /sbin /usr/local/sbin /run/current-system/sw/bin; do
      [ -e "$R$p/$s" ] && installed=1
    done
  done
  if [ -z "$found$installed" ] && [ ! -d "$R/run/libvirt" ]; then
    without libvirt/daemons 'absent libvirt is not installed'
    return
  fi
  say item libvirt/daemons
  [ -z "$found" ] || printf '%s\n' "${found#?}"
  # the file outlives a socket that is closed
  listening=$(grep -a ' 00010000 .*/run/libvirt/' "$R/proc/net/unix") 2>/dev/null
  for s in "$R"/run/libvirt/*-sock-ro; do
    [ -e "$s" ] || continue
    s=${s##*/}
    if [ -r "$R/proc/net/unix" ]; then
      case $listening in */run/libvirt/"$s"*) ;; *) continue ;; esac
    fi
    s=${s%-sock-ro}
    [ "$s" = libvirt ] && s=libvirtd
    runs "$s" || printf '%s socket only\n' "$s"
  done
  say end present
}

runs() {             # DAEMON
  case " $RUNNING " in *" $1 "*) return 0 ;; esac
  return 1
}

# Who holds a VFIO file open, and which connections are sshd's. Of other users' processes only root
# may ask. Not by ss(8): it has the kernel load a module (tcp_diag).
openers() {
  if [ "$ME" != 0 ]; then
    without vfio/openers 'denied only own processes can be looked into'
    without sockets/sshd 'denied whose sockets they are is told to root only'
    return
  fi
  MODE=opener OK='1 2'                 # processes come and go
  run vfio/openers 10 ls -ln /dev/null "$R"/proc/[0-9]*/fd
  outcome=$code
  order=
  { read -r order <"$R/sys/kernel/cpu_byteorder"; } 2>/dev/null
  set -- "$R/proc/net/tcp"
  [ ! -e "$R/proc/net/tcp6" ] || set -- "$@" "$R/proc/net/tcp6"
  if [ "$outcome" -gt 2 ]; then
    without sockets/sshd 'failed not all processes could be looked into'
  elif [ "$order" = big ]; then
    without sockets/sshd 'not collected a CPU with the high byte first'
  elif [ ! -r "$1" ]; then
    without sockets/sshd 'failed /proc/net/tcp cannot be read'
  else
    MODE=tcp OK=
    run sockets/sshd 10 cat "$@"
  fi
  MODE=raw OK=
}

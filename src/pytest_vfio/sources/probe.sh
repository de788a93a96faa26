#!/bin/sh
# pytest-vfio's probe: prints what it finds on this host as one text stream, and changes nothing.
#
#     sh probe.sh >HOST.vfio          as root where it may be; what another user may not read is
#                                     said to be denied. HOST.vfio is a bundle: pytest --bundle
#
# It writes no file, loads no module, wakes no device, starts no daemon. libvirt is asked only
# where its daemon runs already: connecting to the socket of one that does not would start it, and
# with it every guest marked autostart.
#
# Needs sh (dash, bash, busybox ash), awk, grep, ls, od; any other command that is missing costs
# only its own item. The number of processes does not grow with the number of devices.
# The format is told in pytest_vfio/sources/recording.py, the items in pytest_vfio/sources/items.py.

unset ENV BASH_ENV CDPATH GREP_OPTIONS GREP_COLOR POSIXLY_CORRECT
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin
IFS=' 	
'
export LC_ALL PATH
umask 077
set -u

R=${PROBE_ROOT-}     # tests read a made-up tree; never set on a host
COUNT=0              # items so far
ME=                  # user id

# -- the stream -------------------------------------------------------------------------------

item() {             # NAME [FLAG]
  COUNT=$((COUNT + 1))
  printf '%%item %s\n' "$1${2:+ $2}"
}

end() {              # STATUS AND DETAIL
  printf '%%end %s\n' "$1"
}

without() {          # NAME STATUS AND DETAIL: an item of which nothing was read
  item "$1"
  end "$2"
}

have() {             # COMMAND
  command -v "$1" >/dev/null 2>&1
}

first_line() {       # TEXT -> LINE: one line, not too long, of what a command said
  LINE=${1%%"
"*}
  case $LINE in
    ????????????????????????????????????????????????????????????????????????????????????????????????????????????????????????*)
      LINE=$(printf '%.200s' "$LINE") ;;
  esac
}

# Sets WHY to the word for a path that cannot be read as a file, or to nothing.
why_not() {          # PATH
  WHY=
  if [ -f "$1" ]; then
    [ -r "$1" ] || WHY='denied not readable'
    return
  fi
  if [ -e "$1" ]; then
    WHY='failed not a regular file'
    return
  fi
  if [ -L "$1" ]; then
    WHY='absent dangling link'
    return
  fi
  absent_or_hidden "$1"
}

absent_or_hidden() { # PATH that test(1) cannot see: is it not there, or is the way to it closed?
  up=$1
  while :; do
    case $up in
      */*) up=${up%/*} ;;
      *) break ;;
    esac
    [ -n "$up" ] || break
    if [ -d "$up" ]; then
      if [ -x "$up" ]; then WHY=absent; else WHY="denied no way into ${up#"$R"}"; fi
      return
    fi
  done
  WHY=absent
}

# -- files ------------------------------------------------------------------------------------

# One grep reads all files and says of each that it cannot read why. Its lines come as PATH:LINE,
# so that one awk can turn them into items.
FILES_AWK='
function name(path,   s) {
  s = substr(path, length(root) + 2)
  gsub(/%/, "%25", s); gsub(/ /, "%20", s); gsub(/\t/, "%09", s)
  return s
}
function status(why) {
  if (why ~ /No such file/) return "absent"
  if (why ~ /denied|not permitted/) return "denied " why
  return "failed " why
}
/^%F / && !reading { path[++n] = substr($0, 4); next }
/^%R$/ && !reading { reading = 1; at = 1; next }
/^%E/ {
  if ((i = index($0, ": ")) == 0) next
  said = substr($0, i + 2)
  for (i = 1; i <= n; i++)
    if (substr(said, 1, length(path[i]) + 2) == path[i] ": ") {
      error[i] = substr(said, length(path[i]) + 3); next
    }
  broken = substr($0, 3)
  next
}
{
  for (i = at; i <= n; i++)
    if (substr($0, 1, length(path[i]) + 1) == path[i] ":") {
      at = i
      text = substr($0, length(path[i]) + 2)
      if ((size[i] += length(text) + 1) > max) { big[i] = 1; next }
      line[++lines] = text
      if (!(i in from)) from[i] = lines
      to[i] = lines
      next
    }
}
END {
  for (i = 1; i <= n; i++) {
    shown = name(path[i])
    print "%item " shown
    hidden = shown == "proc/iomem" && (i in from)
    if (i in from) {
      for (j = from[i]; j <= to[i] && hidden; j++) if (line[j] !~ /^ *0+-0+ :/) hidden = 0
      if (!hidden) for (j = from[i]; j <= to[i]; j++) print "|" line[j]
    }
    if (hidden) print "%end denied the addresses are hidden"
    else if (i in error) print "%end " status(error[i])
    else if (i in big) print "%end truncated " size[i]
    else if (broken != "") print "%end failed " broken
    else print "%end present"
  }
}'

read_files() {       # PATHS, whole
  [ $# -gt 0 ] || return 0
  n=$#
  while [ "$n" -gt 0 ]; do           # drop from the list what is no readable file
    f=$1
    shift
    n=$((n - 1))
    why_not "$f"
    case $f in *"
"*) continue ;; esac
    if [ -n "$WHY" ]; then
      odd_name "${f#"$R"/}"
      without "$NAME" "$WHY"
    else
      set -- "$@" "$f"
      COUNT=$((COUNT + 1))
    fi
  done
  [ $# -gt 0 ] || return 0
  {
    printf '%%F %s\n' "$@"
    echo %R
    e=$(limited 15 grep $GREP_TEXT -H -m 400000 '' "$@" 2>&1 >&4)
    case $? in
      0 | 1 | 2) ;;
      *) e="grep: reading took too long
$e" ;;
    esac
    [ -z "$e" ] || printf '%s\n' "$e" | sed 's/^/%E/'
  } 4>&1 | awk -v root="$R" -v max=8000000 "$FILES_AWK"
}

odd_name() {         # NAME -> NAME with blanks written as the stream wants them
  case $1 in
    *[\ \	%]*) NAME=$(printf '%s\n' "$1" | sed 's/%/%25/g; s/ /%20/g; s/	/%09/g') ;;
    *) NAME=$1 ;;
  esac
}

# The listing of a directory, and the names of its files (that match a pattern) added to FOUND,
# one a line.
list_dir() {         # DIR/ [PATTERN]
  d=$R/$1
  WHY=
  if [ ! -d "$d" ]; then
    if [ -e "$d" ] || [ -e "${d%/}" ]; then WHY='failed not a directory'; else absent_or_hidden "${d%/}"; fi
  elif [ ! -r "$d" ] || [ ! -x "$d" ]; then
    WHY='denied not readable'
  fi
  if [ -n "$WHY" ]; then
    without "$1" "$WHY"
    return 0
  fi
  item "$1"
  k=0
  for f in "$d"*; do
    [ -d "$f" ] && continue
    [ -e "$f" ] || [ -L "$f" ] || continue
    k=$((k + 1))
    [ "$k" -gt 5000 ] && break
    printf '|%s\n' "${f##*/}"
    # shellcheck disable=SC2254
    case ${f##*/} in ${2-*}) FOUND="$FOUND$f
" ;; esac
  done
  if [ "$k" -gt 5000 ]; then end 'truncated 5000 names'; else end present; fi
}

read_found() {       # what list_dir found
  old=$IFS
  IFS='
'
  set -f
  # shellcheck disable=SC2086
  set -- $FOUND
  set +f
  IFS=$old
  FOUND=
  read_files "$@"
}

# -- trees of small files ------------------------------------------------------------------------

# PATH:VALUE from grep -> |PATH=VALUE; what grep could not read -> |PATH!STATUS. In a flat folder
# the path has no slash; below one, its first part may hold colons (a PCI address).
TREE_AWK='
/^%E/ {
  if ((i = index($0, ": ")) == 0) next
  said = substr($0, i + 2)
  for (i = length(said); i > 0; i--) if (substr(said, i, 2) == ": ") break
  why = substr(said, i + 2)
  if (i < 2 || why ~ /No such/) next
  if (why ~ /Is a directory/) next
  print "|" substr(said, 1, i - 1) "!" (why ~ /denied|not permitted/ ? "denied" : "failed")
  next
}
{
  head = flat ? 0 : index($0, "/")
  i = index(substr($0, head + 1), ":")
  if (i) print "|" substr($0, 1, head + i - 1) "=" substr($0, head + i + 1)
}'

values() {           # flat? FILES (relative; patterns that matched nothing do no harm)
  flat=$1
  shift
  {
    e=$(limited 10 grep $GREP_TEXT -H '' "$@" 2>&1 >&4)
    [ -z "$e" ] || printf '%s\n' "$e" | sed 's/^/%E/'
  } 4>&1 </dev/null | awk -v flat="$flat" "$TREE_AWK"
}

# `ls -ldn` prints nine columns and then ` -> TARGET`.
links() {            # LINKS (relative)
  limited 10 ls -ldn "$@" 2>/dev/null </dev/null |
    awk '/^l/ && $10 == "->" { print "|" $9 "->" $11 }'
}

names() {            # PATHS (relative): that they exist
  for f; do
    case $f in *[*?[]*) continue ;; esac
    printf '|%s=\n' "$f"
  done
}

tree() {             # NAME [FOLDER if it is another]: goes there; false where it is not
  if [ -d "$R/${2-$1}" ] && cd "$R/${2-$1}" 2>/dev/null && [ -r . ]; then
    item "$1"
    return 0
  fi
  if [ -d "$R/${2-$1}" ]; then WHY='denied not readable'; else absent_or_hidden "$R/${2-$1}"; fi
  without "$1" "$WHY"
  return 1
}

# -- commands ------------------------------------------------------------------------------------

# timeout(1) of the coreutils; busybox's leaves a watcher behind that holds our pipe for a second.
set_limiter() {
  case $(timeout --version 2>/dev/null) in
    *[Cc]oreutils*) LIMITER=timeout ;;
    *) LIMITER= ;;
  esac
}

limited() {          # SECONDS COMMAND ARGUMENTS
  if [ -n "$LIMITER" ]; then
    timeout -k 2 "$@"
    return
  fi
  seconds=$1
  shift
  "$@" &
  job=$!
  alarm "$seconds" kill "$job"
  wait "$job"
  code=$?
  dismiss
  return "$code"
}

alarm() {            # SECONDS COMMAND: runs it then, unless dismissed
  (
    nap= gone=
    # -9: a shell that is about to become sleep may swallow any other
    trap 'gone=1; [ -z "$nap" ] || kill -9 "$nap"' TERM
    sleep "$1" &
    nap=$!
    [ -z "$gone" ] || kill -9 "$nap"
    wait "$nap"
    [ -z "$gone" ] || exit
    shift
    "$@"
  ) </dev/null >/dev/null 2>&1 3>&- 4>&- &
  watch=$!
}

dismiss() {
  kill "$watch"
  wait "$watch"
} 2>/dev/null

TAG_AWK='
{ size += length($0) + 1; if (size > max) { print "too-long" >"/dev/stderr"; exit } print "|" $0 }'

# An item from what a command prints. OK lists exit codes beyond 0 that mean success; what the
# command says on its other output decides about denied and failed.
OK=
EXTENT=
CAP=8000000
run() {              # NAME SECONDS COMMAND ARGUMENTS
  name=$1
  seconds=$2
  shift 2
  if ! have "$1"; then
    without "$name" "not collected no command $1"
    return
  fi
  item "$name"
  said=$({ { limited "$seconds" "$@" </dev/null 3>&-; echo "%code $?" >&2; } | awk -v max="$CAP" "$TAG_AWK" >&3; } 2>&1)
  code=${said##*%code }
  said=${said%%%code *}
  code=${code%%[!0-9]*}
  first_line "$said"
  case $said in
    *too-long*) end "truncated $CAP"; return ;;
  esac
  case " 0 $OK " in
    *" $code "*)
      case $said in
        *'not seeing messages from other users'*) end 'denied only the messages of this user' ;;
        *'No journal files'*) end 'not collected no journal' ;;
        *) end "present${EXTENT:+ $EXTENT}" ;;
      esac
      return ;;
  esac
  case $code in
    124 | 137 | 143) end "timed out after $seconds s"; return ;;
  esac
  case $said in
    *[Pp]ermission\ denied* | *not\ permitted* | *[Aa]ccess\ denied* | *authenticat* | *must\ be\ root*)
      end "denied $LINE" ;;
    *) end "failed exit $code: $LINE" ;;
  esac
}

# -- what is read ---------------------------------------------------------------------------------

about() {
  printf '\n%%vfio-probe 1\n'
  if read -r host <"$R/proc/sys/kernel/hostname"; then
    printf '%%about name %s\n' "$host"
  fi 2>/dev/null
  now=$(date -u +%Y-%m-%dT%H:%M:%SZ 2>/dev/null) && printf '%%about collected %s\n' "$now"
  ME=$(id -u 2>/dev/null) || ME=unknown
  printf '%%about uid %s\n' "$ME"
  RELEASE=
  read -r RELEASE <"$R/proc/sys/kernel/osrelease" || RELEASE=
  case $RELEASE in */* | .*) RELEASE= ;; esac
} 2>/dev/null

# Folders that systemd mounts when somebody looks (an EFI partition, say) are left alone.
find_automounts() {
  AUTO=$(awk '
    { for (i = 7; i <= NF && $i != "-"; i++); if ($(i + 1) == "autofs") auto[$5] = 1; else real[$5] = 1 }
    END { for (m in auto) if (!(m in real)) printf "%s\n", m }' "$R/proc/self/mountinfo" 2>/dev/null)
}

sleeping_mount() {   # PATH: nothing has mounted it yet, and reading it would
  [ -n "$AUTO" ] || return 1
  old=$IFS
  IFS='
'
  for m in $AUTO; do
    case $1/ in
      "$m"/*) IFS=$old; return 0 ;;
    esac
  done
  IFS=$old
  return 1
}

gather_dir() {       # DIR/ [PATTERN]: into DIRS, unless it would be mounted for us
  if sleeping_mount "/${1%/}"; then
    without "$1" 'not collected an automount point that nothing has mounted'
  else
    list_dir "$@"
  fi
}

files() {
  FOUND=
  find_automounts
  for f in \
    proc/sys/kernel/osrelease proc/sys/kernel/hostname proc/sys/kernel/tainted \
    proc/sys/kernel/dmesg_restrict proc/sys/kernel/random/boot_id \
    proc/cmdline proc/version proc/uptime proc/bootconfig proc/cpuinfo proc/meminfo proc/iomem \
    proc/interrupts proc/modules proc/swaps proc/self/mountinfo proc/bus/input/devices \
    sys/kernel/security/lockdown \
    etc/machine-id etc/os-release etc/fstab etc/crypttab \
    etc/default/grub etc/default/kdump-tools etc/default/libvirt-guests etc/sysconfig/libvirt-guests \
    boot/grub/grub.cfg boot/grub2/grub.cfg boot/grub/grubenv boot/grub2/grubenv \
    boot/loader/loader.conf boot/efi/loader/loader.conf efi/loader/loader.conf \
    etc/kernel/cmdline etc/kernel/proxmox-boot-uuids run/ostree-booted \
    etc/modules etc/initramfs-tools/modules etc/dracut.conf etc/mkinitcpio.conf \
    etc/libvirt/qemu.conf etc/libvirt/libvirtd.conf var/log/dmesg
  do
    if sleeping_mount "/$f"; then
      without "$f" 'not collected an automount point that nothing has mounted'
    else
      FOUND="$FOUND$R/$f
"
    fi
  done
  gather_dir etc/default/grub.d/
  gather_dir boot/loader/entries/
  gather_dir boot/efi/loader/entries/
  gather_dir efi/loader/entries/
  for d in etc run usr/local/lib usr/lib lib; do gather_dir "$d/modprobe.d/"; done
  for d in etc usr/lib; do gather_dir "$d/modules-load.d/"; done
  gather_dir etc/dracut.conf.d/
  gather_dir usr/lib/dracut/dracut.conf.d/
  gather_dir etc/driverctl.d/
  gather_dir etc/udev/rules.d/
  gather_dir etc/systemd/network/
  gather_dir etc/libvirt/qemu/ '*.xml'
  gather_dir etc/libvirt/qemu/networks/ '*.xml'
  gather_dir run/libvirt/qemu/ '*.xml'
  gather_dir etc/libvirt/qemu/autostart/ -
  gather_dir etc/libvirt/qemu/networks/autostart/ -
  gather_dir sys/firmware/acpi/tables/ -
  read_found
}

kernel_files() {
  run uname 5 uname -a
  config=
  for f in /proc/config.gz "/boot/config-$RELEASE" "/lib/modules/$RELEASE/config"; do
    [ -n "$RELEASE" ] && [ -r "$R$f" ] && { config=$f; break; }
  done
  case $config in
    '') without kernel-config absent ;;
    *.gz) if have zcat; then run kernel-config 10 zcat "$R$config"; else run kernel-config 10 gzip -dc "$R$config"; fi ;;
    *) run kernel-config 10 cat "$R$config" ;;
  esac
  f=$R/lib/modules/$RELEASE/modules.builtin
  if [ -r "$f" ]; then run modules.builtin 10 cat "$f"; else without modules.builtin absent; fi
  f=$R/lib/modules/$RELEASE/modules.dep
  if [ -r "$f" ]; then
    run modules.dep 10 awk -F: 'tolower($1) ~ /vfio|kvm|iommu|mdev|pci[-_]stub|irqbypass/ { print $1 ":" }' "$f"
  else
    without modules.dep absent
  fi
}

tables() {
  for t in DMAR IVRS IORT; do
    f=$R/sys/firmware/acpi/tables/$t
    why_not "$f"
    if [ -n "$WHY" ]; then
      without "${f#"$R"/}" "$WHY"
      continue
    fi
    item "${f#"$R"/}" base64
    # od and not base64(1): every host has it
    e=$({ limited 5 od -An -v -tx1 "$f" </dev/null | awk "$BASE64_AWK" >&3; } 2>&1)
    case $e in
      '') end present ;;
      *denied* | *permitted*) first_line "$e"; end "denied $LINE" ;;
      *) first_line "$e"; end "failed $LINE" ;;
    esac
  done
}

BASE64_AWK='
BEGIN {
  digits = "0123456789abcdef"
  code = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
}
function group(n,   v, s) {
  v = b[1] * 65536 + b[2] * 256 + b[3]
  s = substr(code, int(v / 262144) + 1, 1) substr(code, int(v / 4096) % 64 + 1, 1)
  s = s (n > 1 ? substr(code, int(v / 64) % 64 + 1, 1) : "=") (n > 2 ? substr(code, v % 64 + 1, 1) : "=")
  out = out s
  if (length(out) >= 76) { print "|" out; out = "" }
  b[1] = b[2] = b[3] = 0
}
{
  for (i = 1; i <= NF; i++) {
    b[++k] = (index(digits, substr($i, 1, 1)) - 1) * 16 + index(digits, substr($i, 2, 1)) - 1
    if (k == 3) { group(3); k = 0 }
  }
}
END { if (k) group(k); if (out != "") print "|" out }'

# Reading config, or a file that the kernel answers from there, powers a sleeping device, or the
# port above it, up (pci_config_pm_runtime_get in drivers/pci/pci-sysfs.c). So these are read only
# where neither sleeps. AWAKE and ASLEEP are addresses, one a line.
find_sleepers() {
  AWAKE=
  ASLEEP=
  for a in *; do
    case $a in *[*?]*) continue ;; esac
    power= status= above=
    { read -r power <"$a/power_state"; } 2>/dev/null
    { read -r status <"$a/power/runtime_status"; } 2>/dev/null
    { read -r above <"$a/../power/runtime_status"; } 2>/dev/null
    case $power,$status,$above in
      D3cold,* | *,suspend* | *,resuming | *,resuming,*) ASLEEP="$ASLEEP $a" ;;
      *,suspend*,*)
        # Its own registers answer in D3hot; the port above has to be up and to stay so.
        case $power,$above in D[0123]*,active | D[0123]*,unsupported) AWAKE="$AWAKE $a" ;; *) ASLEEP="$ASLEEP $a" ;; esac ;;
      *) AWAKE="$AWAKE $a" ;;
    esac
  done
}

PCI_FILES='vendor device subsystem_vendor subsystem_device class revision irq numa_node
local_cpulist modalias resource enable boot_vga msi_bus power_state power/runtime_status
power/control d3cold_allowed ari_enabled broken_parity_status sriov_totalvfs sriov_offset
sriov_stride sriov_vf_device sriov_drivers_autoprobe aer_dev_correctable aer_dev_fatal
aer_dev_nonfatal'
PCI_ASLEEP='max_link_speed max_link_width current_link_speed current_link_width
secondary_bus_number subordinate_bus_number'
PCI_LOCKED='driver_override sriov_numvfs reset_method'
MANY=400             # from here on a grep for each kind of file: an argument list is not endless

pci_devices() {
  tree sys/bus/pci/devices || return 0
  find_sleepers
  set -- *
  if [ $# -lt "$MANY" ]; then
    set --
    for f in $PCI_FILES; do set -- "$@" */"$f"; done
    values 0 "$@"
    links ./* */driver */iommu_group */iommu */physfn */virtfn* */subsystem | sed 's,^|\./,|,'
  else
    for f in $PCI_FILES; do values 0 */"$f"; done
    links ./* | sed 's,^|\./,|,'
    for f in driver iommu_group iommu physfn 'virtfn*' subsystem; do
      # shellcheck disable=SC2086
      links */$f
    done
  fi
  names */reset */rom */vpd */net/* */msi_irqs/* */vfio-dev/* */mdev_supported_types/* */drm/* */nvme/*
  set --
  for a in $AWAKE; do
    for f in $PCI_ASLEEP; do [ -e "$a/$f" ] && set -- "$@" "$a/$f"; done
  done
  for a in $ASLEEP; do
    for f in $PCI_ASLEEP; do [ -e "$a/$f" ] && printf '|%s/%s!not collected\n' "$a" "$f"; done
  done
  small_values "$@"
  guarded 3 pci_locked || for a in *; do
    for f in $PCI_LOCKED; do [ -e "$a/$f" ] && printf '|%s/%s!timed out\n' "$a" "$f"; done
  done
  end present
}

# The shell's own read: no process, and a file that gives an error costs only itself.
small_values() {     # FILES of one line
  for f; do
    v=
    if { read -r v <"$f" || [ -n "$v" ]; } 2>/dev/null; then
      printf '|%s=%s\n' "$f" "$v"
    elif [ -r "$f" ]; then
      printf '|%s!failed\n' "$f"
    else
      printf '|%s!denied\n' "$f"
    fi
  done
}

# These wait for the device's lock, which a driver that is being unbound may hold for ever.
pci_locked() {
  for a in *; do
    for f in $PCI_LOCKED; do [ -e "$a/$f" ] && small_values "$a/$f"; done
  done
}

# Runs a function that may hang where no signal reaches it. False where it was left behind.
guarded() {          # SECONDS FUNCTION
  LATE=
  trap 'LATE=1' USR1
  "$2" &
  job=$!
  alarm "$1" kill -USR1 $$
  wait "$job"
  if [ -n "$LATE" ]; then
    # With this pending it never comes back to write into what follows.
    kill -9 "$job" 2>/dev/null
    trap - USR1
    return 1
  fi
  dismiss
  trap '' USR1
  return 0
}

# One od reads the configuration space of all; the boot id (37 bytes, the same each time) stands
# after each, and so ends it at one of the sizes that there are.
CONFIG_AWK='
BEGIN { n = split(list, address, " "); at = 1; while ((getline l < mark) > 0) m = m l "\n"
  for (i = 1; i < 256; i++) hex[sprintf("%c", i)] = sprintf("%02x", i)
  for (i = 1; i <= length(m); i++) boot = boot hex[substr(m, i, 1)]
  k = split("0 64 128 256 4096", sizes, " "); wide = length(boot)
}
function flush_one(size) {
  if (size) print "|" address[at] "=" substr(data, 1, size * 2)
  if (size < 256 && at <= n) print "|" address[at] "!" (size || !root ? "denied" : "failed")
  data = substr(data, size * 2 + wide + 1)
  at++
}
function look(   i, found) {
  do {
    found = 0
    for (i = 1; i <= k && !found; i++)
      if (substr(data, sizes[i] * 2 + 1, wide) == boot) { flush_one(sizes[i]); found = 1 }
  } while (found && data != "")
}
{ gsub(/ /, ""); data = data $0; if (length(data) >= 8192 + wide || NR % 64 == 0) look() }
END { look(); if (at <= n) { print "%end failed configuration space of " n - at + 1 " functions"; exit 1 } }'

pci_config() {
  tree sys/bus/pci/config sys/bus/pci/devices || return 0
  mark=$R/proc/sys/kernel/random/boot_id
  set --
  list=
  for a in $AWAKE; do
    [ -e "$a/config" ] || continue
    set -- "$@" "$a/config" "$mark"
    list="$list $a"
  done
  if [ $# -gt 0 ]; then
    root=0
    [ "$ME" = 0 ] && root=1
    if ! limited 20 od -An -v -tx1 "$@" 2>/dev/null </dev/null |
      awk -v list="$list" -v mark="$mark" -v root="$root" "$CONFIG_AWK"
    then
      return 0
    fi
  fi
  for a in $ASLEEP; do printf '|%s!not collected\n' "$a"; done
  end present
}

iommu() {
  if tree sys/class/iommu; then
    links ./* ./*/devices/* | sed 's,^|\./,|,'
    values 0 */intel-iommu/* */amd-iommu/*
    end present
  fi
  if tree sys/kernel/iommu_groups; then
    values 0 */type */name */reserved_regions
    links ./*/devices/* | sed 's,^|\./,|,'
    names ./* | sed 's,^|\./\(.*\)=$,|\1/=,'
    end present
  fi
}

small_trees() {
  if tree sys/bus/pci/drivers; then
    names *
    end present
  fi
  if tree sys/module; then
    names *
    values 0 */initstate vfio*/parameters/* kvm*/parameters/* iommu*/parameters/* \
      pci*/parameters/* irqbypass/parameters/* intel_iommu/parameters/*
    end present
  fi
  if tree sys/class/dmi/id; then
    values 1 bios_* board_name board_vendor board_version chassis_type chassis_vendor product_name \
      product_version product_family product_sku sys_vendor
    end present
  fi
  if tree sys/hypervisor; then
    values 0 type uuid version/* properties/capabilities properties/features
    end present
  fi
  if tree sys/devices/system/node; then
    values 0 online possible has_cpu has_memory node*/cpulist node*/meminfo node*/distance \
      node*/hugepages/*/nr_hugepages node*/hugepages/*/free_hugepages | sed 's/^|\([a-z_]*\):/|\1=/'
    end present
  fi
  if tree sys/bus/thunderbolt/devices; then
    names *
    values 0 */security */iommu_dma_protection */authorized */device_name */vendor_name
    end present
  fi
}

network() {
  if tree sys/class/net; then
    links ./* ./*/master ./*/device ./*/lower_* ./*/upper_* ./*/device/physfn | sed 's,^|\./,|,'
    values 0 */address */operstate */flags */mtu */ifindex */type */addr_assign_type */dev_id \
      */bonding/mode */bonding/slaves */bonding/active_slave */bridge/bridge_id */bridge/stp_state
    names */lower_* */upper_* */brif/* */bridge */bonding
    end present
  fi
}

blocks() {
  if tree sys/class/block; then
    links ./* | sed 's,^|\./,|,'
    values 0 */dev */size */partition */removable */ro */dm/name */dm/uuid */md/level \
      */md/array_state */loop/backing_file
    names */slaves/* */holders/*
    end present
  fi
}

efi() {
  tree sys/firmware/efi || return 0
  names fw_platform_size efivars/*
  [ -r fw_platform_size ] && small_values fw_platform_size
  for f in efivars/SecureBoot-* efivars/SetupMode-* efivars/LoaderInfo-* efivars/StubInfo-* \
    efivars/LoaderEntrySelected-* efivars/LoaderEntryDefault-* efivars/LoaderEntryOneShot-*
  do
    [ -f "$f" ] || continue
    if [ ! -r "$f" ]; then
      printf '|%s!denied\n' "$f"
      continue
    fi
    # four bytes of attributes, then a number or UTF-16
    limited 5 od -An -v -tu1 "$f" 2>/dev/null </dev/null | awk -v f="$f" '
      { for (i = 1; i <= NF; i++) if (++n > 4) { last = $i; if ($i >= 32 && $i < 127) text = text sprintf("%c", $i) } }
      END {
        if (n < 5) print "|" f "!failed"
        else if (f ~ /SecureBoot|SetupMode/) print "|" f "=" last
        else print "|" f "=" text
      }'
  done
  end present
}

devices() {
  for f in dev/kvm dev/iommu dev/vfio/vfio; do
    if [ -e "$R/$f" ]; then run "$f" 5 ls -ln "$R/$f"; else without "$f" absent; fi
  done
  if [ -d "$R/dev/vfio" ]; then
    item dev/vfio/
    for f in "$R"/dev/vfio/*; do [ -e "$f" ] && printf '|%s\n' "${f##*/}"; done
    end present
  else
    without dev/vfio/ absent
  fi
  if [ -d "$R/sys/firmware/devicetree/base" ]; then
    OK=1
    run devicetree/iommu 5 grep -rlaE 'arm,(smmu-v3|mmu-[0-9]+|smmu-v[12])|riscv,iommu' \
      --include=compatible "$R/sys/firmware/devicetree/base"
    OK=
  else
    without devicetree/iommu absent
  fi
}

# -- processes -----------------------------------------------------------------------------------

# Who holds a VFIO file open. Of other users' processes only root may ask.
openers() {
  item vfio/openers
  # shellcheck disable=SC2012
  limited 10 ls -ln "$R"/proc/[0-9]*/fd 2>/dev/null </dev/null | awk '
    /^\/.*:$/ { split($0, part, "/"); for (i in part) if (part[i] ~ /^fd:$/) pid = part[i - 1]; next }
    $10 == "->" && $11 ~ /^\/dev\/(vfio\/|iommu)/ && !((pid " " $11) in seen) { seen[pid " " $11]; print pid, $11 }' |
    while read -r pid path; do
      comm='?'
      { read -r comm <"$R/proc/$pid/comm"; } 2>/dev/null
      printf '|%s %s %s\n' "$pid" "$comm" "$path"
    done
  if [ "$ME" = 0 ]; then end present; else end 'denied only own processes can be looked into'; fi
}

# Which of libvirt's daemons run: by name, owned by root, and in this mount namespace (a container
# may run its own). Sockets that only wait are told, and left alone.
RUNNING=
daemons() {
  item libvirt/daemons
  for p in "$R"/proc/[0-9]*; do
    comm=
    { read -r comm <"$p/comm"; } 2>/dev/null
    case $comm in libvirtd | virtqemud | virtnodedevd | virtnetworkd | virtstoraged | virtproxyd | virtlogd | virtlockd | virtinterfaced) ;; *) continue ;; esac
    owner=
    while read -r key owner rest; do [ "$key" = Uid: ] && break; done 2>/dev/null <"$p/status"
    [ "$owner" = 0 ] || continue
    if [ -e "$p/ns/mnt" ] && [ -e "$R/proc/self/ns/mnt" ]; then
      [ "$p/ns/mnt" -ef "$R/proc/self/ns/mnt" ] || continue
    fi
    printf '|%s %s running\n' "${p##*/}" "$comm"
    RUNNING="$RUNNING $comm"
  done
  for s in "$R"/run/libvirt/*-sock-ro; do
    [ -e "$s" ] || continue
    s=${s##*/}
    s=${s%-sock-ro}
    [ "$s" = libvirt ] && s=libvirtd
    case " $RUNNING " in *" $s "*) ;; *) printf '|%s socket only\n' "$s" ;; esac
  done
  end present
}

runs() {             # DAEMON
  case " $RUNNING " in *" $1 "*) return 0 ;; esac
  return 1
}

# An address that reaches the daemon which runs, and cannot wake another one's socket.
uri() {              # MODULAR DAEMON, ITS DRIVER -> URI; false where none runs
  if runs "$1"; then
    URI=$2:///system
    [ ! -S "$R/run/libvirt/libvirt-sock-ro" ] || URI=$URI?mode=direct
  elif runs libvirtd; then
    URI=qemu:///system
    [ ! -S "$R/run/libvirt/virtqemud-sock-ro" ] || URI=$URI?mode=legacy
  else
    return 1
  fi
}

ask() {              # NAME SECONDS WORDS: of the daemon at URI
  name=$1
  seconds=$2
  shift 2
  run "$name" "$seconds" virsh -r -c "$URI" "$@"
}

# One virsh for all objects: `dumpxml A; dumpxml B`.
ask_each() {         # NAME SECONDS VERB IDS [SUFFIX]
  item_name=$1
  commands=
  for id in $4; do
    case $id in *[!0-9A-Za-z_-]*) continue ;; esac
    commands="$commands$3 $id${5-}; "
  done
  if [ -z "$commands" ]; then
    without "$item_name" present
  elif [ ${#commands} -gt 120000 ]; then
    without "$item_name" 'failed too many objects for one command line'
  else
    ask "$item_name" "$2" "${commands%; }"
  fi
}

listed() {           # SECONDS WORDS -> LIST of names; false where virsh failed
  seconds=$1
  shift
  LIST=$(limited "$seconds" virsh -r -q -c "$URI" "$@" 2>/dev/null </dev/null)
}

libvirt() {
  why='not collected daemon not running'
  have virsh || why='not collected no command virsh'
  if have virsh && uri virtqemud qemu; then
    ask virsh/version 10 version --daemon
    ask virsh/list 10 list --all
    ask virsh/list-autostart 10 list --all --autostart
    if listed 10 list --all --uuid; then
      ask_each virsh/dumpxml 20 dumpxml "$LIST"
    else
      without virsh/dumpxml 'failed no list of guests'
    fi
    if listed 10 list --all --persistent --uuid; then
      ask_each virsh/dumpxml-inactive 20 dumpxml "$LIST" ' --inactive'
    else
      without virsh/dumpxml-inactive 'failed no list of guests'
    fi
    ask virsh/capabilities 15 capabilities
  else
    for f in version list list-autostart dumpxml dumpxml-inactive capabilities; do without "virsh/$f" "$why"; done
  fi
  if have virsh && uri virtnetworkd network; then
    if listed 10 net-list --all --uuid; then
      ask_each virsh/net-dumpxml 15 net-dumpxml "$LIST"
    else
      without virsh/net-dumpxml 'failed no list of networks'
    fi
  else
    without virsh/net-dumpxml "$why"
  fi
  if have virsh && uri virtnodedevd nodedev; then
    node_devices
  else
    without virsh/nodedev-dumpxml "$why"
  fi
}

# libvirt looks at a device before it describes it, and so would wake one that sleeps.
node_devices() {
  if ! listed 15 nodedev-list; then
    without virsh/nodedev-dumpxml 'failed no list of devices'
    return
  fi
  asleep=
  for a in $ASLEEP; do
    rest=${a#*:}
    bus=${rest%%:*}
    slot=${rest#*:}
    asleep="$asleep pci_${a%%:*}_${bus}_${slot%.*}_${slot#*.}"
  done
  chosen=
  for id in $LIST; do
    case $id in pci_*) ;; *) continue ;; esac
    case " $asleep " in *" $id "*) EXTENT='grepped devices that sleep are left alone' ;; *) chosen="$chosen $id" ;; esac
  done
  ask_each virsh/nodedev-dumpxml 30 nodedev-dumpxml "$chosen"
  EXTENT=
}

# -- commands ------------------------------------------------------------------------------------

commands() {
  OK=1               # it exits 1 where it prints `none`
  run systemd/detect-virt 5 systemd-detect-virt
  OK=
  if [ -d "$R/run/systemd/system" ] && have systemctl; then
    OK='1 2 3 4'     # for anything but enabled
    run systemd/sleep-targets 5 systemctl is-enabled \
      sleep.target suspend.target hibernate.target hybrid-sleep.target
    OK=
  else
    without systemd/sleep-targets 'not collected no systemd'
  fi
  run ip/link 10 ip -j -d link show
  run ip/addr 10 ip -j -d addr show
  run ip/route4 10 ip -j -4 route show table all
  run ip/route6 10 ip -j -6 route show table all
  if [ "$ME" != 0 ]; then
    without sockets/sshd 'denied whose sockets they are is told to root only'
  elif ! have ss; then
    without sockets/sshd 'not collected no command ss'
  else
    item sockets/sshd
    e=$({ { limited 10 ss -Htnp state established </dev/null 3>&-; echo "%code $?" >&2; } |
      awk '/"sshd/ { print "|" $0 }' >&3; } 2>&1)
    case $e in
      *'%code 0') end present ;;
      *) first_line "$e"; end "failed $LINE" ;;
    esac
  fi
  run lsblk 10 lsblk -J -o NAME,KNAME,TYPE,FSTYPE,LABEL,UUID,PARTUUID,PARTLABEL,MOUNTPOINT
  if [ -d "$R/sys/firmware/efi" ] && [ -z "$AUTO" ]; then
    run bootctl 10 bootctl --no-pager status
  elif [ -n "$AUTO" ]; then
    without bootctl 'not collected an automount point that nothing has mounted'
  else
    without bootctl 'not collected not booted by EFI'
  fi
}

logs() {
  run dmesg 10 dmesg
  run journal/kernel 15 journalctl -k -b 0 -o short-monotonic --no-pager
  if [ -d "$R/run/systemd/system" ]; then
    EXTENT=elided
    run journal/libvirt 15 journalctl -b 0 -n 2000 -o short-iso --no-pager -u libvirtd -u virtqemud -u virtnodedevd -u virtnetworkd
    EXTENT=
  else
    without journal/libvirt 'not collected no systemd'
  fi
  FOUND=
  list_dir var/log/libvirt/qemu/ '*.log'
  old=$IFS
  IFS='
'
  set -f
  # shellcheck disable=SC2086
  set -- $FOUND
  set +f
  IFS=$old
  [ $# -gt 0 ] || return 0
  # The ends of all logs with one tail; `==> PATH <==` stands before each.
  k=0
  for f; do k=$((k + 1)); COUNT=$((COUNT + 1)); done
  {
    printf '%%F %s\n' "$@"
    echo %R
    limited 10 tail -n 400 "$@" /dev/null 2>/dev/null </dev/null
  } | awk -v root="$R" "$TAILS_AWK"
}

TAILS_AWK='
function name(path,   s) {
  s = substr(path, length(root) + 2)
  gsub(/%/, "%25", s); gsub(/ /, "%20", s); gsub(/\t/, "%09", s)
  return s
}
function open_one() { print "%item " name(path[at]) }
function close_one() { print "%end " (got ? "present elided only its end" : "failed not readable") }
/^%F / && !reading { path[++n] = substr($0, 4); next }
/^%R$/ && !reading { reading = 1; at = 0; next }
{
  for (i = at + 1; i <= n; i++)
    if ($0 == "==> " path[i] " <==") {
      if (at) close_one()
      for (at = at + 1; at < i; at++) { open_one(); got = 0; close_one() }
      open_one()
      got = 1
      next
    }
  if ($0 == "==> /dev/null <==") next
  if (at) print "|" substr($0, 1, 4000)
}
END {
  if (at) close_one()
  for (at = at + 1; at <= n; at++) { open_one(); got = 0; close_one() }
}'

# -- the whole ---------------------------------------------------------------------------------

main() {
  exec 3>&1
  set_limiter
  GREP_TEXT=-a
  grep -a '' /dev/null 2>/dev/null
  [ $? -eq 1 ] || GREP_TEXT=
  about
  files
  kernel_files
  tables
  iommu
  pci_devices
  pci_config
  small_trees
  network
  blocks
  efi
  devices
  cd / || exit
  daemons
  openers
  libvirt
  commands
  logs
  printf '%%done %s\n' "$COUNT"
}

main </dev/null
exit

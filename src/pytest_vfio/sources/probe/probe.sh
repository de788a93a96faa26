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
#
# shellcheck disable=SC1007,SC2016,SC2035,SC2086,SC2317

unset ENV BASH_ENV CDPATH GREP_OPTIONS GREP_COLOR POSIXLY_CORRECT
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin
IFS=' 	
'
export LC_ALL PATH
umask 077
set -u

R=${PROBE_ROOT-}     # tests read a made-up tree; never set on a host

# -- the writer: one awk turns all that is read into the stream -----------------------------------

# A line that begins with the key, which nobody on the host can know, is for the writer. All others
# are data, and what becomes of them is the mode's business:
#   raw      lines of an item
#   only X   those of them that contain X
#   value X  PATH:VALUE from grep -> PATH=VALUE; X: the folder is flat (no slash in PATH)
#   refused  what grep says of files that it cannot read -> PATH!STATUS
#   link     `ls -ldn` prints nine columns, then `-> TARGET` -> PATH->TARGET
#   base64   hex from od -> base64
#   efi X    numbers from od: four bytes of attributes, then a number or UTF-16
#   address  PCI functions of which
#   config   od prints the configuration space, one after the other
#   file, content, error    paths of files, PATH:LINE of all of them, what grep could not read
#   tail     the ends of those files, `==> PATH <==` before each
#   process, opener         `PID COMM`; `ls -ln /proc/*/fd`
#   tcp      rows of /proc/net/tcp and tcp6 -> those that sshd has open, as ss(8) prints them
WRITER='
BEGIN {
  code = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  max = 8000000
  sizes[1] = 0; sizes[2] = 64; sizes[3] = 128; sizes[4] = 256; sizes[5] = 4096
  for (i = 0; i < 256; i++) { hex[sprintf("%c", i)] = sprintf("%02x", i); byte[sprintf("%02x", i)] = i }
}
{
  at = index($0, key)
  if (!at) { data($0); next }
  order = substr($0, at + length(key) + 1)
  # half a line of something that ended badly proves nothing
  if (at > 1 && (order !~ /^end / || order ~ /^end present/)) data(substr($0, 1, at - 1))
  control(order)
}

function control(line,   verb, rest, i) {
  i = index(line " ", " ")
  verb = substr(line, 1, i - 1)
  rest = substr(line, i + 1)
  leave()
  if (verb == "item") { print "%item " rest; count++; size = over = 0; failed = ""; mode = "raw" }
  else if (verb == "end") {
    if (over && rest ~ /^present/) rest = "truncated " size
    else if (failed != "") rest = failed
    print "%end " rest
    fflush()
    mode = ""
  }
  else if (verb == "mode") {
    i = index(rest " ", " ")
    mode = substr(rest, 1, i - 1)
    word = substr(rest, i + 1)
    if (mode == "config") { slot = 1; hold = ""; again = 0 }
    if (mode == "file") files = 0
    if (mode == "content" || mode == "tail") slot = 0
  }
  else if (verb == "line") keep(rest)
  else if (verb == "alias") { i = index(rest, " "); alias[substr(rest, i + 1)] = substr(rest, 1, i - 1) }
  else if (verb == "files") items()
  else if (verb == "tails") { shut(); for (slot++; slot <= files; slot++) { print "%item " name(path[slot]); count++; print "%end failed not readable" } }
  else if (verb == "about") print "%about " rest
  else if (verb == "start") print "\n%vfio-probe 1"
  else if (verb == "done") { print "%done " count + 0; fflush(); finished = 1; exit }
}

function data(line) {
  if (mode == "raw") keep(line)
  else if (mode == "value") value(line)
  else if (mode == "content") content(line)
  else if (mode == "config") row(line)
  else if (mode == "link") link(line)
  else if (mode == "base64") base64(line)
  else if (mode == "only") { if (index(line, word)) keep(line) }
  else if (mode == "refused") refused(line)
  else if (mode == "error") error(line)
  else if (mode == "efi") efi(line)
  else if (mode == "address") address[++addresses] = line
  else if (mode == "file") { path[++files] = line; delete from[files]; delete why[files]; weight[files] = 0 }
  else if (mode == "tail") tail(line)
  else if (mode == "tcp") tcp(line)
  else if (mode == "process") { i = index(line, " "); comm[substr(line, 1, i - 1)] = substr(line, i + 1) }
  else if (mode == "opener") opener(line)
}

function keep(line) {
  size += length(line) + 1
  if (size > max) over = 1
  else print "|" line
}

function leave(   v) {
  if (mode == "base64") { if (triple) sextets(triple); if (text != "") print "|" text; text = ""; triple = 0 }
  else if (mode == "config") {
    configs()
    if (slot <= addresses) failed = "failed the configuration space of " addresses - slot + 1 " functions"
  }
  else if (mode == "efi") {
    if (bytes < 5) print "|" word "!failed"
    else if (word ~ /SecureBoot|SetupMode/) print "|" word "=" last
    else print "|" word "=" text
    text = ""; bytes = 0
  }
}

# -- trees

function value(line,   head, i) {
  head = word ? 0 : index(line, "/")
  i = index(substr(line, head + 1), ":")
  if (i) keep(substr(line, 1, head + i - 1) "=" substr(line, head + i + 1))
}

function refused(line,   i, said, reason) {
  i = index(line, ": ")
  if (i == 0) return
  said = substr(line, i + 2)
  for (i = length(said); i > 0; i--) if (substr(said, i, 2) == ": ") break
  reason = substr(said, i + 2)
  if (i < 2 || reason ~ /No such|s a directory/) return
  keep(substr(said, 1, i - 1) "!" (reason ~ /denied|not permitted/ ? "denied" : "failed"))
}

function link(line,   f) {
  if (split(line, f, " ") < 11 || f[10] != "->") return
  sub(/^\.\//, "", f[9])
  keep(f[9] "->" f[11])
}

function base64(line,   f, n, i) {
  n = split(line, f, " ")
  for (i = 1; i <= n; i++) {
    b[++triple] = byte[f[i]]
    if (triple == 3) { sextets(3); triple = 0 }
  }
}

function sextets(n,   v) {
  v = b[1] * 65536 + (n > 1 ? b[2] : 0) * 256 + (n > 2 ? b[3] : 0)
  text = text substr(code, int(v / 262144) + 1, 1) substr(code, int(v / 4096) % 64 + 1, 1) \
    (n > 1 ? substr(code, int(v / 64) % 64 + 1, 1) : "=") (n > 2 ? substr(code, v % 64 + 1, 1) : "=")
  if (length(text) >= 76) { print "|" text; text = "" }
}

function efi(line,   f, n, i) {
  n = split(line, f, " ")
  for (i = 1; i <= n; i++)
    if (++bytes > 4) {
      last = f[i]
      if (last >= 32 && last < 127) text = text sprintf("%c", last + 0)
    }
}

# `OFFSET xx xx ...`, sixteen bytes; a `*` stands for rows like the one before; OFFSET ends it.
function row(line,   i, n, at) {
  if (line == "*") { again = 1; return }
  i = index(line, " ")
  at = substr(line, 1, i ? i - 1 : length(line))
  sub(/^0+/, "", at)                 # to busybox a leading zero is octal
  if (again) for (n = (at - before) / 16 - 1; n > 0; n--) hold = hold same
  again = 0
  before = at
  if (i == 0) return
  same = substr(line, i)
  gsub(/ /, "", same)
  hold = hold same
  if (length(hold) > 8300) configs()
}

# The boot id, the same 37 bytes each time, stands after each function, and so ends it at one of
# the sizes that there are.
function configs(   i, found, wide) {
  if (boot == "") for (i = 1; i <= length(mark); i++) boot = boot hex[substr(mark, i, 1)]
  wide = length(boot) + 2
  do {
    found = 0
    for (i = 1; i <= 5 && !found; i++)
      if (slot <= addresses && substr(hold, sizes[i] * 2 + 1, wide) == boot "0a") {
        found = 1
        if (sizes[i]) print "|" address[slot] "=" substr(hold, 1, sizes[i] * 2)
        if (sizes[i] < 256) print "|" address[slot] "!" (word ? "failed" : "denied")
        hold = substr(hold, sizes[i] * 2 + wide + 1)
        slot++
      }
  } while (found)
}

# -- files

function name(p,   s) {
  if (p in alias) return alias[p]
  s = substr(p, length(root) + 2)
  gsub(/%/, "%25", s); gsub(/ /, "%20", s); gsub(/\t/, "%09", s)
  return s
}

function content(line,   i, s) {
  for (i = slot ? slot : 1; i <= files; i++)
    if (substr(line, 1, length(path[i]) + 1) == path[i] ":") {
      slot = i
      s = substr(line, length(path[i]) + 2)
      if ((path[i] in alias) && alias[path[i]] == "modules.dep") {
        s = substr(s, 1, index(s ":", ":"))
        if (tolower(s) !~ /vfio|kvm|iommu|mdev|pci[-_]stub|irqbypass/) return
      }
      if ((weight[i] += length(s) + 1) > max) return
      text_of[++lines] = s
      if (!(i in from)) from[i] = lines
      to[i] = lines
      return
    }
}

function error(line,   i, said) {
  i = index(line, ": ")
  if (i == 0) return
  said = substr(line, i + 2)
  for (i = 1; i <= files; i++)
    if (substr(said, 1, length(path[i]) + 2) == path[i] ": ") { why[i] = substr(said, length(path[i]) + 3); return }
  broken = line
}

function items(   i, j, hidden) {
  for (i = 1; i <= files; i++) {
    print "%item " name(path[i])
    count++
    hidden = (i in from) && name(path[i]) == "proc/iomem"
    if (i in from) {
      for (j = from[i]; j <= to[i] && hidden; j++) if (text_of[j] !~ /^ *0+-0+ :/) hidden = 0
      if (!hidden) for (j = from[i]; j <= to[i]; j++) print "|" text_of[j]
    }
    if (hidden) print "%end denied the addresses are hidden"
    else if (i in why) {
      if (why[i] ~ /No such file/) print "%end absent"
      else print "%end " (why[i] ~ /denied|not permitted/ ? "denied " : "failed ") why[i]
    }
    else if (weight[i] > max) print "%end truncated " weight[i]
    else if (broken != "") print "%end failed " broken
    else print "%end present"
  }
  for (i in text_of) delete text_of[i]
  lines = files = 0
  broken = ""
  fflush()
}

function tail(line,   i) {
  if (line ~ /^==> .* <==$/)
    for (i = slot + 1; i <= files; i++)
      if (line == "==> " path[i] " <==") {
        shut()
        for (slot++; slot < i; slot++) { print "%item " name(path[slot]); count++; print "%end failed not readable" }
        print "%item " name(path[slot])
        count++
        told = 0
        return
      }
  if (line == "==> /dev/null <==") return
  if (slot) {
    if (told) print "|" held
    held = substr(line, 1, 4000)
    told++
  }
}

# tail(1) puts an empty line between two files. 400 lines are asked for: fewer are all.
function shut() {
  if (slot == 0) return
  if (told && held != "") print "|" held
  else if (told) told--
  print "%end present" (told < 400 ? "" : " elided only its end")
}

# -- processes

function opener(line,   f, n, s) {
  n = split(line, f, " ")
  if (line ~ /^\/.*\/fd:$/) { n = split(line, f, "/"); pid = f[n - 1] }
  else if (n >= 11 && f[10] == "->" && f[11] ~ /^\/dev\/(vfio\/|iommu)/ && !((pid, f[11]) in open)) {
    open[pid, f[11]]
    keep(pid " " (pid in comm ? comm[pid] : "?") " " f[11])
  }
  else if (n >= 11 && f[11] ~ /^socket:\[/ && (pid in comm) && comm[pid] ~ /^(sshd|dropbear)/) {
    s = substr(f[11], 9, length(f[11]) - 9)
    user[s] = user[s] (user[s] == "" ? "" : ",") "(\"" comm[pid] "\",pid=" pid ",fd=" f[9] ")"
  }
}

# Linux, Documentation/networking/proc_net_tcp.rst: state 01 is established, the tenth field is the
# number of the socket.
function tcp(line,   f) {
  if (split(line, f, " ") < 10 || f[4] != "01" || !(f[10] in user)) return
  keep("ESTAB 0 0 " endpoint(tolower(f[2])) " " endpoint(tolower(f[3])) " users:(" user[f[10]] ")")
}

# Addresses are words of the CPU, and this one has the low byte first.
function endpoint(hexes,   i, port, words) {
  i = index(hexes, ":")
  port = byte[substr(hexes, i + 1, 2)] * 256 + byte[substr(hexes, i + 3, 2)]
  hexes = substr(hexes, 1, i - 1)
  if (length(hexes) == 8) return quad(hexes) ":" port
  if (substr(hexes, 1, 24) == "0000000000000000ffff0000") return quad(substr(hexes, 25)) ":" port
  for (i = 1; i < 32; i += 8)
    words = words (i > 1 ? ":" : "") substr(hexes, i + 6, 2) substr(hexes, i + 4, 2) ":" \
      substr(hexes, i + 2, 2) substr(hexes, i, 2)
  return "[" words "]:" port
}

function quad(word) {
  return byte[substr(word, 7, 2)] "." byte[substr(word, 5, 2)] "." byte[substr(word, 3, 2)] "." \
    byte[substr(word, 1, 2)]
}'

say() {
  printf '%%%s %s\n' "$K" "$*"
}

without() {          # NAME STATUS AND DETAIL: an item of which nothing was read
  say item "$1"
  say end "$2"
}

have() {             # COMMAND
  command -v "$1" >/dev/null 2>&1
}

# -- limits --------------------------------------------------------------------------------------

# timeout(1) of the coreutils; busybox's leaves a watcher behind that holds our pipe for a second.
set_limiter() {
  case $(timeout --version 2>/dev/null) in
    *[Cc]oreutils*) LIMITER=timeout ;;
    *) LIMITER= ;;
  esac
}

limited() {          # SECONDS COMMAND ARGUMENTS, where there is no timeout(1)
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
  ) </dev/null >/dev/null 2>&1 3>&- &
  watch=$!
}

dismiss() {
  kill "$watch"
  wait "$watch"
} 2>/dev/null

# Runs a function that may hang where no signal reaches it. False where it was left behind.
guarded() {          # SECONDS FUNCTION
  late=
  trap 'late=1' USR1
  "$2" &
  job=$!
  alarm "$1" kill -USR1 "$SELF"
  wait "$job"
  if [ -n "$late" ]; then
    # With this pending it never comes back to write into what follows.
    kill -9 "$job" 2>/dev/null
    trap '' USR1
    return 1
  fi
  dismiss
  trap '' USR1
  return 0
}

# An item from what a command prints. OK lists exit codes beyond 0 that mean success; what the
# command says on its other output decides about denied and failed.
OK=
EXTENT=
MODE=raw
run() {              # NAME SECONDS COMMAND ARGUMENTS
  name=$1
  seconds=$2
  shift 2
  if ! have "$1"; then
    without "$name" "not collected no command $1"
    return
  fi
  say item "$name"
  [ "$MODE" = raw ] || say mode "$MODE"
  if [ -n "$LIMITER" ]; then
    said=$(timeout -k 2 "$seconds" "$@" 2>&1 >&3 3>&- </dev/null)
  else
    said=$(limited "$seconds" "$@" 2>&1 >&3 </dev/null)
  fi
  code=$?
  say end "$(verdict)"
}

verdict() {          # of `code` and `said`, for %end
  line=${said%%"
"*}
  case " 0 $OK " in
    *" $code "*)
      case $said in
        *'not seeing messages from other users'*) printf 'denied only the messages of this user' ;;
        *'No journal files'*) printf 'not collected no journal' ;;
        *) printf 'present%s' "${EXTENT:+ $EXTENT}" ;;
      esac
      return ;;
  esac
  case $code in
    124 | 137 | 143) printf 'timed out after %s s' "$seconds"; return ;;
  esac
  case $said in
    *[Pp]ermission\ denied* | *not\ permitted* | *[Aa]ccess\ denied* | *authenticat* | *must\ be\ root*)
      printf 'denied %.200s' "$line" ;;
    *) printf 'failed exit %s: %.200s' "$code" "$line" ;;
  esac
}

# -- files ---------------------------------------------------------------------------------------

# Sets WHY to the word for a path that cannot be read as a file, or to nothing.
why_not() {          # PATH
  WHY=
  if [ -f "$1" ]; then
    [ -r "$1" ] || WHY='denied not readable'
  elif [ -e "$1" ]; then
    WHY='failed not a regular file'
  elif [ -L "$1" ]; then
    WHY='absent dangling link'
  else
    absent_or_hidden "$1"
  fi
}

absent_or_hidden() { # PATH that test(1) cannot see: is it not there, or is the way to it closed?
  case $1 in           # in a bare chroot the kernel shows nothing at all
    "$R"/sys/* | "$R"/dev/*) [ -e "$R/sys/kernel" ] || { WHY='not collected sysfs is not mounted'; return; } ;;
    "$R"/proc/*) [ -e "$R/proc/self" ] || { WHY='not collected procfs is not mounted'; return; } ;;
  esac
  up=$1
  WHY=absent
  while :; do
    up=${up%/*}
    [ -n "$up" ] || return
    if [ -d "$up" ]; then
      [ -x "$up" ] || WHY="denied no way into ${up#"$R"}"
      return
    fi
    case $up in */*) ;; *) return ;; esac
  done
}

# One grep reads all files and says of each that it cannot read why.
read_files() {       # PATHS, whole
  n=$#
  while [ "$n" -gt 0 ]; do           # what is no readable file leaves the list
    f=$1
    shift
    n=$((n - 1))
    case $f in *"
"*) continue ;; esac
    why_not "$f"
    if [ -n "$WHY" ]; then
      odd_name "$f"
      without "$NAME" "$WHY"
    else
      set -- "$@" "$f"
    fi
  done
  [ $# -gt 0 ] || return 0
  say mode file
  printf '%s\n' "$@"
  say mode content
  if [ -n "$LIMITER" ]; then
    said=$(timeout -k 2 20 grep $GREP_TEXT -H -m 400000 '' "$@" 2>&1 >&3 3>&- </dev/null)
  else
    said=$(grep $GREP_TEXT -H -m 400000 '' "$@" 2>&1 >&3 3>&- </dev/null)
  fi
  case $? in 124 | 137 | 143) said="grep: took too long
$said" ;; esac
  say mode error
  printf '%s\n' "$said"
  say files
}

odd_name() {         # PATH -> NAME with blanks written as the stream wants them
  NAME=${1#"$R"/}
  case $1 in
    "$R/lib/modules/$RELEASE/modules."*) NAME=${1##*/} ;;
    *[\ \	%]*) NAME=$(printf '%s\n' "$NAME" | sed 's/%/%25/g; s/ /%20/g; s/	/%09/g') ;;
  esac
}

# The listing of a directory. Its files (that match a pattern) are added to FOUND, one a line.
list_dir() {         # DIR/ [PATTERN]
  if sleeping_mount "/${1%/}"; then
    without "$1" "$ASLEEP_THERE"
    return 0
  fi
  d=$R/$1
  WHY=
  if [ ! -d "$d" ]; then
    if [ -e "${d%/}" ]; then WHY='failed not a directory'; else absent_or_hidden "${d%/}"; fi
  elif [ ! -r "$d" ] || [ ! -x "$d" ]; then
    WHY='denied not readable'
  fi
  if [ -n "$WHY" ]; then
    without "$1" "$WHY"
    return 0
  fi
  say item "$1"
  k=0
  for f in "$d"*; do
    [ -d "$f" ] && continue
    [ -e "$f" ] || [ -L "$f" ] || continue
    k=$((k + 1))
    [ "$k" -gt 5000 ] && break
    printf '%s\n' "${f##*/}"
    # shellcheck disable=SC2254
    case ${f##*/} in ${2-*}) FOUND="$FOUND$f
" ;; esac
  done
  if [ "$k" -gt 5000 ]; then say end truncated 5000 names; else say end present; fi
}

add_file() {         # NAME of an item
  if sleeping_mount "/$1"; then
    without "$1" "$ASLEEP_THERE"
  else
    FOUND="$FOUND$R/$1
"
  fi
}

with_found() {       # FUNCTION: gets what was found as its arguments
  old=$IFS
  IFS='
'
  set -f
  # shellcheck disable=SC2086
  set -- "$1" $FOUND
  set +f
  IFS=$old
  FOUND=
  "$@"
}

# Folders that systemd mounts when somebody looks (an EFI partition, say) are left alone.
ASLEEP_THERE='not collected an automount point that nothing has mounted'
find_automounts() {
  AUTO=$(awk '
    { for (i = 7; i <= NF && $i != "-"; i++); if ($(i + 1) == "autofs") auto[$5] = 1; else real[$5] = 1 }
    END { for (m in auto) if (!(m in real)) print m }' "$R/proc/self/mountinfo" 2>/dev/null)
}

sleeping_mount() {   # PATH: nothing has mounted it yet, and reading it would
  case $AUTO in '') return 1 ;; esac
  case "
$AUTO
" in *"
$1
"*) return 0 ;; esac
  up=${1%/*}
  [ -n "$up" ] && sleeping_mount "$up"
}

files() {
  FOUND=
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
    etc/libvirt/qemu.conf var/log/dmesg
  do
    add_file "$f"
  done
  for d in etc/default/grub.d boot/loader/entries boot/efi/loader/entries efi/loader/entries \
    etc/modprobe.d run/modprobe.d usr/local/lib/modprobe.d usr/lib/modprobe.d lib/modprobe.d \
    etc/modules-load.d usr/lib/modules-load.d etc/dracut.conf.d usr/lib/dracut/dracut.conf.d \
    etc/driverctl.d etc/udev/rules.d etc/systemd/network
  do
    list_dir "$d/"
  done
  for d in etc/libvirt/qemu etc/libvirt/qemu/networks run/libvirt/qemu run/libvirt/network; do
    list_dir "$d/" '*.xml'
  done
  for d in etc/libvirt/qemu/autostart etc/libvirt/qemu/networks/autostart \
    sys/firmware/acpi/tables dev/vfio
  do
    list_dir "$d/" -
  done
  kernel_files
  with_found read_files
}

kernel_files() {
  if [ -z "$RELEASE" ]; then
    for f in kernel-config modules.builtin modules.dep; do without "$f" 'failed no kernel release'; done
    return
  fi
  for f in modules.builtin modules.dep; do
    say alias "$f" "$R/lib/modules/$RELEASE/$f"
    add_file "lib/modules/$RELEASE/$f"
  done
  if [ -r "$R/proc/config.gz" ]; then
    if have zcat; then run kernel-config 10 zcat "$R/proc/config.gz"; else run kernel-config 10 gzip -dc "$R/proc/config.gz"; fi
    return
  fi
  for f in "lib/modules/$RELEASE/config" "boot/config-$RELEASE"; do
    if sleeping_mount "/$f"; then
      without kernel-config "$ASLEEP_THERE"
      return
    fi
    if [ -r "$R/$f" ]; then
      say alias kernel-config "$R/$f"
      add_file "$f"
      return
    fi
  done
  without kernel-config absent
}

# -- trees of small files ------------------------------------------------------------------------

tree() {             # NAME [FOLDER if it is another]: goes there; false where it is not
  if [ -d "$R/${2-$1}" ] && cd "$R/${2-$1}" 2>/dev/null && [ -r . ]; then
    say item "$1"
    return 0
  fi
  if [ -d "$R/${2-$1}" ]; then WHY='denied not readable'; else absent_or_hidden "$R/${2-$1}"; fi
  without "$1" "$WHY"
  return 1
}

values() {           # flat? FILES (relative; patterns that matched nothing do no harm)
  say mode value "$1"
  shift
  said=$(grep $GREP_TEXT -H -e '' -- "$@" 2>&1 >&3 3>&- </dev/null)
  case $said in
    *[Pp]ermi* | *rror* | *nvalid* | *denied* | *upported*) say mode refused; printf '%s\n' "$said" ;;
  esac
  say mode raw
}

links() {            # LINKS (relative)
  say mode link
  ls -ldn -- "$@" 2>/dev/null
  say mode raw
}

names() {            # PATHS (relative): that they exist
  for f; do
    case $f in *[*?[]*) continue ;; esac
    printf '%s=\n' "$f"
  done
}

# The shell's own read: no process, and a file that gives an error costs only itself.
small_values() {     # FILES of one line
  for f; do
    v=
    if { read -r v <"$f" || [ -n "$v" ]; } 2>/dev/null; then
      printf '%s=%s\n' "$f" "$v"
    elif [ -r "$f" ]; then
      printf '%s!failed\n' "$f"
    else
      printf '%s!denied\n' "$f"
    fi
  done
}

# Reading config, or a file that the kernel answers from there, powers a sleeping device, or the
# port above it, up (pci_config_pm_runtime_get in drivers/pci/pci-sysfs.c). So these are read only
# where neither sleeps.
find_sleepers() {
  AWAKE=
  ASLEEP=
  for a in *; do
    case $a in *[*?]*) continue ;; esac
    power= status= above=
    { read -r power <"$a/power_state"; } 2>/dev/null
    { read -r status <"$a/power/runtime_status"; } 2>/dev/null
    { read -r above <"$a/../power/runtime_status"; } 2>/dev/null
    asleep=
    case $power,$above in D3cold,* | *,suspend* | *,resuming) asleep=1 ;; esac
    case $status in
      suspend* | resuming)
        # Its own registers answer in D3hot, if the port above is up.
        case $power,$above in
          D[0123],active | D3hot,active | D[0123],unsupported | D3hot,unsupported) ;;
          *) asleep=1 ;;
        esac ;;
    esac
    if [ -n "$asleep" ]; then ASLEEP="$ASLEEP $a"; else AWAKE="$AWAKE $a"; fi
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
  patience=$((5 + $# / 50))
  if [ $# -lt "$MANY" ]; then
    set --
    for f in $PCI_FILES; do set -- "$@" */"$f"; done
    values '' "$@"
    links ./* */driver */iommu_group */iommu */physfn */virtfn* */subsystem
  else
    for f in $PCI_FILES; do values '' */"$f"; done
    links ./*
    for f in driver iommu_group iommu physfn 'virtfn*' subsystem; do
      # shellcheck disable=SC2086
      links */$f
    done
  fi
  names */reset */rom */vpd */net/* */msi_irqs/* */vfio-dev/* */mdev_supported_types/* */drm/* */nvme/*
  for a in $AWAKE; do
    for f in $PCI_ASLEEP; do [ -e "$a/$f" ] && small_values "$a/$f"; done
  done
  for a in $ASLEEP; do
    for f in $PCI_ASLEEP; do [ -e "$a/$f" ] && printf '%s/%s!not collected\n' "$a" "$f"; done
  done
  guarded "$patience" pci_locked || for a in *; do
    for f in $PCI_LOCKED; do [ -e "$a/$f" ] && printf '%s/%s!timed out\n' "$a" "$f"; done
  done
  say end present
}

# These wait for the device's lock, which a driver that is being unbound may hold for ever.
pci_locked() {
  for a in *; do
    for f in $PCI_LOCKED; do [ -e "$a/$f" ] && small_values "$a/$f"; done
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

iommu() {
  if tree sys/class/iommu; then
    links ./* ./*/devices/*
    values '' */intel-iommu/* */amd-iommu/*
    say end present
  fi
  if tree sys/kernel/iommu_groups; then
    for g in *; do
      case $g in *[!0-9]*) ;; *) printf '%s/=\n' "$g" ;; esac
    done
    values '' */type */name */reserved_regions
    links ./*/devices/*
    say end present
  fi
}

small_trees() {
  if tree sys/bus/pci/drivers; then
    names *
    say end present
  fi
  if tree sys/module; then
    names *
    values '' */initstate vfio*/parameters/* kvm*/parameters/* iommu*/parameters/* \
      pci*/parameters/* irqbypass/parameters/* intel_iommu/parameters/*
    say end present
  fi
  if tree sys/class/dmi/id; then
    values flat bios_* board_name board_vendor board_version chassis_type chassis_vendor \
      product_name product_version product_family product_sku sys_vendor
    say end present
  fi
  if tree sys/hypervisor; then
    values flat type uuid
    values '' version/* properties/capabilities properties/features
    say end present
  fi
  if tree sys/devices/system/node; then
    values flat online possible has_cpu has_memory
    values '' node*/cpulist node*/meminfo node*/distance \
      node*/hugepages/*/nr_hugepages node*/hugepages/*/free_hugepages
    say end present
  fi
  if tree sys/bus/thunderbolt/devices; then
    names *
    values '' */security */iommu_dma_protection */authorized */device_name */vendor_name
    say end present
  fi
  if tree sys/class/net; then
    links ./* ./*/master ./*/device ./*/lower_* ./*/upper_* ./*/device/physfn
    values '' */address */operstate */flags */mtu */ifindex */type */addr_assign_type */dev_id \
      */bonding/mode */bonding/slaves */bonding/active_slave */bridge/bridge_id */bridge/stp_state
    names */lower_* */upper_* */brif/* */bridge */bonding
    say end present
  fi
  if tree sys/class/block; then
    links ./*
    values '' */dev */size */partition */removable */ro */dm/name */dm/uuid */md/level \
      */md/array_state */loop/backing_file
    names */slaves/* */holders/*
    say end present
  fi
}

efi() {
  tree sys/firmware/efi || return 0
  names efivars/*
  [ -r fw_platform_size ] && small_values fw_platform_size
  for f in efivars/SecureBoot-* efivars/SetupMode-* efivars/LoaderInfo-* efivars/StubInfo-* \
    efivars/LoaderEntrySelected-* efivars/LoaderEntryDefault-* efivars/LoaderEntryOneShot-*
  do
    [ -f "$f" ] || continue
    if [ -r "$f" ]; then
      say mode efi "$f"
      od -An -v -tu1 "$f" 2>/dev/null </dev/null
      say mode raw
    else
      printf '%s!denied\n' "$f"
    fi
  done
  say end present
}

tables() {
  for t in DMAR IVRS IORT; do
    f=$R/sys/firmware/acpi/tables/$t
    why_not "$f"
    if [ -n "$WHY" ]; then
      without "${f#"$R"/}" "$WHY"
      continue
    fi
    say item "${f#"$R"/}" base64
    say mode base64
    # od and not base64(1): every host has it
    said=$(od -An -v -tx1 "$f" 2>&1 >&3 3>&- </dev/null)
    code=$?
    say end "$(verdict)"
  done
}

devices() {
  for f in dev/kvm dev/iommu dev/vfio/vfio; do
    if [ -e "$R/$f" ]; then
      say item "$f"
      ls -ln "$R/$f" 2>/dev/null
      say end present
    else
      absent_or_hidden "$R/$f"
      without "$f" "$WHY"
    fi
  done
  if [ -d "$R/sys/firmware/devicetree/base" ]; then
    OK=1
    run devicetree/iommu 5 grep -rlaE 'arm,(smmu-v3|mmu-[0-9]+|smmu-v[12])|riscv,iommu' \
      --include=compatible "$R/sys/firmware/devicetree/base"
    OK=
  else
    absent_or_hidden "$R/sys/firmware/devicetree/base"
    without devicetree/iommu "$WHY"
  fi
}

# -- processes -----------------------------------------------------------------------------------

# Which of libvirt's daemons run: by name, owned by root, and in this mount namespace (a container
# may run its own). Sockets that only wait are told, and left alone.
RUNNING=
daemons() {
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

# -- commands ------------------------------------------------------------------------------------

commands() {
  run uname 5 uname -a
  OK=1               # it exits 1 where it prints `none`
  run systemd/detect-virt 5 systemd-detect-virt
  OK=
  if [ -d "$R/run/systemd/system" ]; then
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
  run lsblk 10 lsblk -J -o NAME,KNAME,TYPE,FSTYPE,LABEL,UUID,PARTUUID,PARTLABEL,MOUNTPOINT
  if [ ! -d "$R/sys/firmware/efi" ]; then
    without bootctl 'not collected not booted by EFI'
  elif sleeping_mount /boot/efi || sleeping_mount /efi; then
    without bootctl "$ASLEEP_THERE"
  else
    run bootctl 10 bootctl --no-pager status
  fi
}

logs() {
  run dmesg 10 dmesg
  run journal/kernel 15 journalctl -k -b 0 -o short-monotonic --no-pager
  if [ -d "$R/run/systemd/system" ]; then
    run journal/libvirt 15 journalctl -b 0 -o short-iso --no-pager \
      -u libvirtd -u virtqemud -u virtnodedevd -u virtnetworkd
  else
    without journal/libvirt 'not collected no systemd'
  fi
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

# -- the initramfs of the running kernel -------------------------------------------------------------

initramfs() {
  if sleeping_mount /boot; then
    without initramfs "$ASLEEP_THERE"
    return
  fi
  for f in "initrd.img-$RELEASE" "initramfs-$RELEASE.img" "initrd-$RELEASE" "initramfs-$RELEASE" \
    "$MACHINE/$RELEASE/initrd"
  do
    if [ -n "$RELEASE" ] && [ -f "$R/boot/$f" ]; then
      if [ ! -r "$R/boot/$f" ]; then
        without initramfs 'denied not readable'
      elif ! have cpio; then
        without initramfs 'not collected no command cpio'
      else
        say item initramfs
        said=$(image_names "$R/boot/$f" 2>&1 >&3)
        code=$?
        [ -z "$said" ] || [ "$code" -ne 0 ] || code=1
        seconds=40
        say end "$(verdict)"
      fi
      return
    fi
  done
  without initramfs 'not collected no image of this kernel in /boot'
}

# Uncompressed cpio archives (microcode), one after the other, then a compressed one.
image_names() {      # IMAGE
  image=$1
  size=$(wc -c <"$image")
  offset=0
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
    [ "$offset" -lt "$size" ] || return 0
    # shellcheck disable=SC2046
    set -- $(od -An -v -tx1 -j "$offset" -N 520 "$image" | awk '
      { for (i = 1; i <= NF; i++) { n++; if ($i != "00" && !at) at = n; if (at && n < at + 6) m = m $i } }
      END { print at + 0, m }')
    if [ "$1" -eq 0 ] || [ "$1" -gt 512 ]; then
      offset=$((offset + 512))
      continue
    fi
    offset=$((offset + $1 - 1))
    case $2 in
      30373037303[12])
        left=$({ skip; cpio -t --quiet 2>/dev/null >&3 && wc -c; } <"$image")
        if [ -z "$left" ] || [ $((size - left)) -le "$offset" ]; then
          echo "the archive at $offset has no end" >&2
          return 1
        fi
        offset=$((size - left)) ;;
      1f8b*) compressed gzip -dc; return ;;
      28b52ffd*) compressed zstd -dcq; return ;;
      fd377a585a00) compressed xz -dc; return ;;
      5d0000*) compressed xz --format=lzma -dc; return ;;
      02214c18* | 04224d18*) compressed lz4 -dc; return ;;
      425a68*) compressed bzip2 -dc; return ;;
      894c5a4f*) compressed lzop -dc; return ;;
      *) echo "unknown kind of archive at $offset" >&2; return 1 ;;
    esac
  done
  echo 'too many archives' >&2
  return 1
}

compressed() {       # COMMAND: the rest of the image is
  have "$1" || { echo "no command $1" >&2; return 1; }
  if [ -n "$LIMITER" ]; then
    { skip; timeout -k 2 40 "$@" || echo broken >&2; } <"$image" | cpio -t --quiet
  else
    { skip; "$@" || echo broken >&2; } <"$image" | cpio -t --quiet
  fi
}

# Seeks, where tail(1) would read and write again all that is left.
skip() {
  [ "$offset" -eq 0 ] || dd bs="$offset" skip=1 count=0 2>/dev/null
}

# -- the whole ---------------------------------------------------------------------------------

about() {
  say start
  host= now= MACHINE= SELF=
  { read -r host <"$R/proc/sys/kernel/hostname"; } 2>/dev/null
  { read -r RELEASE <"$R/proc/sys/kernel/osrelease"; } 2>/dev/null || RELEASE=
  { read -r MACHINE <"$R/etc/machine-id"; } 2>/dev/null
  { read -r SELF _ </proc/self/stat; } 2>/dev/null
  case $RELEASE in */* | .*) RELEASE= ;; esac
  now=$(date -u +%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
  ME=$(id -u 2>/dev/null) || ME=unknown
  say about name "$host"
  say about collected "$now"
  say about uid "$ME"
}

probe() {
  # What commands say is caught where it matters; what is left is the shell's own talk of jobs.
  exec 3>&1 2>/dev/null
  about
  set_limiter
  GREP_TEXT=-a
  grep -a '' /dev/null 2>/dev/null
  [ $? -eq 1 ] || GREP_TEXT=
  find_automounts
  files
  tables
  iommu
  pci_devices
  pci_config
  small_trees
  efi
  devices
  cd / || exit
  daemons
  openers
  commands
  logs
  libvirt
  initramfs
  say 'done'
}

main() {
  K= MARK=
  { read -r K </proc/sys/kernel/random/uuid; } 2>/dev/null || K=$$-$(date +%s%N)
  { read -r MARK <"$R/proc/sys/kernel/random/boot_id"; } 2>/dev/null
  probe | awk -v key="%$K" -v root="$R" -v mark="$MARK" "$WRITER"
}

main </dev/null
exit

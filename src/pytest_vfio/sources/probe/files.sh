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

add_file() {         # NAME of an item: found, and read with all others
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

kernel_files() {     # kernel-config, modules.builtin, modules.dep
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

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
  said=$($IN_TIME grep $GREP_TEXT -H -e '' -- "$@" 2>&1 >&3 3>&- </dev/null)
  case $?,$IN_TIME in 124,?* | 137,?*) exit 1 ;; esac
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

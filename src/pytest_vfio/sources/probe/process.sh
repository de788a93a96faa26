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
IN_TIME=             # for the groups of items that may be left behind: what goes before a grep

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

LEFT=                # something was left behind, and holds the writer's end of its pipe

# Runs a function that may hang where no signal reaches it. False where it was left behind, or gave
# up by itself.
guarded() {          # SECONDS FUNCTION
  late=
  trap 'late=1' USR1
  "$2" &
  job=$!
  alarm "$1" kill -USR1 "$SELF"
  wait "$job"
  code=$?
  if [ -n "$late" ]; then
    LEFT=1
    # With this pending it never comes back to write into what follows.
    kids=
    { read -r kids <"/proc/$job/task/$job/children"; } 2>/dev/null
    kill -9 "$job" 2>/dev/null
    [ -z "$kids" ] || kill $kids 2>/dev/null
    trap '' USR1
    return 1
  fi
  dismiss
  trap '' USR1
  return "$code"
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
  # what waits for the same would wait as long
  case $code in 124 | 137 | 143) [ -z "$IN_TIME" ] || exit 1 ;; esac
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

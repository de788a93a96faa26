# Carries out the steps of one plan, or takes them back: `sh run.sh`, `sh run.sh undo`.
# Needs nothing but this folder, and no connection: from a console, `sh run.sh undo` is enough.
# Each step has files in steps/: ID.before and ID.after are tests, ID.do and ID.undo commands,
# ID.files what they change, kept in kept/ as it was. The journal is synced before every step.
set -u
umask 077
here=$(cd "$(dirname "$0")" && pwd) || exit 1
lock=$(cat "$here/lock")
limit=$(cat "$here/limit")
cd / || exit 1

log() {
    printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$here/journal"
    sync "$here/journal" 2>/dev/null || sync
}

# The last lines that a step said, on one line.
said() { tail -n 3 "$here/output" | tr '\n' ' '; }

# Runs a script up to the time limit. A writer that waits in the kernel cannot be killed: it is left
# alone, and so is everything else from then on.
limited() {
    setsid sh -e "$1" </dev/null >>"$here/output" 2>&1 &
    pid=$! waited=0
    while kill -0 "$pid" 2>/dev/null; do
        [ "$waited" -lt "$limit" ] || return 124
        sleep 1
        waited=$((waited + 1))
    done
    wait "$pid"
}

# A process that runs; one that ended and was not waited for does not.
alive() { kill -0 "${1:-0}" 2>/dev/null && ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$1/status"; }

sum() { if [ -e "$1" ]; then sha256sum <"$1"; else echo absent; fi; }

# The files of a step, as they were: content, mode, owner, or that they were not there.
keep() {
    while IFS= read -r path; do
        copy="$here/kept/$1$path"
        mkdir -p "$(dirname "$copy")"
        [ -d "$(dirname "$path")" ] || dirname "$path" >"$copy.folder"
        if [ -e "$path" ]; then cp -a "$path" "$copy"; else : >"$copy.absent"; fi
    done <"$here/steps/$1.files"
    sync
}

remember() {
    while IFS= read -r path; do sum "$path" >"$here/kept/$1$path.after"; done <"$here/steps/$1.files"
}

apply() {
    if [ -s "$here/steps/$1.after" ] && sh "$here/steps/$1.after" >/dev/null 2>&1; then
        log "$1 already"
        return 0
    fi
    if ! sh "$here/steps/$1.before" >>"$here/output" 2>&1; then
        log "$1 refused the host is not as it was read"
        return 1
    fi
    log "$1 begin"
    keep "$1"
    limited "$here/steps/$1.do"
    code=$?
    remember "$1"
    if [ "$code" = 124 ]; then
        log "$1 stuck it waits in the kernel after $limit s; nothing more is touched"
        return 124
    fi
    if [ "$code" != 0 ]; then
        log "$1 failed exit $code: $(said)"
        return 1
    fi
    if ! sh "$here/steps/$1.after" >>"$here/output" 2>&1; then
        log "$1 failed it had no effect: $(said)"
        return 1
    fi
    log "$1 applied"
}

# Files that another hand changed since stay, with a diff in the journal's folder.
restore() {
    while IFS= read -r path; do
        copy="$here/kept/$1$path"
        if [ "$(sum "$path")" != "$(cat "$copy.after")" ]; then
            diff -u "$copy" "$path" >"$here/$1.diff" 2>&1
            log "$1 not undone $path was changed since: see $here/$1.diff"
            return 1
        fi
    done <"$here/steps/$1.files"
    while IFS= read -r path; do
        copy="$here/kept/$1$path"
        if [ -e "$copy.absent" ]; then rm -f "$path"; else cp -a "$copy" "$path"; fi
        [ ! -e "$copy.folder" ] || rmdir "$(cat "$copy.folder")" 2>/dev/null
    done <"$here/steps/$1.files"
    return 0
}

undo() {
    log "$1 undo"
    if [ -s "$here/steps/$1.undo" ]; then
        limited "$here/steps/$1.undo"
        code=$?
        [ "$code" = 0 ] || {
            log "$1 not undone exit $code: $(said)"
            return "$code"
        }
    elif ! restore "$1"; then
        return 1
    fi
    log "$1 undone"
}

# Steps that began and were not taken back, the last one first.
begun() {
    awk '$3 == "begin" {order[++n] = $2; on[$2] = 1} $3 == "undone" {on[$2] = 0}
        END {for (; n > 0; n--) if (on[order[n]]) {on[order[n]] = 0; print order[n]}}' "$here/journal"
}

# What was made from other files is made again once these are back.
again() {
    while read -r id; do
        ! grep -q " $id begin$" "$here/journal" || limited "$here/steps/$id.do" ||
            log "$id failed to be made again: $(said)"
    done <"$here/derived"
}

take_back() {
    worst=0
    for id in $(begun); do
        grep -qx "$id" "$here/derived" || undo "$id" || worst=$?
        [ "$worst" != 124 ] || return 124
    done
    again
    return "$worst"
}

finish() {
    log "end $*"
    rm -rf "$lock"
    : >"$here/done"
}

rm -f "$here/done"
if ! mkdir "$lock" 2>/dev/null; then
    if alive "$(cat "$lock/pid" 2>/dev/null)"; then
        log "end refused another run is at work: $(cat "$lock/run")"
        : >"$here/done"
        exit 1
    fi
fi
echo $$ >"$lock/pid"
basename "$here" >"$lock/run"

if [ "${1:-}" = undo ]; then
    log "undo by $(id -un)"
    if take_back; then finish undone; else finish failed; fi
    exit
fi
while read -r id; do
    apply "$id"
    case $? in
    0) ;;
    124)
        finish failed
        exit 1
        ;;
    *)
        if take_back; then finish rolled back; else finish failed; fi
        exit 1
        ;;
    esac
done <"$here/order"
finish applied

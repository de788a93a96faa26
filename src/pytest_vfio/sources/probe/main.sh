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
  say about items "$KNOWN"
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
  read_items
  pci_rest
  say 'done'
  [ -z "$LEFT" ] || ballast
}

# mawk waits until its buffer is full, or the pipe closed by all who hold it. This ends with the
# writer, at the latest.
ballast() {
  i=0
  while [ "$i" -lt 16384 ]; do
    printf '%063d\n' 0
    i=$((i + 1))
  done
}

main() {
  K= MARK=
  { read -r K </proc/sys/kernel/random/uuid; } 2>/dev/null || K=$$-$(date +%s%N)
  { read -r MARK <"$R/proc/sys/kernel/random/boot_id"; } 2>/dev/null
  probe | awk -v key="%$K" -v root="$R" -v mark="$MARK" "$WRITER"
}

main </dev/null
exit

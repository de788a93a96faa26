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

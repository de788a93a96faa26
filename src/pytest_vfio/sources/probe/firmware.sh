# -- the firmware, device nodes ------------------------------------------------------------------

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

table() {            # NAME of a table of ACPI
  f=$R/sys/firmware/acpi/tables/$1
  why_not "$f"
  if [ -n "$WHY" ]; then
    without "${f#"$R"/}" "$WHY"
    return
  fi
  say item "${f#"$R"/}" base64
  say mode base64
  # od and not base64(1): every host has it
  said=$(od -An -v -tx1 "$f" 2>&1 >&3 3>&- </dev/null)
  code=$?
  say end "$(verdict)"
}

node() {             # NAME of an item: a device node
  if [ -e "$R/$1" ]; then
    say item "$1"
    ls -ln "$R/$1" 2>/dev/null
    say end present
  else
    absent_or_hidden "$R/$1"
    without "$1" "$WHY"
  fi
}

devicetree() {
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

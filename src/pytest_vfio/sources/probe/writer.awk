# The writer: one awk turns all that is read into the stream.
#
# A line that begins with the key, which nobody on the host can know, is for the writer. All others
# are data, and what becomes of them is up to the mode:
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
#   unread X paths that X kept from being read -> PATH!X, for those of which nothing was printed
#   process, opener         `PID COMM`; `ls -ln /proc/*/fd`
#   tcp      rows of /proc/net/tcp and tcp6 -> those that sshd has open, as ss(8) prints them

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
  if (at > 1 && (order !~ /^(end|late) / || order ~ /^end present/)) data(substr($0, 1, at - 1))
  control(order)
}

function control(line,   verb, rest, i) {
  i = index(line " ", " ")
  verb = substr(line, 1, i - 1)
  rest = substr(line, i + 1)
  leave()
  if (verb == "item") begin(rest)
  else if (verb == "end") {
    if (over && rest ~ /^(present|truncated)/) rest = "truncated " size
    else if (failed != "") rest = failed
    finish(rest)
  }
  else if (verb == "late") late(rest)
  else if (verb == "mode") {
    i = index(rest " ", " ")
    mode = substr(rest, 1, i - 1)
    word = substr(rest, i + 1)
    if (mode == "address") addresses = 0
    if (mode == "config") { slot = 1; hold = failed = ""; again = 0 }
    if (mode == "unread") failed = ""
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

function begin(rest,   i) {
  print "%item " rest
  count++
  size = over = 0
  failed = ""
  mode = "raw"
  begun[rest] = 1
  remember = rest ~ / more$/
  for (i in printed) delete printed[i]
}

function finish(rest) {
  print "%end " rest
  fflush()
  mode = ""
}

# SECONDS NAMES: who was to read these items was left behind; one of them may be open.
function late(rest,   f, n, i) {
  n = split(rest, f, " ")
  if (mode != "") finish("timed out after " f[1] " s")
  for (i = 2; i <= n; i++)
    if (!(f[i] in begun)) {
      begin(f[i])
      finish("timed out after " f[1] " s")
    }
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
  else if (mode == "unread") { if (!(line in printed)) print "|" line "!" word }
  else if (mode == "process") { i = index(line, " "); comm[substr(line, 1, i - 1)] = substr(line, i + 1) }
  else if (mode == "opener") opener(line)
}

function keep(line) {
  if (remember) printed[substr(line, 1, index(line, "=") - 1)] = 1
  size += length(line) + 1
  if (size > max) over = 1
  else print "|" line
}

function leave(   v) {
  if (mode == "base64") { if (triple) sextets(triple); if (text != "") print "|" text; text = ""; triple = 0 }
  else if (mode == "config") {
    configs()
    halfway()
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
        space(sizes[i])
        hold = substr(hold, sizes[i] * 2 + wide + 1)
      }
  } while (found)
}

# The next function may hang: od has not printed the end of this one yet, but the boot id begins.
function halfway(   i, rest) {
  for (i = 2; i <= 5; i++) {
    rest = substr(hold, sizes[i] * 2 + 1)
    if (slot <= addresses && length(rest) > 16 && index(boot "0a", rest) == 1) { space(sizes[i]); return }
  }
}

function space(size) {
  printed[address[slot]] = 1
  if (size) print "|" address[slot] "=" substr(hold, 1, size * 2)
  if (size < 256) print "|" address[slot] "!" (word ? "failed" : "denied")
  slot++
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
      if ((weight[i] += length(s) + 1) > most(path[i])) return
      text_of[++lines] = s
      if (!(i in from)) from[i] = lines
      to[i] = lines
      return
    }
}

# No kernel takes a command line of such a length, and to read one word by word takes long.
function most(p) {
  return p ~ /\/cmdline$/ ? 65536 : max
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
    else if (weight[i] > most(path[i])) print "%end truncated " weight[i]
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
}

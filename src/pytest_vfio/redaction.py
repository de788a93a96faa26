"""The one list of what no recording and no report may hold: passwords, their hashes, keys, tokens.

Only values go, and what stands around them stays: a check that reads the text sees the same
structure. Each rule costs time in proportion to the text, and nothing where the text has none of its
needles.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import msgspec

BLACK = b"REDACTED"


class _Rule(msgspec.Struct, frozen=True):
    """What is replaced, and, in small letters, of what at least one has to be there for it."""

    needles: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    new: bytes | Callable[[re.Match[bytes]], bytes]


@lru_cache(maxsize=1 << 12)  # one line is quoted by many findings
def redacted(text: str) -> str:
    """A text without secrets."""
    return blackened(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def blackened(data: bytes) -> bytes:
    """The same for bytes, whatever their encoding."""
    there = data.lower().__contains__
    if any(map(there, _ALL_NEEDLES)):  # most texts end here
        for rule in _RULES:
            if any(map(there, rule.needles)):
                data = rule.pattern.sub(rule.new, data)
    return data


def _valued(found: re.Match[bytes]) -> bytes:
    """What stands before the value, and, in its own quotes, nothing of it."""
    value = found["value"]
    quote = value[:1] if value[:1] in {b"'", b'"'} else b""
    head: bytes = found["head"]
    return head + quote + BLACK + quote


def _rule(needles: str, pattern: str, new: bytes | Callable[[re.Match[bytes]], bytes]) -> _Rule:
    flags = re.IGNORECASE | re.MULTILINE
    words = tuple(needle.encode() for needle in needles.split())
    return _Rule(words, re.compile(pattern.encode(), flags), new)


def _assigned(needles: str, names: str, value: str = "") -> _Rule:
    """NAME=VALUE, the name ending in one of these; what is quoted goes as a whole."""
    value = value or _VALUE
    return _rule(needles, rf"(?P<head>{names})(?P<value>{value})", _valued)


_VALUE = r"'[^'\n]{1,4096}'|\"[^\"\n]{1,4096}\"|[^\s\"'<>]{1,4096}"
#: What a name ends in whose value is a secret. Short ones stand alone, or behind a sign: `bypass=`
#: and `vcpupin` are none.
_NAMES = (
    r"(?:passw(?:or)?d|passphrase|passcode|passwort|secret|secret[_-]?key|token|psk|credentials?"
    r"|(?:api|access|private|preshared|luks|auth|secret|shared|account|encryption)[_-]?key"
    r"|(?<![a-z])(?:pass|pwd|pw|rootpw|userpw|chap)|[_.-](?:pass|pwd|pw|key)"
    r"|(?:tpm2?|fido2|pkcs11|user|so|security)[_-]?pin)"
)
_NEEDLES = "passw passp passc secret token psk credential key pass pwd pw chap pin"

_RULES: tuple[_Rule, ...] = (
    # the kernel takes a quote that opens before the name: "secret=a b"
    _rule(_NEEDLES, rf"(?<!\S)([\"'])([\w.-]{{0,64}}{_NAMES}[0-9_]{{0,4}}=)(?:(?!\1)[^\n]){{1,4096}}\1",
          rb"\1\2%s\1" % BLACK),
    # NAME=VALUE on command lines, in XML (passwd='...'), in queries of URLs, in files of settings
    _assigned(_NEEDLES, rf"{_NAMES}[0-9_]{{0,4}}[ \t]{{0,8}}=[ \t]{{0,8}}"),
    _assigned("auth= key= sig=", r"[?&](?:auth|key|sig)="),
    # Key = ... of MACsec, ceph and their like: a line of its own
    _assigned("key", r"^[ \t]{0,64}key[ \t]{0,8}=[ \t]{0,8}"),
    _assigned("luks.key= keyfile=", r"(?:\bluks\.key|\bkeyfile)="),
    # "token": "..." in JSON, token: ... in YAML and in headers
    _rule(_NEEDLES, rf"(\"[\w.-]{{0,64}}{_NAMES}\"[ \t]?:[ \t]?\")[^\"\n]{{1,4096}}(\")",
          rb"\1%s\2" % BLACK),
    _assigned("passw passp secret token key", r"(?:passw(?:or)?d|passphrase|secret"
              r"|(?:api|private|preshared)[_-]?key):[ \t]{0,8}", r"[^\s\"'<>]{1,4096}"),
    _assigned("token:", r"\btoken:[ \t]{0,8}", r"[^\s\"'<>]{12,4096}"),
    _rule("cookie:", r"(\bcookie:[ \t]{0,8})[^\n\"'<>]{1,4096}", rb"\1%s" % BLACK),
    # options of commands: --password WORD, sshpass -p WORD, -u user:WORD, pass:WORD of OpenSSL
    _assigned("--pass --token --secret --pin --api",
              r"--(?:pass(?:word|wd|phrase)?|token|secret|pin|api-key)[ \t]{1,8}"),
    _assigned("sshpass", r"\bsshpass[ \t]{1,8}-p[ \t]{0,8}"),
    _assigned("cryptomount", r"\bcryptomount[ \t]{1,8}-p[ \t]{1,8}"),
    _assigned("-u", r"[ \t]-u[ \t]{0,8}[^\s:\"']{1,256}:"),
    _assigned("pass:", r"(?<![\w-])pass:"),
    # systemd's credentials: NAME:VALUE, on the kernel's command line, in units and from SMBIOS
    _assigned("credential", r"\b(?:systemd\.set_credential(?:_binary)?|SetCredential(?:Encrypted)?)="
              r"[^\s:=]{1,256}:"),
    _assigned("io.systemd.credential",
              r"\bio\.systemd\.credential(?:\.binary)?:[^\s=\"'<]{1,256}="),
    # QEMU: -object secret,data=, -fw_cfg string=, -smbios type=11,value=, and the same as JSON
    _assigned("secret", r"\bsecret,[^\s\"'<>]{0,160}?\bdata="),
    _rule('"data"', r"(\"data\"[ \t]?:[ \t]?\")[^\"\n]{1,65536}(\")", rb"\1%s\2" % BLACK),
    _assigned("string=", r"(?<=[\s,'\"])string="),
    _assigned("type=11", r"\btype=11,[^\s\"'<>]{0,160}?\bvalue="),
    # libvirt: secrets in status XML, cookies, keys of migration and disks, what a guest is told
    _rule("masterkey secret cookie passw authkey auth_key auth-key",
          r"(<(?:masterKey|secret|cookie|password|auth[_-]?key)\b[^<>]{0,200}(?<!/)>)"
          r"[^<\n]{1,65536}(<)", rb"\1%s\2" % BLACK),
    _rule("<entry <description", r"(<(?:entry|description)\b[^<>]{0,200}(?<!/)>)[^<]{1,65536}(</)",
          rb"\1%s\2" % BLACK),
    _assigned("qemu:env", r"<qemu:env\b[^<>]{0,300}?\bvalue="),
    # grub.cfg: password_pbkdf2 USER grub.pbkdf2.sha512..., password USER WORD
    _rule("grub.pbkdf2", r"(\bgrub\.pbkdf2\.sha\d{1,4}\.)[0-9a-f.]{1,8192}", rb"\1%s" % BLACK),
    _rule("password", r"(^[ \t]{0,64}password(?:_pbkdf2)?[ \t]{1,64}\S{1,256}[ \t]{1,64})\S[^\n]*",
          rb"\1%s" % BLACK),
    _assigned("login", r"\blogin[ \t]{1,8}\S{1,256}\s{1,8}password[ \t]{1,8}"),
    # scheme://user:password@host, netroot=iscsi:user:secret@host, and user%password of cifs
    _rule("://", r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,256}:)[^\s/@]{1,1024}(@)",
          rb"\1%s\2" % BLACK),
    _rule("iscsi:", r"(\biscsi:)[^\s@:/]{1,128}:[^\s@:]{1,128}(@)", rb"\1%s\2" % BLACK),
    _assigned("user", r"\buser(?:name)?=[^\s,%\"']{1,256}%", r"[^\s,\"']{1,1024}"),
    # Authorization: Bearer ...
    _rule("bearer basic digest", r"(\b(?:bearer|basic|digest)[ \t]{1,8})[a-z0-9+/._~-]{8,4096}=*",
          rb"\1%s" % BLACK),
    # crypttab: the file that has the key
    _rule("/dev/ uuid=", r"(^[\w.-]{1,256}[ \t]{1,64}(?:(?:PART)?UUID=|/dev/)\S{1,512}[ \t]{1,64})"
          r"/(?!\S{0,64}[ \t]{1,64}(?:ext[234]|xfs|btrfs|vfat|swap|nfs4?|cifs|tmpfs)\b)\S{1,1024}",
          rb"\1/%s" % BLACK),
    # crypt(3) hashes, and what LDAP and htpasswd make of them
    _rule("$", r"\$(?:1|2[abxy]?|3|5|6|7|y|gy|md5|sha1|apr1|argon2\w{0,3}|scrypt)\$[./a-z0-9$=,+]{8,512}",
          BLACK),
    _rule("sha} md5} crypt}", r"(\{(?:s?sha\d{0,3}|s?md5|crypt)\})[./a-z0-9$=+]{8,512}",
          rb"\1%s" % BLACK),
    # tokens that tell themselves apart
    _rule("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- akia asia xox aiza sk_live_ hvs. npm_ dckr_pat_",
          r"\b(?:gh[pousr]_[a-z0-9]{20,255}|github_pat_\w{20,255}|glpat-[a-z0-9_-]{20,64}"
          r"|A[KS]IA[A-Z0-9]{16}|xox[abeprs]-[a-z0-9-]{10,255}|AIza[\w-]{35}"
          r"|sk_live_[a-z0-9]{16,255}|hvs\.[\w-]{20,255}|npm_[a-z0-9]{30,255}"
          r"|dckr_pat_[\w-]{20,255})", BLACK),
    _rule("eyj", r"\beyJ[\w-]{8,4096}\.[\w-]{4,8192}\.[\w-]{4,4096}", BLACK),
    _rule("age-secret-key-", r"\bAGE-SECRET-KEY-1[a-z0-9]{20,128}", BLACK),
    _rule("private key", r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)"
          r"(?:[^-]|-(?!----)){1,65536}", rb"\1%s" % BLACK),
)  # fmt: skip
_ALL_NEEDLES = tuple({needle: None for rule in _RULES for needle in rule.needles})

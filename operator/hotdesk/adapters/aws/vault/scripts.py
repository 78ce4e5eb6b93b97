"""What machines are asked to do: POSIX shell for any Linux with tar, gzip, curl, flock and sha256sum. Pure.

All of them are idempotent: a lock keeps two runs of one job apart, and a marker says what was done. Nothing of a user's
is deleted. In the simulation HOTDESK_ROOT is the machine's disk; elsewhere there is none, and the root is `/`.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hotdesk.adapters.aws.vault.folders import Place

WORK: Final = "var/lib/hotdesk"
"""Where jobs keep their markers and what is under way; never part of a backup."""
_NOT_OURS: Final = "the machine did not write what the script writes"
_SHA256: Final = re.compile("[0-9a-f]{64}")
_NAME: Final = re.compile("@([A-Z0-9]+)@")
MEBIBYTE: Final = 1024 * 1024

_BEGIN: Final = """\
set -u
export LC_ALL=C
cd "${HOTDESK_ROOT:-/}" || exit 1
umask 077
work=@WORK@/@JOB@
mkdir -p "$work" && exec 9>"$work/lock" && flock 9 || exit 1
fail() { printf '%s\\n' "$*" >&2; exit 1; }
"""

# tar ends with 1 where a file changed while it was read: a program still writes. Then it tries again, and at the third
# time it is content, as a log that is written all the time must not keep a machine for ever; the manifest says so.
_PACK: Final = """\
[ -f "$work/result" ] && [ -f "$work/archive" ] && { cat "$work/result"; exit 0; }
rm -f "$work/result" "$work/uploaded"
find @WORK@ -name archive -type f -mtime +1 -exec rm -f {} +
there= number=0 changed=false try=1
set --
for folder in @FOLDERS@; do
  [ -e "$folder" ] && { set -- "$@" "$folder"; there="$there${there:+,}$number"; }
  number=$((number + 1))
done
[ $# -gt 0 ] || set -- --files-from /dev/null
while :; do
  tar -czf "$work/new" --no-unquote --anchored --exclude=@WORK@ "$@" 2>"$work/said"
  code=$?
  [ $code -eq 0 ] && break
  [ $code -eq 1 ] || fail "tar could not read everything: $(tail -n 3 "$work/said")"
  [ $try -lt 3 ] || { changed=true; break; }
  try=$((try + 1))
done
mv "$work/new" "$work/archive" || exit 1
size=$(wc -c <"$work/archive") || exit 1
sum=$(sha256sum <"$work/archive") || exit 1
parts= offset=0
while [ $((offset * 1048576)) -lt $size ]; do
  part=$(dd if="$work/archive" bs=1048576 skip=$offset count=@PART@ 2>/dev/null | sha256sum) || exit 1
  parts="$parts${parts:+,}\\"${part%% *}\\""
  offset=$((offset + @PART@))
done
printf '{"size":%d,"sha256":"%s","parts":[%s],"there":[%s],"changed":%s}\\n' \\
  "$size" "${sum%% *}" "$parts" "$there" "$changed" >"$work/result.new"
mv "$work/result.new" "$work/result" && cat "$work/result"
"""

# 412 says that the object is there already: an earlier run has sent it, and the answer was lost.
_UPLOAD: Final = """\
[ -f "$work/uploaded" ] && { cat "$work/result"; exit 0; }
[ -f "$work/archive" ] || fail "the archive is no longer on the machine"
put() {
  file=$1 url=$2
  shift 2
  code=$(curl -sS -g -o "$work/answer" -w '%{http_code}' -T "$file" "$@" "$url" 2>"$work/said") ||
    fail "S3 was not reached: $(tail -n 1 "$work/said")"
  case $code in
    200|412) ;;
    *) fail "S3 answered $code: $(head -c 400 "$work/answer")" ;;
  esac
}
part() {
  number=$1
  shift
  dd if="$work/archive" of="$work/part" bs=1048576 skip=$((number * @PART@)) count=@PART@ 2>"$work/said" ||
    fail "$(tail -n 1 "$work/said")"
  put "$work/part" "$@"
}
@PUTS@
rm -f "$work/archive" "$work/part"
: >"$work/uploaded"
cat "$work/result"
"""

# Freezing the file system would be stronger, and would freeze SSM's agent with it: nobody could thaw it again. What was
# written before is on the disk after `sync`, and the file system's journal makes whole what is written meanwhile.
_FLUSH: Final = "sync || exit 1\n"

_UNPACK: Final = """\
[ -f "$work/done" ] && exit 0
code=$(curl -sS -g -o "$work/archive" -w '%{http_code}' @URL@ 2>"$work/said") ||
  fail "S3 was not reached: $(tail -n 1 "$work/said")"
[ "$code" = 200 ] || fail "S3 answered $code: $(head -c 400 "$work/archive")"
sum=$(sha256sum <"$work/archive") || exit 1
[ "${sum%% *}" = @SHA256@ ] || fail "what came from S3 is not the archive that was made: its SHA-256 is ${sum%% *}"
tar -tzf "$work/archive" --quoting-style=literal >"$work/names" 2>"$work/said" || fail "$(tail -n 1 "$work/said")"
has() {
  folder="$1" awk 'index($0, ENVIRON["folder"] "/") == 1 || $0 == ENVIRON["folder"] { found = 1; exit }
    END { exit !found }' "$work/names"
}
bring() {
  while [ $# -gt 0 ]; do
    if has "$1"; then
      (umask 022; tar -xzpf "$work/archive" --no-unquote --transform "$3" "$1" 2>"$work/said") ||
        fail "tar: $(tail -n 3 "$work/said")"
      return
    fi
    shift 3
  done
}
@MOVES@
set --
for folder in @FOLDERS@; do
  has "$folder" && set -- "$@" "$folder"
done
if [ $# -gt 0 ]; then
  (umask 022; tar -xzpf "$work/archive" --no-unquote "$@" 2>"$work/said") || fail "tar: $(tail -n 3 "$work/said")"
fi
sync
: >"$work/done"
rm -f "$work/archive" "$work/names"
"""

# An attached volume that is mounted by itself is in mnt/<its id>; else its largest file system is mounted. A root of
# the same image has the same XFS UUID as the machine's own, which `nouuid` allows.
_COPY: Final = """\
[ -f "$work/done" ] && exit 0
volume=@VOLUME@ device=@DEVICE@
from="mnt/$volume"
if [ ! -d "$from" ]; then
  from="$work/disk"
  mkdir -p "$from"
  trap 'umount "$from" 2>/dev/null' EXIT
  if ! mountpoint -q "$from"; then
    serial=$(printf %s "$volume" | tr -d -)
    disk=$(lsblk -dnpo NAME,SERIAL | awk -v serial="$serial" '$2 == serial { print $1 }')
    for name in "$device" "/dev/xvd${device#/dev/sd}"; do
      [ -n "$disk" ] || [ ! -b "$name" ] || disk=$name
    done
    [ -n "$disk" ] || fail "there is no disk of $volume"
    part=$(lsblk -bnpo SIZE,FSTYPE,NAME -l "$disk" | awk '$2 ~ /^(ext[234]|xfs|btrfs)$/' | sort -n | tail -n 1)
    [ -n "$part" ] || fail "there is no file system on $volume ($disk) that could be read"
    options=ro
    case $part in *" xfs "*) options=ro,nouuid ;; esac
    mount -o "$options" "${part##* }" "$from" 2>"$work/said" || fail "$(tail -n 1 "$work/said")"
  fi
fi
[ -f "$work/begun" ] || : >"$work/begun"
compare() {
  missing=$(awk -F '\\t' 'FILENAME == ARGV[1] { size[$1] = $2; next }
    !($1 in size) || (size[$1] != "*" && size[$1] != $2) { print $1; exit }' "$work/there" "$work/wanted")
  [ -z "$missing" ] || fail "after the copy $missing is not as it was"
}
bring() {
  while [ $# -gt 0 ]; do
    if [ -e "$from/$1" ]; then
      rm -f "$work/broken"
      { tar -C "$from" -cf - --no-unquote --anchored --exclude=@WORK@ "$1" 2>"$work/said" || : >"$work/broken"; } |
        (umask 022; tar -xpf - --transform "$3" 2>"$work/said2") ||
        fail "tar could not write: $(tail -n 3 "$work/said2")"
      [ ! -e "$work/broken" ] || fail "tar could not read: $(tail -n 3 "$work/said")"
      sync
      find "$from/$1" -path "$from/@WORK@" -prune -o -type f -printf '%P\\t%s\\n' >"$work/wanted" || exit 1
      find "$2" -path @WORK@ -prune -o -type f \\( -newer "$work/begun" -printf '%P\\t*\\n' \\
        -o -printf '%P\\t%s\\n' \\) >"$work/there" || exit 1
      compare
      return
    fi
    shift 3
  done
}
@MOVES@
set --
for folder in @FOLDERS@; do
  [ -e "$from/$folder" ] && set -- "$@" "$folder"
done
if [ $# -gt 0 ]; then
  rm -f "$work/broken"
  { tar -C "$from" -cf - --no-unquote --anchored --exclude=@WORK@ "$@" 2>"$work/said" || : >"$work/broken"; } |
    (umask 022; tar -xpf - 2>"$work/said2") || fail "tar could not write: $(tail -n 3 "$work/said2")"
  [ ! -e "$work/broken" ] || fail "tar could not read: $(tail -n 3 "$work/said")"
  sync
  (cd "$from" && find "$@" -path @WORK@ -prune -o -type f -printf '%p\\t%s\\n') >"$work/wanted" || exit 1
  find "$@" -path @WORK@ -prune -o -type f \\( -newer "$work/begun" -printf '%p\\t*\\n' -o -printf '%p\\t%s\\n' \\) \\
    >"$work/there" || exit 1
  compare
fi
: >"$work/done"
rm -f "$work/wanted" "$work/there"
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """What a machine says of the archive it made; `there` are the numbers of the folders that exist."""

    size: int
    sha256: str
    parts: tuple[str, ...]  # the SHA-256 of each part
    there: frozenset[int]
    has_changed: bool  # files were written while they were read


@dataclass(frozen=True, slots=True)
class Put:
    """A URL that takes bytes, and the headers that must come with them."""

    url: str
    headers: tuple[str, ...]

    @property
    def words(self) -> str:
        """What the script's `put` is told."""
        return _words([self.url, *(word for header in self.headers for word in ("-H", header))])


def pack(*, job: str, folders: Sequence[str], part_size: int) -> str:
    """Return a script that makes the archive of these folders and says what became of it."""
    return _script(_PACK, job=job, FOLDERS=_words(folders), PART=str(part_size // MEBIBYTE))


def upload(*, job: str, put: Put) -> str:
    """Return a script that sends the archive in one piece."""
    return _script(_UPLOAD, job=job, PART="0", PUTS=f'put "$work/archive" {put.words}')


def upload_parts(*, job: str, puts: Mapping[int, Put], part_size: int) -> str:
    """Return a script that sends these parts of the archive, counted from 0."""
    lines = [f"part {number} {put.words}" for number, put in sorted(puts.items())]
    return _script(_UPLOAD, job=job, PART=str(part_size // MEBIBYTE), PUTS="\n".join(lines))


def flush(*, job: str) -> str:
    """Return a script that brings what was written to the disk itself."""
    return _script(_FLUSH, job=job)


def unpack(*, job: str, url: str, sha256: str, places: Sequence[Place]) -> str:
    """Return a script that brings back, once, what the archive at a URL holds for these places."""
    return _script(_UNPACK, job=job, URL=_words([url]), SHA256=_words([sha256]), **_going(places))


def copy(*, job: str, volume: str, device: str, places: Sequence[Place]) -> str:
    """Return a script that brings back, once, what an attached volume holds for these places."""
    return _script(_COPY, job=job, VOLUME=_words([volume]), DEVICE=_words([device]), **_going(places))


def packed(output: str, *, folders: int) -> Packed:
    """Read what `pack` and `upload` write, of so many folders. Raises ValueError for anything else."""
    try:
        said = json.loads(output.strip().splitlines()[-1])
        found = Packed(
            size=int(said["size"]),
            sha256=str(said["sha256"]),
            parts=tuple(map(str, said["parts"])),
            there=frozenset(map(int, said["there"])),
            has_changed=bool(said["changed"]),
        )
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise ValueError(f"{_NOT_OURS}: {error}") from error
    sums = (found.sha256, *found.parts)
    if not (
        found.parts and found.size > 0 and found.there <= set(range(folders)) and all(map(_SHA256.fullmatch, sums))
    ):
        raise ValueError(_NOT_OURS)
    return found


def _going(places: Sequence[Place]) -> dict[str, str]:
    """Return the folders that are filled as they were, all in one go, and a line for each that may have moved."""
    moves = [
        [word for source in place.sources for word in (source, place.at, _renaming(source, place.at))]
        for place in places
        if not place.is_same
    ]
    return {
        "FOLDERS": _words([place.at for place in places if place.is_same]),
        "MOVES": "\n".join(f"bring {_words(move)}" for move in moves),
    }


def _renaming(source: str, at: str) -> str:
    """Return what tells tar to unpack one folder as another: in names and hard links, not in symbolic links."""
    pattern = re.sub(r"([].*[^$\\,])", r"\\\1", source)
    replacement = re.sub(r"([\\&,])", r"\\\1", at)
    return f"s,^{pattern},{replacement},S"


def _script(text: str, *, job: str, **values: str) -> str:
    # In one pass, so that no value is searched for names.
    known = {"WORK": WORK, "JOB": job, **values}
    return _NAME.sub(lambda found: known[found[1]], _BEGIN + text)


def _words(texts: Sequence[str]) -> str:
    return " ".join(map(_word, texts))


def _word(text: str) -> str:
    """Quote a text for the shell, without `{{`, which SSM takes for a parameter of its own."""
    return shlex.quote(text).replace("{", "{''")

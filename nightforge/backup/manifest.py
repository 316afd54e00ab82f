"""A snapshot is its manifest: every file with SHA-256 and size, sealed by a digest over the manifest itself.

The text of a manifest is a function of its content, so a single flipped bit anywhere in the file is found:
either it no longer parses, or the seal does not match, or rendering it again gives other bytes.
"""

import hashlib
import re
from pathlib import Path

import msgspec

from nightforge.core.errors import InputError

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
TRIGGERS = ("manual", "scheduled", "pre_train", "post_train", "exam", "lessons", "pre_restore")
_LABEL = re.compile(r"\d{8}-\d{6}-(?P<trigger>[a-z_]+)(?:-v(?P<version>\d+))?(?:-(?P<serial>\d+))?")


class FileEntry(msgspec.Struct, frozen=True):
    """One file of a snapshot. size in bytes."""

    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a snapshot holds. `files`: path relative to the project, with forward slashes -> entry."""

    schema_version: int = SCHEMA_VERSION
    label: str
    trigger: str
    version: int | None  # newest adapter in the snapshot
    run_id: str | None
    created_at: str  # UTC, ISO-8601
    verified_at: str  # when every file had been read back from the device and matched
    content: str  # SHA-256 over paths and hashes: equal content gives equal values
    bytes: int
    new_bytes: int  # what the store did not have yet
    skipped: dict[str, str]  # path -> why it is not in the snapshot (a symbolic link, vanished while copying)
    warnings: list[str]
    reason: str | None  # why it may be smaller than the one before, given by the user
    files: dict[str, FileEntry]
    seal: str = ""

    @property
    def serial(self) -> int:
        match = _LABEL.fullmatch(self.label)
        return int(match["serial"] or 1) if match else 1


def content_digest(files: dict[str, FileEntry]) -> str:
    """One hash for "the same files with the same bytes", whatever the label, time or trigger."""
    lines = "".join(f"{path}\0{entry.sha256}\n" for path, entry in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def seal(manifest: Manifest) -> Manifest:
    """The manifest with the digest over all its other fields."""
    return msgspec.structs.replace(manifest, seal=_digest(manifest))


def render(manifest: Manifest) -> bytes:
    """The one spelling of a manifest: keys sorted, two spaces, newline at the end."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2) + b"\n"


def parse(raw: bytes, where: str) -> Manifest:
    """Read and check a manifest; InputError says what is wrong with it."""
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is not a valid backup manifest ({error})", next_command=_LIST) from error
    if manifest.seal != _digest(manifest) or render(manifest) != raw:
        raise InputError(f"{where} was changed after it was written", next_command=_LIST)
    for path in manifest.files:
        _check_path(path, where)
    return manifest


def load(folder: Path) -> Manifest:
    """The manifest of a snapshot folder; InputError if it is missing, damaged or of another snapshot."""
    path = folder / MANIFEST_NAME
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: this is not a complete backup", next_command=_LIST) from error
    manifest = parse(raw, str(path))
    if manifest.label != folder.name:
        raise InputError(f"{path} belongs to {manifest.label}, not to {folder.name}", next_command=_LIST)
    return manifest


def is_label(name: str) -> bool:
    """True for YYYYMMDD-HHMMSS-<trigger>[-vN][-serial]."""
    return _LABEL.fullmatch(name) is not None


def make_label(created_at: str, trigger: str, version: int | None, taken: set[str]) -> str:
    """A label nobody has yet: a serial number is added when the second is already used."""
    stamp = re.sub(r"[-:]", "", created_at[:19]).replace("T", "-")
    base = f"{stamp}-{trigger}" + (f"-v{version}" if version is not None else "")
    # One more than the highest in use, not the first free one: retention may have freed a lower number, and
    # serial order must stay the order of writing. The newest snapshot is never removed.
    same = (re.fullmatch(re.escape(base) + r"(?:-(\d+))?", label) for label in taken)
    highest = max((int(match[1] or 1) for match in same if match), default=0)
    return f"{base}-{highest + 1}" if highest else base


_LIST = "python scripts/16_backup.py --list"


def _digest(manifest: Manifest) -> str:
    unsealed = msgspec.structs.replace(manifest, seal="")
    return hashlib.sha256(msgspec.json.encode(unsealed, order="sorted")).hexdigest()


def _check_path(path: str, where: str) -> None:
    # A path that climbs out of the project would let a forged manifest write anywhere at restore.
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or ":" in parts[0] or any(p in {"", ".", ".."} for p in parts):
        raise InputError(f"{where} lists the unsafe path {path!r}", next_command=_LIST)

"""The signed bundle: one zip file with a manifest, the manifest's ssh signature, and the files that it lists.

The signature covers the manifest, the manifest holds the SHA-256 of every file, and nothing else may be in the zip.
Signatures are OpenSSH's (`ssh-keygen -Y`), with an allowed-signers file as ssh knows it.
"""

import hashlib
import json
import struct
import tempfile
import zipfile
import zlib
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sep_trader.errors import InputError, NotAllowed
from sep_trader.program import Finished, run

NAMESPACE = "sep-trader-bundle"
FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
MEMBERS = (
    "research_ledger.json",
    "research_runs.json",
    "models.json",
    "trading_pairs.json",
    "trading_signals.json",
    "candles.json",
)
_LARGEST = 96 * 2**20
"""Of all files together, unpacked."""
_LARGEST_FILE = 64 * 2**20
_LARGEST_MANIFEST, _LARGEST_SIGNATURE = 2**20, 2**14
_MOST_MEMBERS = 16
_PIECE = 2**16
_CLOCKS_DIFFER = timedelta(minutes=5)


class Refusal(StrEnum):
    """Why a bundle is not accepted."""

    MALFORMED = "MALFORMED"
    UNSIGNED = "UNSIGNED"
    FOREIGN_SIGNATURE = "FOREIGN_SIGNATURE"
    ALTERED = "ALTERED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    WRONG_TARGET = "WRONG_TARGET"
    REPLAYED = "REPLAYED"
    REORDERED = "REORDERED"
    CONFLICT = "CONFLICT"
    LEDGER_SHORTER = "LEDGER_SHORTER"
    """The sender's ledger of research has lost rows that it had."""
    LEDGER_FORKED = "LEDGER_FORKED"
    """The sender's ledger of research was made anew."""


class BundleRefused(NotAllowed):
    """The bundle is not accepted, and nothing was changed. `code` says why."""

    def __init__(self, code: Refusal, message: str, hint: str = "") -> None:
        super().__init__(f"bundle refused, {code}: {message}", hint)
        self.code = code


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was signed. `follows` is the number the receiver must have accepted last; times are ISO 8601, UTC."""

    format: int
    target: str
    sequence: int
    follows: int
    created_at: datetime
    expires_at: datetime
    code_version: str
    models: dict[str, str]
    """Model id -> hash of the candles it was trained on."""
    files: dict[str, str]
    """File name -> SHA-256."""

    def to_json(self) -> bytes:
        """The bytes that are signed."""
        values = asdict(self) | {"created_at": self.created_at.isoformat(), "expires_at": self.expires_at.isoformat()}
        return (json.dumps(values, sort_keys=True, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Manifest":
        """Read a manifest; raises BundleRefused (MALFORMED)."""
        try:
            values: dict[str, Any] = json.loads(text)
            if not isinstance(values, dict) or not _names_hashes(values.get("files")):
                raise ValueError("no list of files with their hashes")
            if values.get("format") != FORMAT:
                raise ValueError(f"format {values.get('format')}, this version reads {FORMAT}")
            times = {name: datetime.fromisoformat(values[name]) for name in ("created_at", "expires_at")}
            manifest = cls(**(values | times))
            numbers = (manifest.sequence, manifest.follows)
            if any(t.tzinfo is None for t in times.values()) or not all(type(n) is int and n >= 0 for n in numbers):
                raise ValueError("a time without a zone, or a value that is not a number")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise BundleRefused(Refusal.MALFORMED, f"its manifest cannot be read: {error}") from None
        return manifest


def _names_hashes(files: object) -> bool:
    """Whether this names files and their hashes."""
    return isinstance(files, dict) and all(isinstance(v, str) and len(v) == 64 for v in files.values())


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose signature and hashes are good: nothing here is unverified."""

    manifest: Manifest
    manifest_sha256: str
    signer: str
    files: dict[str, str]


def write_bundle(path: Path, manifest: Manifest, files: dict[str, str], key: Path) -> None:
    """Sign the manifest with the ssh key and write the zip in one go. Raises InputError for a key that cannot sign."""
    text = manifest.to_json()
    signature = _sign(text, key)
    partial = path.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        contents: dict[str, str | bytes] = {MANIFEST: text, SIGNATURE: signature, **files}
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    partial.replace(path)


def read_bundle(path: Path, allowed_signers: Path, *, now: datetime) -> Bundle:
    """Read and verify a bundle: signature, hashes, times. Raises BundleRefused with the reason, or InputError for a
    file that is not there."""
    if not path.is_file():
        raise InputError(f"no bundle at {path}", "sep signals export makes one")
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise BundleRefused(Refusal.MALFORMED, f"it is larger than {_LARGEST_FILE // 2**20} MiB")
        with zipfile.ZipFile(path) as archive:
            text, manifest, signer = _signed(archive, allowed_signers)
            members = _members(archive, manifest)
    # What comes from elsewhere may be anything: each way to be no zip file has an exception of its own.
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError,
            ValueError, OverflowError, struct.error) as error:  # fmt: skip
        raise BundleRefused(Refusal.MALFORMED, f"it is not a whole zip file: {error}", "send it again") from None
    if now >= manifest.expires_at:
        raise BundleRefused(Refusal.EXPIRED, f"it was valid until {manifest.expires_at.isoformat()}", "export again")
    if manifest.created_at > now + _CLOCKS_DIFFER:
        raise BundleRefused(
            Refusal.NOT_YET_VALID, f"it says it was made at {manifest.created_at.isoformat()}", "check both clocks"
        )
    digest = hashlib.sha256(text).hexdigest()
    return Bundle(manifest, digest, signer, members)


def _signed(archive: zipfile.ZipFile, allowed_signers: Path) -> tuple[bytes, Manifest, str]:
    """The manifest and who signed it. Nothing else is unpacked before the signature is good."""
    names = [entry.filename for entry in archive.infolist()]
    if len(names) > _MOST_MEMBERS or len(set(names)) != len(names):
        raise BundleRefused(Refusal.MALFORMED, "a file is in it twice, or there are too many")
    if MANIFEST not in names:
        raise BundleRefused(Refusal.MALFORMED, "it has no manifest")
    text = _unpacked(archive, MANIFEST, _LARGEST_MANIFEST)
    signature = _unpacked(archive, SIGNATURE, _LARGEST_SIGNATURE) if SIGNATURE in names else b""
    if not signature:
        raise BundleRefused(Refusal.UNSIGNED, "nobody signed it")
    signer = _verify(text, signature, allowed_signers)
    manifest = Manifest.from_json(text)
    members = set(names) - {MANIFEST, SIGNATURE}
    if members != set(manifest.files) or members != set(MEMBERS):
        raise BundleRefused(Refusal.ALTERED, "its files are not those that were signed")
    return text, manifest, signer


def _members(archive: zipfile.ZipFile, manifest: Manifest) -> dict[str, str]:
    """The files that were signed, each as it was signed."""
    left, found = _LARGEST, {}
    for name in sorted(manifest.files):
        content = _unpacked(archive, name, left)
        left -= len(content)
        if hashlib.sha256(content).hexdigest() != manifest.files[name]:
            raise BundleRefused(Refusal.ALTERED, f"{name} is not what was signed")
        try:
            found[name] = content.decode()
        except UnicodeDecodeError:
            raise BundleRefused(Refusal.MALFORMED, f"{name} is not UTF-8") from None
    return found


def _unpacked(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A member, as far as it is no longer than it may be: what its directory says of its length is not believed."""
    entry = archive.getinfo(name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
        raise BundleRefused(Refusal.MALFORMED, f"{name} is packed in a way that no bundle is")
    parts, length = [], 0
    with archive.open(entry) as member:
        while part := member.read(_PIECE):
            length += len(part)
            if length > most:
                raise BundleRefused(Refusal.MALFORMED, f"{name} is larger than a bundle may be")
            parts.append(part)
    return b"".join(parts)


def _sign(text: bytes, key: Path) -> bytes:
    if not key.is_file():
        raise InputError(f"no signing key at {key}", f"make one: ssh-keygen -t ed25519 -N '' -f {key}")
    done = _ssh_keygen(["-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE], text)
    if done.status:
        raise InputError(f"{key} cannot sign: {done.errors.decode().strip()}", "is it an ssh private key?")
    return done.output


def _verify(text: bytes, signature: bytes, allowed_signers: Path) -> str:
    """Return who signed. The signer is looked up first: a stranger and an altered text are different news."""
    if not allowed_signers.is_file():
        raise InputError(f"no allowed signers at {allowed_signers}", "nobody may sign bundles for this machine yet")
    with tempfile.TemporaryDirectory(prefix="sep-bundle-") as folder:
        file = Path(folder) / "signature"
        file.write_bytes(signature)
        where = ["-f", str(allowed_signers), "-s", str(file)]
        found = _ssh_keygen(["-Y", "find-principals", *where], text)
        if found.status:
            told = found.errors.decode(errors="replace")
            if "parse" in told or "armor" in told or "invalid format" in told:
                raise BundleRefused(Refusal.UNSIGNED, "its signature cannot be read")
            raise BundleRefused(Refusal.FOREIGN_SIGNATURE, "it is signed by a key that is not allowed here")
        signer = found.output.decode().splitlines()[0].split(",")[0].strip()
        checked = _ssh_keygen(["-q", "-Y", "verify", "-n", NAMESPACE, "-I", signer, *where], text)
    if checked.status:
        raise BundleRefused(Refusal.ALTERED, "its manifest is not what was signed")
    return signer


def _ssh_keygen(arguments: list[str], text: bytes) -> Finished:
    command = ["ssh-keygen", *arguments]
    return run(command, install="install the OpenSSH client", given=text, check=False, timeout_s=30)

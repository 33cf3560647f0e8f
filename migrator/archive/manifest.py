"""A pass as a signed list: what was there, octet for octet, what is missing and what is damaged.

JSON lines, made and read with flat memory (docs/archive-format.md, where a stranger learns to verify one). Whoever has
the public key can prove that not one line was added, altered or taken away since the archive's keeper signed it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from migrator.archive import blobs
from migrator.archive.file import ArchiveFile
from migrator.archive.record import PassRecord
from migrator.archive.view import Found, Pass, View
from migrator.errors import ArchiveDamaged, PostwagenError

FORMAT: Final = "postwagen-manifest-1"
PURPOSE: Final = "archive manifests"
"""What the service's key file derives the signing key for (`Vault.key_for`)."""
_COUNTED: Final = ("messages", "missing", "damaged")


class ManifestRefused(PostwagenError):
    """A manifest is not what was signed, or somebody else has signed it."""

    code: ClassVar[str] = "manifest_refused"
    hint: ClassVar[str] = "Do not rely on it; have a new one made from the archive."


class Signer:
    """Signs manifests with Ed25519 (RFC 8032); the key is made of 32 octets."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, octets: bytes) -> bytes:
        """64 octets."""
        return self._key.sign(octets)


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """What a manifest says that was verified."""

    archive: str
    account: str
    number: int
    began: datetime
    ended: datetime
    messages: int
    missing: int
    damaged: int
    public_key: bytes


# ---- writing -------------------------------------------------------------------------------------------------------


def lines(
    archive: ArchiveFile, moment: Pass, signer: Signer, *, wants_stop: Callable[[], bool] = lambda: False
) -> Iterator[bytes]:
    """The manifest of a complete pass; each line ends with LF. Reads every message.

    Stops without its last line, and so unsigned, where `wants_stop()`.
    """
    digest, counts = hashlib.sha256(), dict.fromkeys(_COUNTED, 0)
    for values in _entries(archive, moment):
        if wants_stop():
            return
        if "format" not in values:
            _count(counts, values)
        line = _line(values)
        digest.update(line)
        yield line
    yield _last_line(counts, digest, signer.public, signer.sign(digest.digest()))


def _entries(archive: ArchiveFile, moment: Pass) -> Iterator[dict[str, Any]]:
    """What each line says."""
    assert moment.ended is not None
    yield {
        "format": FORMAT, "archive": archive.id.hex(), "account": archive.account, "pass": moment.number,
        "began": moment.began.isoformat(), "ended": moment.ended.isoformat(),
    }  # fmt: skip
    view, damaged = View(archive, moment), list[dict[str, Any]]()
    for number, info in view.folders():
        for page in view.pages(number):
            for found in page:
                values = _message(archive, info.name, found)
                if "damaged" in values:
                    damaged.append(values)
                else:
                    yield values
    if moment.record is not None:
        yield from _missing(moment.record)
    yield from damaged


def _missing(seen: PassRecord) -> Iterator[dict[str, Any]]:
    """What the pass did not keep, one by one, and how many more were announced in folders that were not seen."""
    for folder in seen.folders:
        for item in folder.missing:
            lacking = {"key": str(item.key), "size": item.size, "reason": item.reason}
            yield {"missing": {"folder": folder.info.name, **lacking}}
    for name, messages, error in seen.unseen():
        yield {"missing": {"folder": name, "messages": messages, "reason": error}}


def _message(archive: ArchiveFile, folder: str, found: Found) -> dict[str, Any]:
    trouble, digest = found.trouble, ""
    if not trouble:
        try:
            digest = archive.again(partial(_sha256, archive, found.blob))
        except ArchiveDamaged as error:
            trouble = error.message
    if trouble:
        return {"damaged": {"folder": folder, "key": found.key, "detail": trouble}}
    row = found.row
    return {
        "folder": folder, "key": found.key, "sha256": digest, "size": row.size, "flags": sorted(row.flags),
        "date": row.instant.isoformat() if row.instant else None,
    }  # fmt: skip


def _sha256(archive: ArchiveFile, blob: int) -> str:
    return blobs.digest_of(blobs.read(archive, blob)).hex()


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"


def _last_line(counts: dict[str, int], digest: hashlib._Hash, public: bytes, signature: bytes) -> bytes:
    named = {"public_key": public, "signature": signature}
    texts = {name: base64.b64encode(octets).decode("ascii") for name, octets in named.items()}
    return _line(counts | {"sha256": digest.hexdigest()} | texts)


# ---- reading -------------------------------------------------------------------------------------------------------


def verify(lines: Iterable[bytes], expected: Collection[bytes] | None = None) -> ManifestFacts:
    """Read it to its end. Raises ManifestRefused: altered, not whole, or signed by none of these public keys.

    Without `expected` every key will do: the caller looks whose it is.
    """
    digest, counts = hashlib.sha256(), dict.fromkeys(_COUNTED, 0)
    first: dict[str, Any] = {}
    before = b""
    for number, line in enumerate(lines, 1):
        if before:
            digest.update(before)
            values = _parsed(before, number - 1)
            if number == 2:
                first = values
            else:
                _count(counts, values)
        before = line
    if first.get("format") != FORMAT:
        raise ManifestRefused("This is no manifest of ours.")
    last = _parsed(before, 0)
    public = _verified(last, digest.digest())
    signature = base64.b64decode(last["signature"])
    if before != _last_line(counts, digest, public, signature):
        raise ManifestRefused("The last line of the manifest does not fit the others.")
    if expected is not None and public not in expected:
        raise ManifestRefused("The manifest was signed with a key that is none of those expected.")
    return _facts(first, counts, public)


def _parsed(line: bytes, number: int) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        where = f"Line {number}" if number else "The last line"
        raise ManifestRefused(f"{where} of the manifest is not whole.")
    return values


def _count(counts: dict[str, int], values: dict[str, Any]) -> None:
    """A line counts for one message, or for as many as it says."""
    kind = next((kind for kind in _COUNTED if kind in values), "messages")
    many = values[kind].get("messages", 1) if isinstance(values.get(kind), dict) else 1
    counts[kind] += many if isinstance(many, int) else 1


def _verified(last: dict[str, Any], digest: bytes) -> bytes:
    """The public key that has signed this digest."""
    try:
        public = base64.b64decode(last["public_key"], validate=True)
        signature = base64.b64decode(last["signature"], validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, digest)
    except (KeyError, TypeError, ValueError):
        raise ManifestRefused("The manifest has no signature: it is not whole.") from None
    except InvalidSignature:
        raise ManifestRefused("The manifest was altered after it was signed.") from None
    return public


def _facts(first: dict[str, Any], counts: dict[str, int], public: bytes) -> ManifestFacts:
    try:
        began, ended = (datetime.fromisoformat(first[name]) for name in ("began", "ended"))
        return ManifestFacts(
            str(first["archive"]), str(first["account"]), int(first["pass"]), began, ended,
            counts["messages"], counts["missing"], counts["damaged"], public,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise ManifestRefused("The first line of the manifest is not whole.") from None

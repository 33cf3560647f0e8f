"""What lies in an archive is sealed (docs/archive-format.md; traps.md, N). Pure, but for random octets.

Everything that identifies a person is sealed or stands as an HMAC under the archive's key, which lies outside the
file: destroying the key destroys the archive. Keys of different purposes are derived by HKDF-SHA256 (RFC 5869).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from migrator.errors import ArchiveDamaged

FORMAT = b"postwagen-archive-1"
KEY_OCTETS = 32
ID_OCTETS = 16
SALT_OCTETS = 16
NONCE_OCTETS = 12
TAG_OCTETS = 16
"""By so much is what is sealed longer than what it was."""


@dataclass(frozen=True, slots=True)
class BlobSeal:
    """Seals the chunks of one blob: a key of its own, nonces that count, every chunk bound to its place."""

    _key: AESGCM = field(repr=False)
    _about: bytes

    def seal(self, chunk: bytes, position: int, *, last: bool) -> bytes:
        """Chunk `position` (from 0), sealed."""
        return self._key.encrypt(_counted(position), chunk, self._about + _place(position, last))

    def unseal(self, sealed: bytes | memoryview, position: int, *, last: bool) -> bytes:
        """The chunk. Raises ArchiveDamaged."""
        try:
            return self._key.decrypt(_counted(position), sealed, self._about + _place(position, last))
        except (InvalidTag, ValueError, TypeError):
            raise ArchiveDamaged("A part of a message is damaged.") from None


class ArchiveSeal:
    """All that one archive's key can do."""

    def __init__(self, key: bytes, archive_id: bytes) -> None:
        self._key = key
        self._id = archive_id
        self._addresses = self._derive(b"addresses")
        self._rows = AESGCM(self._derive(b"rows"))

    def __repr__(self) -> str:
        return f"ArchiveSeal({self._id.hex()})"

    def _derive(self, purpose: bytes, salt: bytes = b"") -> bytes:
        made = HKDF(algorithm=SHA256(), length=KEY_OCTETS, salt=self._id + salt, info=FORMAT + b" " + purpose)
        return made.derive(self._key)

    def address(self, kind: str, octets: bytes) -> bytes:
        """Where something is found again without saying what it is: HMAC-SHA256 of `kind` NUL `octets`."""
        return hmac.digest(self._addresses, kind.encode() + b"\0" + octets, hashlib.sha256)

    def seal_row(self, plain: bytes, about: bytes) -> bytes:
        """A row's values; `about` says which row, so that it opens nowhere else."""
        nonce = secrets.token_bytes(NONCE_OCTETS)
        return nonce + self._rows.encrypt(nonce, plain, FORMAT + self._id + about)

    def unseal_row(self, sealed: bytes, about: bytes) -> bytes:
        """The values. Raises ArchiveDamaged."""
        try:
            return self._rows.decrypt(sealed[:NONCE_OCTETS], sealed[NONCE_OCTETS:], FORMAT + self._id + about)
        except (InvalidTag, ValueError, TypeError):
            raise ArchiveDamaged("An entry of the archive is damaged, or its key is another one.") from None

    def blob(self, address: bytes, salt: bytes) -> BlobSeal:
        """For the blob of this address; `salt` was drawn at random when it was written."""
        return BlobSeal(AESGCM(self._derive(b"blob", salt)), FORMAT + self._id + address)


def _counted(position: int) -> bytes:
    return position.to_bytes(NONCE_OCTETS, "big")


def _place(position: int, last: bool) -> bytes:
    return position.to_bytes(8, "big") + (b"\1" if last else b"\0")

"""The rows of an archive as values: folders, messages, placements, passes; sealed and opened here."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import zstandard

from migrator.archive.sealing import ArchiveSeal
from migrator.errors import ArchiveDamaged
from migrator.mail.folders import FolderInfo, Role
from migrator.mail.messages import MessageKey

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Origin:
    """A message as it stood at the old server: its key, its size and its internal date (None: the server had none)."""

    key: MessageKey
    size: int
    instant: datetime | None


def address_of_folder(seal: ArchiveSeal, name: str) -> bytes:
    """`name`: the levels, joined (`mail.folders.SEPARATOR`)."""
    return seal.address("folder", name.encode())


def address_of_origin(seal: ArchiveSeal, key: MessageKey) -> bytes:
    """One for each key of the old server, within a folder."""
    return seal.address("origin", f"{key.validity}/{key.uid}/{key.name}".encode())[:16]


def seal_folder(seal: ArchiveSeal, address: bytes, info: FolderInfo) -> bytes:
    """A folder's name at the old server, its levels, role and subscription."""
    values = {
        "name": info.name, "path": list(info.path), "role": info.role.value if info.role else None,
        "subscribed": info.subscribed,
    }  # fmt: skip
    return seal.seal_row(_packed(values), b"folder" + address)


def open_folder(seal: ArchiveSeal, address: bytes, sealed: bytes) -> FolderInfo:
    """Raises ArchiveDamaged."""
    values = json.loads(seal.unseal_row(sealed, b"folder" + _octets(address)))
    role = Role(values["role"]) if values["role"] else None
    return FolderInfo(values["name"], tuple(values["path"]), role, subscribed=values["subscribed"])


def seal_origin(seal: ArchiveSeal, folder: int, address: bytes, blob: bytes, origin: Origin) -> bytes:
    """What a message was at the old server; bound to its folder and to its blob's address."""
    instant = int(origin.instant.timestamp()) if origin.instant else None
    values = [origin.key.validity, origin.key.uid, origin.key.name, origin.size, instant]
    return seal.seal_row(_packed(values), b"message" + _number(folder) + address + blob)


def open_origin(seal: ArchiveSeal, folder: int, address: bytes, blob: bytes | None, sealed: bytes) -> Origin:
    """`blob`: its address, None where there is none. Raises ArchiveDamaged."""
    about = b"message" + _number(folder) + _octets(address) + _octets(blob or b"")
    validity, uid, name, size, instant = json.loads(seal.unseal_row(sealed, about))
    at = datetime.fromtimestamp(instant, UTC) if instant is not None else None
    return Origin(MessageKey(validity, uid, name), size, at)


def seal_flags(seal: ArchiveSeal, message: int, from_pass: int, flags: frozenset[str]) -> bytes:
    """A placement's flags and keywords."""
    return seal.seal_row(_packed_flags(flags), b"placement" + _number(message) + _number(from_pass))


def open_flags(seal: ArchiveSeal, message: int, from_pass: int, sealed: bytes) -> frozenset[str]:
    """Raises ArchiveDamaged."""
    return frozenset(json.loads(seal.unseal_row(sealed, b"placement" + _number(message) + _number(from_pass))))


def seal_summary(seal: ArchiveSeal, number: int, summary: dict[str, Any]) -> bytes:
    """What a pass found, packed: it names all that is missing, in every pass anew."""
    return seal.seal_row(zstandard.compress(_packed(summary), 9), b"pass" + _number(number))


def open_summary(seal: ArchiveSeal, number: int, sealed: bytes) -> dict[str, Any]:
    """Raises ArchiveDamaged."""
    packed = seal.unseal_row(sealed, b"pass" + _number(number))
    found = json.loads(zstandard.decompress(packed))
    assert isinstance(found, dict)
    return found


def _packed(values: Any) -> bytes:
    return _JSON.encode(values).encode("utf-8", "surrogatepass")


@functools.lru_cache(1024)
def _packed_flags(flags: frozenset[str]) -> bytes:
    return _packed(sorted(flags))


def _number(value: object) -> bytes:
    if not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise ArchiveDamaged("An entry of the archive has an impossible number.")
    return value.to_bytes(8, "big")


def _octets(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise ArchiveDamaged("An entry of the archive has no address.")
    return value

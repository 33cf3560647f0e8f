"""An archive as an end of a job: its file and its key. Imported late: most jobs need none of it."""

from __future__ import annotations

import base64
import binascii
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.errors import ArchiveUnusable, NoRoom
from migrator.jobs.keeping.views import PassFacts
from migrator.mail.folders import Namespace
from migrator.planning.room import Room, shortfall
from migrator.sessions.endpoint import Endpoint

if TYPE_CHECKING:
    from migrator.archive.file import ArchiveFile
    from migrator.archive.source import ArchiveSource
    from migrator.archive.target import ArchiveTarget
    from migrator.archive.view import Pass
    from migrator.db.vault import Vault
    from migrator.ports import Letter


AHEAD_OCTETS = 4 * 1024 * 1024
"""So much is read while an archive's transaction goes to the disk."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What archives leave free on their disk, and what all of them together may take (0: no limit), in octets."""

    reserve: int = 0
    quota: int = 0


def fitting(archive: Path, limits: Limits) -> Callable[[int], None]:
    """Says whether so many octets more fit: a function that raises NoRoom. Other archives are counted once, now."""
    from migrator.archive.file import octets_in

    others = sum(file.stat().st_size for file in _archives(archive.parent) if file != archive) if limits.quota else 0

    def fits(octets: int) -> None:
        taken = others + octets_in(archive) + octets_in(archive.with_name(archive.name + "-wal"))
        room = Room(shutil.disk_usage(archive.parent).free, limits.reserve, taken, limits.quota)
        lacking = shortfall(octets, room)
        if lacking:
            megabytes = [-(-number // 1_000_000) for number in (octets, max(0, room.left), lacking)]
            message = "The archive needs up to {} MB more, and {} MB are left for it: {} MB are lacking."
            raise NoRoom(message.format(*megabytes), end="target")

    return fits


def _archives(directory: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in directory.iterdir() if path.suffix == ".pwa"]
    return []


def open_target(end: Endpoint, account: str, limits: Limits) -> ArchiveTarget:
    """The archive, made if it never was there, for this account's mail. Raises ArchiveUnusable, LedgerBusy."""
    from migrator.archive.file import ArchiveFile
    from migrator.archive.target import ArchiveTarget

    file = ArchiveFile(Path(end.path), key_of(end), writable=True, create=not end.is_filled)
    try:
        file.claim(account)
        return ArchiveTarget(file, fitting(file.path, limits))
    except BaseException:
        file.close()
        raise


def preparing() -> Callable[[Letter], Letter]:
    """What can be done with a message before it is put into an archive."""
    from migrator.archive.blobs import prepared

    return prepared


def open_source(end: Endpoint, at: datetime | None) -> ArchiveSource:
    """The archive as its latest complete pass saw the mailbox, or the latest one that had ended by `at`.

    Raises ArchiveUnusable, also where the file is an older copy and nobody said `at`.
    """
    from migrator.archive.file import ArchiveFile
    from migrator.archive.source import ArchiveSource

    file = ArchiveFile(Path(end.path), key_of(end), writable=False)
    try:
        return ArchiveSource(file, _chosen(file, end, at), Namespace())
    except BaseException:
        file.close()
        raise


def _chosen(file: ArchiveFile, end: Endpoint, at: datetime | None) -> Pass:
    from migrator.archive.view import pass_at

    refuse_older(file, end, at)
    return pass_at(file, at)


def refuse_older(file: ArchiveFile, end: Endpoint, at: datetime | None) -> None:
    """Raises ArchiveUnusable where the latest pass is wanted (no `at`), and this is an older copy without it."""
    from migrator.archive.view import pass_at

    if at is not None or not end.latest:
        return
    found = pass_at(file, None)
    if found.number < end.latest:
        raise ArchiveUnusable(
            f"The archive {file.path} is an older copy: it ends with pass {found.number}, and pass {end.latest} "
            "was completed.",
            hint="Put the newest copy back, or have another pass fill this one; its own points in time can be chosen.",
        )


def opened(end: Endpoint, *, writable: bool = False) -> ArchiveFile:
    """The archive's file. Raises ArchiveUnusable, LedgerBusy."""
    from migrator.archive.file import ArchiveFile

    return ArchiveFile(Path(end.path), key_of(end), writable=writable)


def facts(end: Endpoint) -> tuple[int, list[PassFacts]]:
    """Octets of the file, and all complete passes."""
    from migrator.archive.view import passes

    with opened(end) as file:
        complete = [
            PassFacts(one.number, one.began, one.ended, one.record.found, one.record.missing, one.record.octets)
            for one in passes(file)
            if one.ended is not None and one.record is not None
        ]
        return file.path.stat().st_size, complete


def remove_file(directory: Path, name: str) -> None:
    """Remove an archive's file and what lies beside it; nothing where it is gone already.

    Raises ArchiveUnusable where that cannot be done: also where the directory is not there, as when its disk is not
    mounted, for then the file lies somewhere else.
    """
    if not directory.is_dir():
        raise ArchiveUnusable(f"The directory {directory} of archives is not there.", hint="Is its disk mounted?")
    try:
        for file in (name, f"{name}-wal", f"{name}-shm", f"{name}.lock"):
            (directory / file).unlink(missing_ok=True)
    except OSError as error:
        raise ArchiveUnusable(f"The archive {directory / name} cannot be removed: {error.strerror}.") from None


def manifest(end: Endpoint, vault: Vault, at: datetime | None) -> Iterator[bytes]:
    """The signed manifest of a pass, line by line. Opened at once: raises ArchiveUnusable before the first line."""
    from migrator.archive.manifest import PURPOSE, Signer, lines

    file = opened(end)
    try:
        told = lines(file, _chosen(file, end, at), Signer(vault.key_for(PURPOSE)))
    except BaseException:
        file.close()
        raise
    return _then_closed(file, told)


def _then_closed(file: ArchiveFile, told: Iterator[bytes]) -> Iterator[bytes]:
    with file:
        yield from told


def signed(vault: Vault, proof: dict[str, Any]) -> dict[str, Any]:
    """The proof with the service's public key and its signature (Ed25519, RFC 8032) over everything else as JSON."""
    from migrator.archive.manifest import PURPOSE, Signer

    signer = Signer(vault.key_for(PURPOSE))
    shown = {"public_key": signer.public, "signature": signer.sign(_canonical(proof))}
    return proof | {name: base64.b64encode(value).decode() for name, value in shown.items()}


def is_signed(vault: Vault, proof: Mapping[str, Any]) -> bool:
    """Whether this service signed exactly this, with whichever of its keys. Ed25519 gives each text one signature."""
    from migrator.archive.manifest import PURPOSE, Signer

    signers = [Signer(seed) for seed in vault.keys_for(PURPOSE)]
    wanted = [(signer.public, signer.sign(_canonical(proof))) for signer in signers]
    return (base64.b64decode(proof["public_key"]), base64.b64decode(proof["signature"])) in wanted


def _canonical(proof: Mapping[str, Any]) -> bytes:
    """Everything but the signature's own members, as JSON with sorted names and no blanks."""
    bare = {name: value for name, value in proof.items() if name not in ("public_key", "signature")}
    return json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def free_octets(directory: Path) -> int | None:
    """Room on the disk under a directory, which may not be there yet; None where nobody can say."""
    for place in (directory, *directory.parents):
        with suppress(OSError):
            return shutil.disk_usage(place).free
    return None


def key_of(end: Endpoint) -> bytes:
    """The key out of the endpoint's credential. Raises ArchiveUnusable."""
    try:
        return base64.b64decode(end.credential(), validate=True)
    except binascii.Error:
        raise ArchiveUnusable("The key of the archive is no key.") from None

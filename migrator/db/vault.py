"""The vault: seals credentials with AES-256-GCM under a key that lies outside the database.

The key file holds one key per line, 32 octets in base64 (or 64 hexadecimal digits); the first one seals, all of them
open. It is made on first start, mode 0600, and refused when others may read it. No key is used as it is: HKDF derives
one for sealing and one for each other purpose.

    sealed = version (1) | key id (8) | nonce (12) | ciphertext and tag

The context (what this secret belongs to) and the header are authenticated: a sealed password that was moved to another
row does not open there.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import os
import re
import secrets
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from migrator.errors import UsageError

_VERSION: Final = b"\x01"
_KEY_OCTETS: Final = 32
_ID_OCTETS: Final = 8
_NONCE_OCTETS: Final = 12
_HEADER_OCTETS: Final = len(_VERSION) + _ID_OCTETS + _NONCE_OCTETS
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{64}")
_MOUNTED_SECRETS: Final = Path("/run/secrets")
"""Docker and Podman mount secrets here, readable for everybody *in the container*; nobody else is there."""


class CannotUnseal(UsageError):
    """A sealed secret does not open: its key is not in the key file, or it was altered, or it belongs elsewhere."""

    code: ClassVar[str] = "cannot_unseal"
    hint: ClassVar[str] = (
        "Put the key file back that belongs to this database, or enter the password again. Nothing was sent."
    )


@dataclass(frozen=True, slots=True)
class _Key:
    master: bytes = field(repr=False)
    id: bytes
    sealing: AESGCM = field(repr=False)


class Vault:
    """Seals and opens short secrets. May be shared by threads; follows changes of its key file."""

    def __init__(self, key_file: Path) -> None:
        """For `open()`: the file must be there."""
        self._file = key_file
        self._lock = threading.Lock()
        self._seen = _stamp(key_file)
        self._keys = _read(key_file)

    def __repr__(self) -> str:
        return f"Vault({self._file}, {len(self._keys)} keys)"

    @classmethod
    def open(cls, key_file: Path, *, create: bool = True) -> Self:
        """Raises UsageError: no file and `create` is False, others may read it, or it holds no usable key."""
        if create and not key_file.exists():
            _make(key_file)
        return cls(key_file)

    def seal(self, secret: str, context: str) -> bytes:
        """Octets that only `unseal` with the same context opens."""
        key = self._current()[0]
        header = _VERSION + key.id + secrets.token_bytes(_NONCE_OCTETS)
        return header + key.sealing.encrypt(header[-_NONCE_OCTETS:], secret.encode(), header + context.encode())

    def unseal(self, sealed: bytes, context: str) -> str:
        """The secret. Raises CannotUnseal."""
        header, ciphertext = sealed[:_HEADER_OCTETS], sealed[_HEADER_OCTETS:]
        wanted = header[len(_VERSION) : -_NONCE_OCTETS]
        key = next((key for key in self._current() if key.id == wanted), None)
        if key is None or not header.startswith(_VERSION) or len(header) < _HEADER_OCTETS:
            raise CannotUnseal("What is stored was sealed with a key that is not in the key file.")
        try:
            return key.sealing.decrypt(header[-_NONCE_OCTETS:], ciphertext, header + context.encode()).decode()
        except InvalidTag:
            raise CannotUnseal("What is stored sealed was altered in the database and does not open.") from None

    def is_newest(self, sealed: bytes) -> bool:
        """Whether it was sealed with the key that seals now."""
        return sealed[len(_VERSION) :].startswith(self._current()[0].id)

    def rotate(self) -> None:
        """Put a new key on top; the old ones still open. `jobs.operations.reseal` then seals everything anew.

        Other processes see it by themselves. What `key_for` gives changes, so logins end with the next restart.
        Raises UsageError where the file cannot be written (a mounted secret).
        """
        try:
            with _locked(self._file):
                text = self._file.read_text(encoding="ascii")
                _write(self._file, f"{_new_key()}\n{text}", replace=True)
        except OSError as error:
            raise UsageError(f"The key file {self._file} cannot be written: {error.strerror}.") from None

    def key_for(self, purpose: str) -> bytes:
        """32 octets for another purpose, such as signing cookies; the same in every process."""
        return _derive(self._current()[0].master, f"postwagen for {purpose}", _KEY_OCTETS)

    def keys_for(self, purpose: str) -> list[bytes]:
        """The same of all keys in the file, newest first: what an earlier one has signed can still be verified."""
        return [_derive(key.master, f"postwagen for {purpose}", _KEY_OCTETS) for key in self._current()]

    def _current(self) -> list[_Key]:
        """The keys, newest first; read again when the file has changed."""
        with self._lock:
            stamp = _stamp(self._file)
            if stamp != self._seen:
                self._keys, self._seen = _read(self._file), stamp
            return self._keys


def _derive(master: bytes, purpose: str, octets: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=octets, salt=None, info=purpose.encode()).derive(master)


# ---- the file ------------------------------------------------------------------------------------------------------


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_OCTETS)).decode()


def _stamp(file: Path) -> tuple[int, int, int]:
    """Changes when the file does. Raises UsageError when it is not there or not ours alone."""
    try:
        status = file.stat()
    except OSError as error:
        raise UsageError(f"The key file {file} cannot be read: {error.strerror}.") from None
    if status.st_mode & 0o077 and _MOUNTED_SECRETS not in file.parents:
        raise UsageError(f"Others may read the key file {file}.", hint=f"chmod 600 {file}")
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read(file: Path) -> list[_Key]:
    try:
        lines = [line.strip() for line in file.read_text(encoding="ascii").splitlines()]
        masters = [_decode(line) for line in lines if line and not line.startswith("#")]
    except OSError as error:
        raise UsageError(f"The key file {file} cannot be read: {error.strerror}.") from None
    except ValueError:  # binascii.Error and UnicodeError among them; the text itself is a secret
        masters = []
    if not masters:
        raise UsageError(f"The key file {file} must hold one key per line, 32 octets in base64.")
    return [
        _Key(
            master=master,
            id=_derive(master, "postwagen key id", _ID_OCTETS),
            sealing=AESGCM(_derive(master, "postwagen seal", _KEY_OCTETS)),
        )
        for master in masters
    ]


def _decode(line: str) -> bytes:
    key = bytes.fromhex(line) if _HEXADECIMAL.fullmatch(line) else base64.b64decode(line, validate=True)
    if len(key) != _KEY_OCTETS:
        raise binascii.Error("not 32 octets")
    return key


def _make(file: Path) -> None:
    """Make the file; where another process is faster, its file stays."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(file, _new_key() + "\n", replace=False)
    except OSError as error:
        raise UsageError(f"The key file {file} cannot be made: {error.strerror}.") from None


def _write(file: Path, text: str, *, replace: bool) -> None:
    """Whole or not at all: a new file (O_EXCL, 0600) beside it, on the disk, then put in place in one step."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        if replace:
            Path(name).replace(file)
        else:
            with contextlib.suppress(FileExistsError):
                file.hardlink_to(name)
    finally:
        Path(name).unlink(missing_ok=True)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Two rotations at once would lose a key."""
    with open(file.with_name(f"{file.name}.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""Every error of ours. Each says what happened, how much is hit (radius) and what helps (remedy).

Foreign errors are translated in one place per protocol (`sessions/*/translate.py`); nobody else reads message texts.

    PostwagenError
    ├── UsageError              wrong usage or setting                                       exit 2
    ├── ConnectError            cannot connect, or TLS refused                               exit 3
    │   ├── HostUnknown · HostForbidden · ConnectRefused · ConnectTimeout · NotImap
    │   ├── TlsRefused          certificate expired, untrusted, other host, other pin
    │   └── TlsMissing          STARTTLS is required and not offered
    ├── LoginRefused            user, password or mechanism                                  exit 4
    ├── ConnectionLost          an open session broke; again now helps
    ├── ServerBusy              throttled, too many connections; later helps
    │   ├── ServerFault         a fault that may pass, or be one message's
    │   └── DailyLimit          so many octets a day are all                                 exit 5
    ├── ServerRefused           a command was refused that must not be
    ├── TargetFull              quota                                                        exit 6
    │   └── NoRoom              or the place for archives: a pass would not fit
    ├── FolderRefused           one folder cannot be opened, made or listed
    │   ├── FolderNotMade       a folder of this name
    │   └── FolderRenumbered    its UIDVALIDITY changes while we work with it
    ├── FolderRecreated         the target's folder was made anew: replay or keep?
    ├── LedgerBusy              another run holds this ledger                                exit 5
    ├── DatabaseUnavailable     our own database is away, locked or cannot be written        exit 5
    │   └── DiskFull            or its disk is full, or the one for temporary files
    ├── ArchiveDamaged          a part of an archive does not open, or is not what it was    exit 1
    ├── ArchiveUnusable         no archive, of a later version, or without its key           exit 2
    ├── Stopped                 pause, cancel, shutdown or end of slice                      exit 5
    ├── Fenced                  another worker holds the lease now: touch nothing more       exit 5
    └── Defect                  a bug of ours                                                exit 70
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar


class Radius(StrEnum):
    """How much an error hits."""

    MESSAGE = "message"
    FOLDER = "folder"
    MAILBOX = "mailbox"


class Remedy(StrEnum):
    """What helps."""

    AGAIN_NOW = "again_now"
    LATER = "later"
    PERSON = "person"
    NEVER = "never"


class PostwagenError(Exception):
    """Base of all errors that carry a meaning for the user.

    `code` is stable and machine-readable; pages translate it. `message` is one English sentence; `hint` says what to
    do; `detail` is the technical text of the other side (never a secret).
    """

    code: ClassVar[str] = "error"
    radius: ClassVar[Radius] = Radius.MAILBOX
    remedy: ClassVar[Remedy] = Remedy.PERSON
    exit_code: ClassVar[int] = 1
    hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        detail: str = "",
        end: str = "",
        later: timedelta | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = self.hint if hint is None else hint
        self.detail = detail
        self.end = end
        """Which end is meant: "source", "target" or nothing. Set by whoever opened the end."""
        self.later = later
        """How long the other side asked us to wait (`Remedy.LATER`)."""
        self.instance_code = code or self.code

    @property
    def outcome(self) -> str:
        """What a one-shot command's JSON says of it: `stopped` can be resumed by the same command (exit code 5)."""
        return "stopped" if self.exit_code == 5 else "failed"

    def as_dict(self) -> dict[str, str]:
        """What stands as `error` in JSON and in the job's row."""
        shown = {"code": self.instance_code, "message": self.message, "remedy": self.advice}
        if self.detail:
            shown["detail"] = self.detail
        if self.end:
            shown["end"] = self.end
        return shown


class UsageError(PostwagenError):
    """Wrong usage or a wrong setting."""

    code = "usage"
    exit_code = 2


class ConnectError(PostwagenError):
    """The other server cannot be reached, or not safely."""

    code = "connect_failed"
    exit_code = 3
    hint = "Check host and port, and whether a firewall is in the way; then run the same again."


class HostUnknown(ConnectError):
    """The name has no address."""

    code = "host_unknown"
    hint = "Check the spelling of the host name. Nothing was sent."


class HostForbidden(ConnectError):
    """The address is not public, and no setting allows it."""

    code = "host_forbidden"
    hint = "Only public addresses may be reached. An operator can allow a network with POSTWAGEN_ALLOWED_NETWORKS."


class ConnectRefused(ConnectError):
    """Nothing listens there."""

    code = "connect_refused"
    remedy = Remedy.LATER


class ConnectTimeout(ConnectError):
    """No answer in time."""

    code = "connect_timeout"
    remedy = Remedy.LATER


class NotImap(ConnectError):
    """Something answers there, but it does not speak the protocol that we expected."""

    code = "wrong_protocol"
    hint = "Check the port: IMAP with TLS is 993, IMAP with STARTTLS is 143."


class TlsRefused(ConnectError):
    """The certificate cannot be trusted. `instance_code` says why."""

    code = "tls_refused"
    hint = (
        "Have the certificate renewed, or compare its fingerprint with the one the provider names and give it as "
        "fingerprint=sha256:…; no password was sent."
    )


class TlsMissing(ConnectError):
    """STARTTLS is required, and the server does not offer it."""

    code = "starttls_missing"
    hint = "Use port 993 with TLS. Clear text is possible only by asking for it: security=none. No password was sent."


class LoginRefused(PostwagenError):
    """The server does not accept this user and password."""

    code = "login_refused"
    exit_code = 4
    hint = (
        "Check user name and password; many providers want the whole address as user name, an app password, "
        "or IMAP switched on in the mailbox's settings."
    )


class ConnectionLost(PostwagenError):
    """An open connection broke. Asking again helps; an APPEND in flight is in doubt."""

    code = "connection_lost"
    remedy = Remedy.AGAIN_NOW
    exit_code = 3
    hint = "Run the same again: it goes on where it stopped."


class ServerBusy(PostwagenError):
    """The server asks us to come back later."""

    code = "server_busy"
    remedy = Remedy.LATER
    exit_code = 3
    hint = "The server asked us to wait. The same again later goes on where it stopped."


class ServerFault(ServerBusy):
    """A fault that may pass, or be one message's, if it comes each time that one is asked for."""


class DailyLimit(ServerBusy):
    """So many octets a day are all that a provider gives."""

    code = "daily_limit"
    exit_code = 5
    hint = "The provider gives only so much a day. The same again later goes on where it stopped."


class ServerRefused(PostwagenError):
    """A command was refused that every server must understand."""

    code = "server_refused"
    exit_code = 3
    hint = "Look at the server's answer below; it is probably a limit or a fault of that server."


class TargetFull(PostwagenError):
    """The target's quota is used up."""

    code = "target_full"
    exit_code = 6
    hint = "Raise the new mailbox's quota, then go on: what is there already is not copied again."


class NoRoom(TargetFull):
    """The place for archives has too little room for this pass."""

    code = "archive_no_room"
    hint = "Make room there, or raise its quota or lower its reserve; then go on: nothing was written."


class FolderRefused(PostwagenError):
    """One folder cannot be opened, made or listed; the others go on."""

    code = "folder_refused"
    radius = Radius.FOLDER
    hint = "Rename the folder at the old server, or map it to another name (--map OLD=NEW), then run the same again."


class FolderNotMade(FolderRefused):
    """A folder of this name cannot be made; perhaps one of another name can."""


class FolderRenumbered(FolderRefused):
    """A folder's UIDVALIDITY changed while we worked with it, and again when we came back."""

    code = "folder_renumbered"
    hint = "Run the same again later; if it stays so, ask the server's administrator why UIDVALIDITY changes."


class FolderRecreated(PostwagenError):
    """A target folder that we filled was deleted and made anew: only a person knows what is wanted."""

    code = "folder_recreated"
    hint = "Say whether to replay the mail into the new folder or to keep it as it is (--recreated replay|keep)."


class LedgerBusy(PostwagenError):
    """Another run works on the same mailbox now."""

    code = "ledger_busy"
    exit_code = 5
    remedy = Remedy.LATER
    hint = "Wait until it has ended, or stop it; then run the same again."


class DatabaseUnavailable(PostwagenError):
    """Our own database is away, locked or cannot be written. What was in flight is in doubt, nothing more."""

    code = "database_unavailable"
    exit_code = 5
    remedy = Remedy.LATER
    hint = "Look after the database, then run the same again: it goes on where it stopped."


class DiskFull(DatabaseUnavailable):
    """Our own disk is full: the one under the database, or the one for temporary files."""

    code = "disk_full"
    hint = "Make room on that disk, then run the same again: it goes on where it stopped."


class ArchiveDamaged(PostwagenError):
    """A part of an archive does not open, or is not what it was."""

    code = "archive_damaged"
    radius = Radius.MESSAGE
    hint = "`postwagen check archive:PATH` says which messages it costs; all others can be played in."


class ArchiveUnusable(PostwagenError):
    """No archive, one of a later version, or one whose key is missing."""

    code = "archive_unusable"
    exit_code = 2
    hint = "Name the archive's file, and its key file with --key-file."


class Stopped(PostwagenError):
    """Somebody asked us to stop, or the slice is over. Nothing is lost."""

    code = "stopped"
    exit_code = 5
    remedy = Remedy.AGAIN_NOW
    hint = "Run the same again: it goes on where it stopped."


class Fenced(PostwagenError):
    """Another worker holds the lease. Whoever gets this touches nothing more."""

    code = "fenced"
    exit_code = 5
    remedy = Remedy.NEVER


class Defect(PostwagenError):
    """A bug of ours."""

    code = "defect"
    exit_code = 70
    remedy = Remedy.NEVER
    hint = "This is our fault, and nothing was deleted anywhere. Please report it with the detail below."

"""Deleting on a POP3 server, in a short connection of its own (RFC 1939; traps.md, O). It never asks for a message.

A server deletes only in the UPDATE state, which only QUIT enters (RFC 1939, 6). So whatever goes wrong before QUIT
costs nothing: RSET takes the marks back, and a connection that breaks does the same.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence

from migrator.errors import ConnectionLost, PostwagenError, Stopped
from migrator.ports import Listed, Removal
from migrator.sessions.pop3.session import Pop3Session, Reply, refused

WINDOW = 100
"""So many DELEs are on their way at once where the server pipelines."""
ANSWER_SECONDS = 60.0
"""A server may need long to delete many messages before it answers QUIT."""


class Pop3Remover:
    """Fulfils `ports.Remover`, on a session that nobody else uses."""

    def __init__(self, session: Pop3Session, may_commit: Callable[[], bool] = lambda: True) -> None:
        """`may_commit` is asked before every window of DELEs, and before QUIT."""
        self._session = session
        self._may_commit = may_commit

    @property
    def warnings(self) -> Sequence[str]:
        """`expires_what_was_read` (EXPIRE 0), `expires_after_days` (EXPIRE n; RFC 2449, 6.7)."""
        days = self._session.expires_after
        return () if days is None else ("expires_what_was_read",) if days == 0 else ("expires_after_days",)

    def listed(self) -> Sequence[Listed]:
        """LIST and UIDL, and nothing else: no message is read to give it a name. Raises ServerRefused."""
        sizes = self._session.listing(b"LIST")
        if sizes is None:
            raise refused(self._session.command(b"STAT"), "listing messages")
        names = self._session.listing(b"UIDL") or {}
        return [Listed(number, _text(names.get(number, b"")), _octets(sizes[number])) for number in sorted(sizes)]

    def remove(self, chosen: Sequence[Listed]) -> Removal:
        """Look again, mark exactly these, and QUIT. Raises ConnectionLost, Stopped: then nothing was deleted.

        One that is not listed any more is left out. Where another one has changed, nothing is deleted at all.
        """
        there, changed, surprised = _matched(chosen, self.listed())
        if surprised or not there:
            self.close()
            return Removal(changed=tuple(chosen))
        self._session.heeds_stop = False  # we ask ourselves, where the connection is in step
        self._session.octets.timeout = ANSWER_SECONDS
        try:
            marked, left = self._mark(there)
            self._ask_leave()
        except Stopped:  # asked for between two answers
            self.close()
            raise
        except BaseException:
            self._flee()
            raise
        if not marked:
            self.close()
            return Removal(refused=left, changed=changed)
        if self._quit():
            return Removal(removed=marked, refused=left, changed=changed)
        return Removal(refused=left, changed=changed, unknown=marked)

    def close(self) -> None:
        """RSET: whatever was marked stays."""
        self._session.close()

    # ---- marking and committing ----------------------------------------------------------------------------------

    def _mark(self, there: Sequence[tuple[int, Listed]]) -> tuple[list[Listed], list[Listed]]:
        """Those that the server marked, and those that it refused to mark."""
        marked: list[Listed] = []
        left: list[Listed] = []
        pipeline = "PIPELINING" in self._session.capabilities
        window = WINDOW if pipeline else 1
        for start in range(0, len(there), window):
            group = there[start : start + window]
            self._ask_leave()
            self._session.octets.send(b"".join(b"DELE %d\r\n" % number for number, _ in group))
            for _, row in group:
                (marked if self._answer().ok else left).append(row)
        return marked, left

    def _answer(self) -> Reply:
        reply = self._session.reply()
        if reply.status == "+":
            self._session.octets.drop()
            raise ConnectionLost("The server answered DELE with something that is no answer.", detail=reply.text)
        return reply

    def _ask_leave(self) -> None:
        if not self._may_commit():
            raise Stopped("Stopped before anything was deleted.")

    def _flee(self) -> None:
        """Answers may still be on their way: after RSET no QUIT may follow, for nobody would know what was answered."""
        with contextlib.suppress(PostwagenError):
            self._session.octets.send(b"RSET\r\n")
        self._session.octets.drop()

    def _quit(self) -> bool:
        """Whether the server says that it has deleted what was marked."""
        try:
            return self._session.command(b"QUIT").ok
        except PostwagenError:
            return False
        finally:
            self._session.octets.drop()


def _matched(chosen: Sequence[Listed], now: Sequence[Listed]) -> tuple[list[tuple[int, Listed]], list[Listed], bool]:
    """The chosen ones with today's numbers, those that are gone, and whether any is not as it was."""
    often = Counter(row.uidl for row in now)
    today = {row.uidl: row for row in now if row.uidl and often[row.uidl] == 1}
    there = [(today[row.uidl].number, row) for row in chosen if row.uidl in today]
    gone = [row for row in chosen if row.uidl not in today]
    other_size = any(today[row.uidl].size != row.size for _, row in there)
    not_one = any(often[row.uidl] > 1 for row in gone) or len({row.uidl for row in chosen}) != len(chosen)
    return there, gone, other_size or not_one


def _text(uidl: bytes) -> str:
    """A UIDL, or empty where it is none that we could compare."""
    return uidl.decode("ascii") if uidl.isascii() else ""


def _octets(size: bytes) -> int | None:
    digits = size.split()[:1]
    return int(digits[0]) if digits and digits[0].isdigit() and len(digits[0]) < 16 else None

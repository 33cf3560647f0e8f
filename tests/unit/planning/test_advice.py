"""IMAP or POP3: the track follows from where mail lies, the notes from what people must be asked or warned of."""

from __future__ import annotations

import pytest

from migrator.planning.advice import NOT_TRIED, Door, Note, Track, advice_text, advise

EMPTY = Door(tried=True, ok=True, inbox=0)
FULL = Door(tried=True, ok=True, inbox=7)
WITH_FOLDERS = Door(tried=True, ok=True, inbox=7, elsewhere=2)
REFUSED = Door(tried=True, error="login_refused")
AWAY = Door(tried=True, error="connect_timeout")
ASK, PROGRAM, AGAIN = Note.ASK_ABOUT_POP3, Note.SENT_MAIL_IN_PROGRAM, Note.MAY_DOWNLOAD_AGAIN


@pytest.mark.parametrize(
    ("imap", "pop3", "fetches", "track", "notes"),
    [
        (WITH_FOLDERS, FULL, None, Track.ARCHIVE_AND_PLAY_IN, [ASK]),
        (WITH_FOLDERS, FULL, False, Track.ARCHIVE_AND_PLAY_IN, []),
        (WITH_FOLDERS, FULL, True, Track.ARCHIVE_AND_PLAY_IN, [Note.DO_NOT_MIX, PROGRAM, AGAIN]),
        (WITH_FOLDERS, REFUSED, None, Track.ARCHIVE_AND_PLAY_IN, []),
        (WITH_FOLDERS, AWAY, None, Track.ARCHIVE_AND_PLAY_IN, [ASK]),
        (WITH_FOLDERS, NOT_TRIED, None, Track.ARCHIVE_AND_PLAY_IN, [ASK]),
        (Door(tried=True, ok=True, inbox=0, elsewhere=1), EMPTY, False, Track.ARCHIVE_AND_PLAY_IN, []),
        (Door(tried=True, ok=True, inbox=None), EMPTY, False, Track.ARCHIVE_AND_PLAY_IN, []),
        (REFUSED, FULL, None, Track.COLLECT_BY_POP3, [PROGRAM, AGAIN, Note.IMAP_IS_OFF]),
        (AWAY, FULL, False, Track.COLLECT_BY_POP3, [PROGRAM, AGAIN, Note.IMAP_NOT_FOUND]),
        (NOT_TRIED, FULL, None, Track.COLLECT_BY_POP3, [PROGRAM, AGAIN]),
        (REFUSED, EMPTY, None, Track.NEW_CREDENTIALS, [Note.NOTHING_TO_MOVE, PROGRAM, Note.IMAP_IS_OFF]),
        (EMPTY, EMPTY, None, Track.NEW_CREDENTIALS, [Note.NOTHING_TO_MOVE, ASK]),
        (EMPTY, EMPTY, True, Track.NEW_CREDENTIALS, [Note.NOTHING_TO_MOVE, Note.DO_NOT_MIX, PROGRAM]),
        (EMPTY, FULL, False, Track.COLLECT_BY_POP3, [Note.POP3_HOLDS_MORE]),
        (FULL, EMPTY, False, Track.ARCHIVE_AND_PLAY_IN, [Note.POP3_HOLDS_LESS]),
        (REFUSED, REFUSED, None, Track.UNKNOWN, []),
        (NOT_TRIED, AWAY, True, Track.UNKNOWN, []),
    ],
)
def test_what_was_seen_becomes_a_track_and_notes(
    imap: Door, pop3: Door, fetches: bool | None, track: Track, notes: list[Note]
) -> None:
    advice = advise(imap, pop3, fetches)
    assert (advice.track, list(advice.notes)) == (track, notes)


def test_a_server_that_deletes_what_was_read_is_warned_of() -> None:
    pop3 = Door(tried=True, ok=True, inbox=7, expires_at_once=True)
    assert advise(FULL, pop3, False).notes == (Note.EXPIRES_WHAT_WAS_READ,)


def test_every_code_has_its_sentence() -> None:
    texts = [advice_text(code) for code in (*Track, *Note)]
    assert len(set(texts)) == len(Track) + len(Note)
    assert all(text.endswith((".", "'.")) for text in texts)

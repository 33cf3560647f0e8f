"""What servers say is read tolerantly and never breaks us; what we say comes from a closed set (traps.md, A)."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrator.errors import ConnectionLost, Defect, PostwagenError
from migrator.mail.flags import SYSTEM_FLAGS, is_keyword
from migrator.mail.folders import Role
from migrator.mail.messages import HEAD_OCTETS, Row
from migrator.sessions.imap import listing, session
from migrator.sessions.imap.replies import (
    date_argument,
    fetched,
    flags_argument,
    flags_of,
    folder_argument,
    folder_name,
    instant_of,
    listed,
    number_of,
    quoted,
    set_argument,
    status_numbers,
    tokens,
    uid_set,
)
from migrator.sessions.imap.wire import Part
from migrator.sessions.spool import Spool


def spool(octets: bytes) -> Spool:
    made = Spool(len(octets), HEAD_OCTETS)
    made.write(octets, HEAD_OCTETS)
    return made


def plain(value: object) -> object:
    """Tokens with literals read out."""
    if isinstance(value, Spool):
        return ("literal", b"".join(value.chunks()))
    return [plain(item) for item in value] if isinstance(value, list) else value


# ---- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line,expected",
    [
        (b"* 1 FETCH (UID 5)\r\n", [b"*", b"1", b"FETCH", [b"UID", b"5"]]),
        (b'* LIST () "/" "a b"\r\n', [b"*", b"LIST", [], b"/", b"a b"]),
        (b'* LIST () NIL "a\\"b\\\\c"\r\n', [b"*", b"LIST", [], None, b'a"b\\c']),
        (b'* LIST () "\\\\" Inbox\r\n', [b"*", b"LIST", [], b"\\", b"Inbox"]),
        (b"* FLAGS (\\Seen $a OIB/b] [x)\r\n", [b"*", b"FLAGS", [b"\\Seen", b"$a", b"OIB/b]", b"[x"]]),
        (b"(BODY[HEADER.FIELDS (DATE)] NIL BODY[]<0> x)", [[b"BODY[HEADER.FIELDS (DATE)]", None, b"BODY[]<0>", b"x"]]),
        (b"a) b (c", [b"a", b"b", [b"c"]]),
        (b'"unfinished', [b'"', b"unfinished"]),
        (b"\x00\x00* OK\x00\r\n", [b"*", b"OK"]),
        (b"", []),
    ],
)
def test_a_line_is_read_as_tokens(line: bytes, expected: object) -> None:
    assert plain(tokens([line])) == expected


def test_a_literal_stands_where_it_was_sent() -> None:
    parts: list[Part] = [b"* 1 FETCH (BODY[] {5}\r\n", spool(b"a\r\n)b"), b" UID 7)\r\n"]
    got = fetched(parts)
    assert got is not None
    assert (got.uid, plain(got.items["BODY[]"])) == (7, ("literal", b"a\r\n)b"))


@pytest.mark.parametrize(
    "line",
    [
        b"* 3 FETCH (UID 7 RFC822.SIZE 12 FLAGS (\\Seen))\r\n",
        b"* 3 FETCH (FLAGS (\\Seen) RFC822.SIZE 12 UID 7)\r\n",
        b"* 3 fetch (uid 7 rfc822.size 12 flags (\\seen))\r\n",
        b"*  3  FETCH ( UID 7  RFC822.SIZE 12 FLAGS(\\Seen) )\r\n",
        b"* 3 FETCH(UID 7 RFC822.SIZE 12 FLAGS (\\Seen))\r\n",
        b"* 3 FETCH (UID 7 MODSEQ (99) RFC822.SIZE 1.2e+01 FLAGS (\\Seen))\r\n",
        b"* 3 FETCH ((UID 7 RFC822.SIZE 12 FLAGS (\\Seen)))\r\n",
    ],
)
def test_a_fetch_is_understood_however_it_is_dressed(line: bytes) -> None:
    got = _row([line])
    assert isinstance(got, Row)
    assert (got.key.uid, got.size, got.flags) == (7, 12, {"\\Seen"})


@pytest.mark.parametrize(
    "line",
    [b"* 3 EXISTS\r\n", b"* OK FETCH\r\n", b"+ go\r\n", b"W1 OK x\r\n", b"* x FETCH (UID 7)\r\n", b"\r\n", b"*\r\n"],
)
def test_what_is_no_fetch_is_none(line: bytes) -> None:
    assert fetched([line]) is None


@pytest.mark.parametrize(
    "octets,number",
    [(b"5", 5), (b"9.3736e+06", 9373600), (b"9.37e+06", 9370000), (b"0", 0), (b"4294967295", 4294967295)],
)
def test_numbers_are_forgiven_their_dress(octets: bytes, number: int) -> None:
    assert number_of(octets) == number


@pytest.mark.parametrize("octets", [b"x", b"", b"nan", b"inf", b"1e999", b"9" * 30, b"9" * 5000, b"1e30"])
def test_what_is_no_number_or_an_absurd_one_is_an_error_of_ours(octets: bytes) -> None:
    with pytest.raises(PostwagenError):
        number_of(octets)


@pytest.mark.parametrize(
    "text,expected",
    [
        (b"05-Mar-2001 01:02:03 +0545", datetime(2001, 3, 4, 19, 17, 3, tzinfo=UTC)),
        (b" 5-Mar-2001 01:02:03 +0000", datetime(2001, 3, 5, 1, 2, 3, tzinfo=UTC)),
        (b"5-MAR-2001 01:02:03 -0130", datetime(2001, 3, 5, 2, 32, 3, tzinfo=UTC)),
        (b"31-Dec-2016 23:59:60 +0000", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"01-Jan-2024 00:30:00 +0100", datetime(2023, 12, 31, 23, 30, tzinfo=UTC)),
        (b"31-Dec-2099 23:59:59 -0100", datetime(2100, 1, 1, 0, 59, 59, tzinfo=UTC)),
        (b"01-Jan-1900 00:30:00 +0100", None),
        (b"05-Mar-2001 24:00:00 +0000", None),
        (b"05-Mar-2001 01:02:03 +9999", None),
        (b"30-Dec-1899 00:00:00 +0000", None),
        (b"31-Feb-2001 00:00:00 +0000", None),
        (b"01-Jan-0001 00:00:00 +9999", None),
        (b"05-Xyz-2001 01:02:03 +0000", None),
        (b"yesterday", None),
        (b"\xff\xfe", None),
        (None, None),
        ([], None),
    ],
)
def test_an_internal_date_is_an_instant_or_nothing(text: object, expected: datetime | None) -> None:
    assert instant_of(text) == expected


@pytest.mark.parametrize(
    "line,name,delimiter,role",
    [
        (b'* LIST (\\HasNoChildren \\Sent) "/" "Gesendete Objekte"\r\n', "Gesendete Objekte", "/", Role.SENT),
        (b'* LIST (\\Sent\\HasNoChildren) "/" Sent\r\n', "Sent", "/", Role.SENT),
        (b'* List (\\hasnochildren) "." INBOX.Entw&APw-rfe\r\n', "INBOX.Entwürfe", ".", None),
        (b'* LIST () "|" 2024:Q1\r\n', "2024:Q1", "|", None),
        (b"* LIST () NIL 12:30:00\r\n", "12:30:00", "", None),
        (b'* LIST () "\\\\" "A\\\\B"\r\n', "A\\B", "\\", None),
        (b'* LIST () "/" "Entw\xc3\xbcrfe"\r\n', "Entwürfe", "/", None),
        (b'* LIST () "/" "bad &utf7"\r\n', "bad &utf7", "/", None),
        (b'* LIST () "/" "Best&-Co"\r\n', "Best&Co", "/", None),
        (b'* LIST () "/" a\x7fb\r\n', "a\x7fb", "/", None),
    ],
)
def test_a_folder_is_read_as_it_was_meant(line: bytes, name: str, delimiter: str, role: Role | None) -> None:
    found = listed([line])
    assert found is not None
    assert (found.name, found.delimiter, found.role) == (name, delimiter, role)


def test_a_folders_name_may_come_as_a_literal() -> None:
    found = listed([b'* LIST () "/" {3}\r\n', spool(b'a"b'), b"\r\n"])
    assert found is not None
    assert found.name == 'a"b'


def test_a_status_is_read_with_its_numbers() -> None:
    line = b'* STATUS "Entw&APw-rfe" (MESSAGES 5 SIZE 1.5e+03 UIDNEXT 9)\r\n'
    assert status_numbers([line]) == ("Entwürfe", {"MESSAGES": 5, "SIZE": 1500, "UIDNEXT": 9})


def test_uid_sets_keep_the_order_in_which_they_are_written() -> None:
    assert uid_set("5,7:9") == [5, 7, 8, 9]
    assert uid_set("9,3:1") == [9, 1, 2, 3]


@pytest.mark.parametrize("text", ["", "x", "1:x", "1,,2", "1:99999999", "*", "5:*"])
def test_a_uid_set_that_cannot_be_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any text will do
        uid_set(text)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_a_folders_name_survives_the_way_there_and_back(name: str) -> None:
    try:
        argument = folder_argument(name)
    except PostwagenError:
        return
    found = listed([b'* LIST () "/" ' + argument + b"\r\n"])
    assert found is not None
    assert found.name == name


# ---- fuzz ----------------------------------------------------------------------------------------------------------

PIECES = (
    b"* ", b"FETCH", b"LIST", b"STATUS", b"(", b")", b'"', b"\\", b"[", b"]", b"{5}", b"{5+}", b"~{3}", b"NIL", b"UID ",
    b"BODY[]", b"RFC822.SIZE ", b"FLAGS ", b"INTERNALDATE ", b"99", b"9" * 5000, b" ", b"\r", b"\n", b"\0", b"\xff",
    b"&", b"&AO", b"-", b"EXPUNGE", b"EXISTS", b"OK", b"UIDVALIDITY ", b"UIDNEXT ", b"PERMANENTFLAGS", b"\\*", b"1e99",
    b"01-Jan-2001 00:00:00 +0000", b"a", b"<0>",
)  # fmt: skip
octets = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=25).map(b"".join)
starts = st.sampled_from((b"", b"* 1 FETCH (", b'* LIST () "/" ', b"* STATUS x (", b"* OK [", b"* 1 ", b"* FLAGS ("))


def _row(parts: list[Part]) -> Row | None:
    """As a listing reads it."""
    got = fetched(parts)
    return listing._row(got.uid, got.items, 1) if got and got.uid else None


def _selected(parts: list[Part]) -> session.Selected:
    return session._selected("x", True, [parts])


@pytest.mark.parametrize(
    ("reader", "line"),
    [
        (fetched, b"* %s FETCH (UID 7)"),
        (_row, b"* 1 FETCH (UID %s)"),
        (_selected, b"* %s EXISTS"),
        (_selected, b"* OK [UIDNEXT %s] x"),
    ],
)
def test_an_endless_number_is_told_as_the_servers_fault(reader: Callable[[list[Part]], object], line: bytes) -> None:
    with pytest.raises(ConnectionLost, match="no number"):
        reader([line % (b"9" * 5000) + b"\r\n"])


@given(start=starts, rest=octets, literal=st.binary(max_size=9), end=octets)
@example(start=b"* OK [", rest=b"\x00PERMANENTFLAGS", literal=b"", end=b"")
@example(start=b"* OK [", rest="PERMANENTFLAGſ (x)]".encode(), literal=b"", end=b"")
@settings(max_examples=600, deadline=None)
def test_no_answer_of_any_server_breaks_the_readers(start: bytes, rest: bytes, literal: bytes, end: bytes) -> None:
    parts: list[Part] = [start + rest, spool(literal), end]
    for reader in (
        tokens,
        fetched,
        listed,
        status_numbers,
        _row,
        lambda parts: listing._plain_row(parts, 1),
        _selected,
    ):
        with contextlib.suppress(PostwagenError):
            found = reader(parts)
            if isinstance(found, Row):
                assert 0 <= found.size < 1 << 63
                assert found.key.uid < 1 << 63
            if isinstance(found, session.Selected):
                assert max(found.validity, found.uidnext, found.messages) < 1 << 63


@pytest.mark.parametrize(
    "line",
    [b"[" * 300_000, b'"' + b'\\"' * 150_000, b"(" * 300_000, b")" * 300_000, b'"a' * 150_001, b"[a" * 150_000,
     b"\\" * 300_000, b"{1}" * 100_000, b"[]" * 150_000],
    ids=["brackets", "escaped-quotes", "open", "close", "quotes", "open-brackets", "backslashes", "literals", "pairs"],
)  # fmt: skip
def test_a_hostile_line_is_read_in_linear_time(line: bytes) -> None:
    began = time.process_time()
    tokens([b"* LIST () " + line + b"\r\n"])
    assert time.process_time() - began < 2.0


@given(octets)
def test_any_octets_are_some_folders_name(name: bytes) -> None:
    assert isinstance(folder_name(name), str)


@given(octets)
def test_flags_read_are_text_without_blanks(text: bytes) -> None:
    for flag in flags_of((tokens([b"(" + text + b")"]) or [[]])[0]):
        assert flag.isascii()


# ---- writing -------------------------------------------------------------------------------------------------------

evil = st.text(max_size=20) | st.lists(
    st.sampled_from((*SYSTEM_FLAGS.values(), "\\Seen\r\n", "a) {3+}", "$ok", "\\X", "a b", "\r\nA1 LOGOUT", "(", '"'))
).map("".join)


@given(st.lists(evil, max_size=5))
@example(["NIL"])
def test_no_flag_leaves_the_list_that_it_stands_in(flags: list[str]) -> None:
    try:
        argument = flags_argument(tuple(flags))
    except Defect:
        assert any(flag not in SYSTEM_FLAGS.values() and not is_keyword(flag) for flag in flags)
        return
    assert re.fullmatch(rb"\([^()\r\n\x00{}\"]*\)", argument)
    assert flags_of(tokens([argument])[0]) == flags


@given(evil)
def test_no_folder_name_leaves_its_quotes(name: str) -> None:
    try:
        argument = folder_argument(name)
    except PostwagenError:
        return
    assert re.fullmatch(rb'"(?:[^"\\\r\n\x00\x80-\xff]|\\["\\])*"', argument)


@given(st.binary(max_size=20))
def test_a_quoted_string_holds_what_may_stand_in_one_or_is_a_defect(text: bytes) -> None:
    if any(octet in text for octet in b"\r\n\x00") or not text.isascii():
        with pytest.raises(Defect):
            quoted(text)
    else:
        assert plain(tokens([quoted(text)])) == [text]


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=zones))
def test_a_date_is_one_quoted_string_of_fixed_form_and_the_same_instant(instant: datetime) -> None:
    try:
        argument = date_argument(instant)
    except PostwagenError:
        return
    assert re.fullmatch(rb'"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d \+0000"', argument)
    assert instant_of(argument.strip(b'"')) == instant.replace(microsecond=0)


@pytest.mark.parametrize("year", [1, 1601, 1899])
def test_a_date_outside_of_what_servers_take_is_a_defect(year: int) -> None:
    with pytest.raises(Defect):
        date_argument(datetime(year, 1, 2, tzinfo=UTC))


def test_the_last_day_of_the_calendar_is_a_defect_and_no_crash() -> None:
    with pytest.raises(PostwagenError):
        date_argument(datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-5))))


@given(st.sets(st.integers(1, 60), min_size=1))
def test_a_set_of_uids_means_the_same_read_back(uids: set[int]) -> None:
    argument = set_argument(sorted(uids))
    assert re.fullmatch(rb"[0-9:,]+", argument)
    assert uid_set(argument.decode()) == sorted(uids)


@pytest.mark.parametrize("name", ["a\r\nb", "a\nA1 DELETE INBOX", "a\0b", "\r"])
def test_a_folder_name_with_line_ends_never_reaches_the_wire(name: str) -> None:
    """Modified UTF-7 turns control characters into base64; whatever else happens, no line end comes out."""
    with contextlib.suppress(PostwagenError):
        assert not set(folder_argument(name)) & set(b"\r\n\0")

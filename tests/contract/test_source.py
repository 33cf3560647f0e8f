"""What every Source promises: it shows what is there, octet for octet, and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from migrator.errors import FolderRefused
from migrator.mail.folders import Role
from migrator.mail.messages import MessageKey
from migrator.ports import Absence, Letter, Unread, Want
from tests.contract.benches import INSTANT, Bench, append, named, octets_of, parcel, surveyed
from tests.corpus import nasty_messages

MAIL = b"Subject: a\r\nMessage-ID: <a@b>\r\n\r\nHallo\r\n"
_VERBS = b"CAPABILITY AUTHENTICATE LOGIN NAMESPACE ID NOOP LIST LSUB STATUS EXAMINE FETCH LOGOUT"
READING = {*_VERBS.split(), b"UID FETCH"}
"""All that a source may ever say."""


def test_a_survey_shows_every_message_in_key_order_with_flags_size_and_instant(bench: Bench) -> None:
    _, name = named(bench.target(), "Survey")
    flags = ((), ("\\Seen",), ("\\Flagged", "\\Answered", "$Work"))
    instants = [INSTANT, datetime(1999, 12, 31, 23, 59, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)]
    for number in range(3):
        bench.put(name, MAIL + b"x" * number, *flags[number], instant=instants[number])
    opened, rows = surveyed(bench.source(), name)
    assert (opened.folder, opened.messages) == (name, 3)
    assert opened.uidnext in (0, rows[-1].key.uid + 1)
    assert [row.key.uid for row in rows] == sorted(row.key.uid for row in rows)
    assert {row.key.validity for row in rows} == {opened.validity}
    assert [row.size for row in rows] == [len(MAIL), len(MAIL) + 1, len(MAIL) + 2]
    assert [row.instant for row in rows] == instants
    assert [row.flags for row in rows] == [frozenset(one) for one in flags]


def test_an_empty_folder_is_opened_and_has_no_rows(bench: Bench) -> None:
    _, name = named(bench.target(), "Leer")
    bench.make(name)
    opened, rows = surveyed(bench.source(), name)
    assert (opened.messages, rows) == (0, [])


def test_a_folder_that_is_not_there_hits_only_itself(bench: Bench) -> None:
    source = bench.source()
    _, name = named(bench.target(), "Gibt es nicht")
    with pytest.raises(FolderRefused):
        list(source.survey(name))
    assert source.folders()


def test_mail_that_came_meanwhile_is_in_the_next_survey(bench: Bench) -> None:
    source = bench.source()
    _, name = named(bench.target(), "Zuwachs")
    bench.put(name, MAIL)
    assert len(surveyed(source, name)[1]) == 1
    bench.put(name, MAIL)
    assert len(surveyed(source, name)[1]) == 2


def test_every_want_has_one_answer_and_what_is_gone_is_gone(bench: Bench) -> None:
    source = bench.source()
    _, name = named(bench.target(), "Lesen")
    for number in range(3):
        bench.put(name, MAIL + b"%d" % number)
    _, rows = surveyed(source, name)
    bench.remove(name, rows[1].key.uid)
    wants = [Want(name, row.key, row.size) for row in rows]
    answers = {answer.want.key: answer for answer in source.read(wants)}
    assert answers.keys() == {row.key for row in rows}
    gone = answers[rows[1].key]
    if isinstance(gone, Unread):
        assert gone.absence is Absence.GONE
    else:  # pymap shows an open folder as it was when it was opened
        assert b"".join(gone.chunks()) == MAIL + b"1"
    assert b"".join(answers[rows[2].key].chunks()) == MAIL + b"2"


def test_messages_of_several_folders_are_read_in_one_go(bench: Bench) -> None:
    source, wants = bench.source(), []
    for level in ("Eins", "Zwei"):
        _, name = named(bench.target(), level)
        bench.put(name, MAIL + level.encode())
        wants += [Want(name, row.key, row.size) for row in surveyed(source, name)[1]]
    answers = list(source.read(wants))
    assert [b"".join(answer.chunks())[-4:] for answer in answers if isinstance(answer, Letter)] == [b"Eins", b"Zwei"]


def test_keys_of_another_uidvalidity_are_never_read(bench: Bench) -> None:
    source = bench.source()
    _, name = named(bench.target(), "Alt")
    bench.put(name, MAIL)
    row = surveyed(source, name)[1][0]
    old = Want(name, MessageKey(row.key.validity + 1, row.key.uid), row.size)
    answers = list(source.read([old]))
    assert [answer.absence for answer in answers if isinstance(answer, Unread)] == [Absence.LATER]


def test_nothing_is_asked_when_nothing_is_wanted(bench: Bench) -> None:
    assert list(bench.source().read([])) == []


def test_the_nasty_catalogue_comes_back_as_this_server_keeps_it(bench: Bench) -> None:
    """Through our target and our source; what lies between is judged by somebody else's eyes."""
    target = bench.target()
    path, name = named(target, "Katalog")
    messages = [octets for kind, octets in nasty_messages() if kind not in bench.refuses]
    folder = target.ensure_folder(path, None)
    for start in range(0, len(messages), 100):
        some = messages[start : start + 100]
        results = append(target, folder, [parcel(number, octets) for number, octets in enumerate(some)])
        assert {type(result).__name__ for result in results} == {"Stored"}
    kept = [bench.keeps(octets) for octets in messages]
    source = bench.source()
    assert list(octets_of(source, name).values()) == kept
    assert [row.size for row in surveyed(source, name)[1]] == [len(octets) for octets in kept]
    assert sum(bench.lies(name).values()) == len(messages)


def test_reading_marks_nothing_and_says_only_what_a_reader_may_say(bench: Bench) -> None:
    _, name = named(bench.target(), "Unberührt")
    for number in range(5):
        bench.put(name, MAIL + b"%d" % number, *(("\\Flagged",) if number % 2 else ()))
    before, said = bench.lies(name), len(bench.wire())
    source = bench.source()
    source.folders()
    octets_of(source, name)
    octets_of(source, name)
    source.close()
    assert bench.lies(name) == before
    assert not any("\\Seen" in flags for _, flags, _ in before)
    assert set(bench.wire()[said:]) <= READING


# ---- folders -------------------------------------------------------------------------------------------------------

ODD = (
    "Entwürfe",
    'a"b',
    "c\\d",
    "Best&Co",
    "100%",
    "Stern*",
    "~tilde",
    "(x) {y}",
    "日本",
    "ein Blank",
    "&APw-",
    "#raute",
    "'",
)


def test_odd_names_are_listed_as_they_were_meant(bench: Bench) -> None:
    target = bench.target()
    made = []
    for level in ODD:
        path, name = named(target, f"Namen {level}")
        bench.make(name)
        made.append((path, name))
    found = {info.name: info.path for info in bench.source().folders()}
    for path, name in made:
        assert found.get(name) == path


def test_folders_below_folders_have_their_levels(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Projekte", "Küche", "Rechnungen")
    bench.put(name, MAIL)
    found = {info.path: info for info in bench.source().folders()}
    assert found[path].name == name
    assert found[path].messages == 1
    assert octets_of(bench.source(), name) != {}


def test_the_inbox_comes_first_and_has_its_role(bench: Bench) -> None:
    first = bench.source().folders()[0]
    assert (first.path, first.role, first.selectable) == (("INBOX",), Role.INBOX, True)


@pytest.mark.servers
def test_special_folders_have_their_roles(dovecot_bench: Bench) -> None:
    roles = {info.name: info.role for info in dovecot_bench.source().folders()}
    assert roles == {
        "INBOX": Role.INBOX, "Sent": Role.SENT, "Drafts": Role.DRAFTS, "Trash": Role.TRASH, "Junk": Role.JUNK,
        "Archive": Role.ARCHIVE,
    }  # fmt: skip


def test_subscriptions_are_shown(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Abonniert")
    _, other = named(target, "Nicht abonniert")
    target.ensure_folder(path, None)
    bench.make(other)
    found = {info.name: info.subscribed for info in bench.source().folders()}
    assert (found[name], found[other]) == (True, False)

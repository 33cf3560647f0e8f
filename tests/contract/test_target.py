"""What every Target promises: it stores once what may be stored, says what it got, and hurts nobody else."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from migrator.errors import FolderRefused, Stopped
from migrator.mail.flags import fitting
from migrator.mail.messages import MessageKey
from migrator.ports import AppendResult, Batch, FlagChange, Letter, Refused, Stored, Unread, Unsent, Want
from tests.contract.benches import INSTANT, Bench, append, fingerprint, named, parcel, surveyed

MAIL = b"Subject: a\r\nMessage-ID: <a@b>\r\n\r\nHallo\r\n"


def test_a_folder_is_made_once_and_opened_ever_after(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Neu", "Tief", "Grün")
    first = target.ensure_folder(path, None)
    again = bench.target().ensure_folder(path, None)
    assert first == again
    assert (first.name, first.messages) == (name, 0)
    assert first.validity > 0
    assert first.uidnext > 0
    assert path in {info.path for info in target.folders()}


def test_the_inbox_is_always_there(bench: Bench) -> None:
    assert bench.target().ensure_folder(("INBOX",), None).name == "INBOX"


@pytest.mark.parametrize("level", ["a\r\nA1 DELETE INBOX", "a\nb"])
def test_a_folder_name_with_line_ends_becomes_no_command(bench: Bench, level: str) -> None:
    target = bench.target()
    before = {info.name for info in target.folders()}
    try:
        folder = target.ensure_folder((level,), None)
    except FolderRefused:
        folder = None
    names = {info.name for info in bench.target().folders()}
    assert "INBOX" in names
    assert names - before <= ({folder.name} if folder else set())


def test_what_is_appended_lies_there_with_octets_flags_and_date(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Ablage")
    folder = target.ensure_folder(path, None)
    dates = [INSTANT, datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 22, 4, 0, tzinfo=UTC)]
    flags = [(), ("\\Seen", "\\Answered"), ("$Work", "\\Flagged", "\\Draft")]
    parcels = [parcel(number, MAIL + b"%d" % number, flags[number], dates[number]) for number in range(3)]
    results = append(target, folder, parcels)
    assert all(isinstance(result, Stored) for result in results)
    assert bench.lies(name) == Counter(fingerprint(MAIL + b"%d" % n, flags[n], dates[n]) for n in range(3))


def test_keys_that_are_reported_are_the_keys(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Schlüssel")
    folder = target.ensure_folder(path, None)
    results = append(target, folder, [parcel(number, MAIL + b"%d" % number) for number in range(4)])
    keys = [result.key for result in results if isinstance(result, Stored)]
    rows = [row for page in target.listing(folder) for row in page.rows]
    if target.traits.reports_keys:
        assert keys == [row.key for row in rows]
    else:
        assert set(keys) <= {None, *(row.key for row in rows)}
    answers = {
        answer.want.key: answer for answer in bench.source().read([Want(name, row.key, row.size) for row in rows])
    }
    assert [b"".join(answers[row.key].chunks())[-1:] for row in rows] == [b"0", b"1", b"2", b"3"]


def test_twins_are_two_messages(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Zwillinge")
    append(target, target.ensure_folder(path, None), [parcel(0, MAIL), parcel(1, MAIL)])
    assert bench.lies(name)[fingerprint(MAIL)] == 2


def test_the_floor_lies_under_everything_that_comes(bench: Bench) -> None:
    target = bench.target()
    path, _ = named(target, "Boden")
    append(target, target.ensure_folder(path, None), [parcel(0, MAIL)])
    folder = target.look(named(target, "Boden")[1])
    assert folder.messages == 1
    append(target, folder, [parcel(1, MAIL)])
    above = [row.key.uid for page in target.listing(folder, floor=folder.uidnext) for row in page.rows]
    assert len(above) == 1
    assert above[0] >= folder.uidnext
    assert len([row for page in target.listing(folder) for row in page.rows]) == 2


def test_who_may_not_commit_stores_nothing(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Nichts")
    folder = target.ensure_folder(path, None)
    results: list[AppendResult] = []

    def send() -> None:
        batch = Batch(folder, [parcel(number, MAIL) for number in range(3)])
        results.extend(result for result in iter(target.append([batch], may_commit=lambda: False)))

    with pytest.raises(Stopped):
        send()
    assert bench.lies(name) == Counter()
    fresh = bench.target()
    append(fresh, fresh.look(name), [parcel(0, MAIL)])
    assert sum(bench.lies(name).values()) == 1


def test_the_results_of_a_stop_are_told_before_it(bench: Bench) -> None:
    target = bench.target()
    path, _ = named(target, "Ergebnisse")
    stream = target.append(
        [Batch(target.ensure_folder(path, None), [parcel(0, MAIL), parcel(1, MAIL)])], may_commit=lambda: False
    )
    assert [isinstance(next(stream), Unsent) for _ in range(2)] == [True, True]
    with pytest.raises(Stopped):
        next(stream)


def test_a_refusal_hurts_nobody_else(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Ablehnung")
    folder = target.ensure_folder(path, None)
    parcels = [parcel(0, MAIL), parcel(1, b""), parcel(2, MAIL + b"2")]
    results = append(target, folder, parcels)
    kinds = [type(result).__name__ for result in results]
    assert kinds == ["Stored", "Refused", "Stored"]
    assert isinstance(results[1], Refused)
    assert results[1].reason in ("empty", "refused")
    assert sum(bench.lies(name).values()) == 2


def test_batches_may_go_to_several_folders(bench: Bench) -> None:
    target = bench.target()
    folders = [target.ensure_folder(named(target, level)[0], None) for level in ("Hier", "Dort")]
    batches = [Batch(folder, [parcel(number, MAIL)]) for number, folder in enumerate(folders)]
    assert len(list(target.append(batches, may_commit=lambda: True))) == 2
    assert [sum(bench.lies(folder.name).values()) for folder in folders] == [1, 1]


def test_reading_back_marks_nothing(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Rücklesen")
    folder = target.ensure_folder(path, None)
    append(target, folder, [parcel(0, MAIL, ("\\Flagged",))])
    row = next(iter(target.listing(folder))).rows[0]
    missing = Want(name, MessageKey(row.key.validity, row.key.uid + 100), 5)
    answers = {answer.want.key: answer for answer in target.open(folder, [Want(name, row.key, row.size), missing])}
    letter = answers[row.key]
    assert isinstance(letter, Letter)
    assert b"".join(letter.chunks()) == MAIL
    assert isinstance(answers[missing.key], Unread)
    target.close()
    assert bench.lies(name) == Counter([fingerprint(MAIL, ["\\Flagged"])])


def test_flags_are_added_and_removed_and_others_stay(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Fahnen")
    folder = target.ensure_folder(path, None)
    append(target, folder, [parcel(0, MAIL, ("\\Seen", "$Work")), parcel(1, MAIL + b"1", ("\\Draft",))])
    first, second = (row.key for page in target.listing(folder) for row in page.rows)
    gone = MessageKey(first.validity, second.uid + 50)
    add = frozenset(fitting(frozenset({"\\Flagged", "$New"}), folder).kept)
    changes = [
        FlagChange(first, add, frozenset({"\\Seen"})),
        FlagChange(second, add, frozenset({"\\Seen"})),
        FlagChange(gone, frozenset({"\\Seen"}), frozenset()),
    ]
    told = {change.key: there for change, there in target.change_flags(folder, changes)}
    assert told == {first: True, second: True, gone: False}
    assert bench.lies(name) == Counter(
        [
            fingerprint(MAIL, [*add, "$Work"]),
            fingerprint(MAIL + b"1", [*add, "\\Draft"]),
        ]
    )


def test_a_folder_says_which_flags_it_keeps(bench: Bench) -> None:
    target = bench.target()
    folder = target.ensure_folder(named(target, "Merkmale")[0], None)
    assert {"\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted"} <= folder.system_flags
    kept = fitting(frozenset({"$Work", "\\Seen"}), folder).kept
    append(target, folder, [parcel(0, MAIL, kept)])
    assert bench.lies(folder.name) == Counter([fingerprint(MAIL, kept)])


def test_an_end_that_is_closed_twice_minds_not(bench: Bench) -> None:
    target, source = bench.target(), bench.source()
    for end in (target, source, target, source):
        end.close()


def test_many_messages_are_all_there(bench: Bench) -> None:
    target = bench.target()
    path, name = named(target, "Viele")
    folder = target.ensure_folder(path, None)
    for start in range(0, 600, 200):
        append(target, folder, [parcel(number, MAIL + b"%d" % (start + number)) for number in range(200)])
    _, rows = surveyed(bench.source(), name)
    assert len({row.key.uid for row in rows}) == 600
    assert len(bench.lies(name)) == 600

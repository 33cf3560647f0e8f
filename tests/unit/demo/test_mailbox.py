"""What `postwagen demo` promises about its mailbox."""

import email
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from migrator.demo.mailbox import DemoFolder, DemoMessage, believable_mailbox
from tests.corpus import as_dovecot_keeps, as_pymap_keeps

UNTIL = datetime(2026, 11, 22, 12, tzinfo=UTC)
SYSTEM = {r"\Seen", r"\Answered", r"\Flagged", r"\Draft", r"\Deleted"}
KEYWORDS = {"$Forwarded", "$MDNSent", "NonJunk", "Wichtig", "$label1"}


@pytest.fixture(scope="module")
def mailbox() -> tuple[DemoFolder, ...]:
    return believable_mailbox(until=UNTIL)


@pytest.fixture(scope="module")
def messages(mailbox: tuple[DemoFolder, ...]) -> list[DemoMessage]:
    return [message for folder in mailbox for message in folder.messages]


def named(mailbox: tuple[DemoFolder, ...], *path: str) -> DemoFolder:
    return next(folder for folder in mailbox if folder.path == path)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_seed_gives_at_least_520_messages_in_at_least_eleven_folders(seed: int) -> None:
    found = believable_mailbox(until=UNTIL, seed=seed)
    assert len(found) >= 11
    assert sum(len(folder.messages) for folder in found) >= 520


def test_the_same_arguments_give_the_same_mailbox(mailbox: tuple[DemoFolder, ...]) -> None:
    assert believable_mailbox(until=UNTIL) == mailbox


def test_another_seed_gives_another_mailbox(mailbox: tuple[DemoFolder, ...]) -> None:
    assert believable_mailbox(until=UNTIL, seed=2) != mailbox


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        believable_mailbox(until=UNTIL.replace(tzinfo=None))


def test_the_owner_is_whom_the_caller_names() -> None:
    sent = named(believable_mailbox(until=UNTIL, owner="demo@old.example"), "Gesendete Objekte")
    assert all(b"<demo@old.example>" in message.octets for message in sent.messages)


def test_parents_come_before_their_children(mailbox: tuple[DemoFolder, ...]) -> None:
    seen: set[tuple[str, ...]] = {()}
    for folder in mailbox:
        assert folder.path[:-1] in seen
        seen.add(folder.path)
    assert len(seen) == len(mailbox) + 1


def test_folders_have_roles_umlauts_ampersands_three_levels_and_one_is_empty(mailbox: tuple[DemoFolder, ...]) -> None:
    roles = {folder.role: folder.path for folder in mailbox if folder.role}
    assert roles == {
        "sent": ("Gesendete Objekte",),
        "drafts": ("Entwürfe",),
        "trash": ("Papierkorb",),
        "junk": ("Spamverdacht",),
        "archive": ("Archiv",),
    }
    assert named(mailbox, "Kunden", "Müller & Söhne").messages
    assert named(mailbox, "Kunden", "Bäckerei Größenwahn", "Angebote").messages
    assert named(mailbox, "日本旅行").messages
    assert all(named(mailbox, "Archiv", str(year)).messages for year in range(2017, 2027))
    assert not named(mailbox, "Kunden").messages, "a container: only its children hold mail"
    assert not named(mailbox, "Zu erledigen").messages


def test_folder_names_hold_no_sign_that_is_a_delimiter_somewhere(mailbox: tuple[DemoFolder, ...]) -> None:
    assert not [folder.path for folder in mailbox if set("".join(folder.path)) & set("./\\|")]


def test_dates_span_ten_years_and_none_is_younger_than_until(messages: list[DemoMessage]) -> None:
    dates = [message.date for message in messages]
    assert max(dates) <= UNTIL
    assert UNTIL - timedelta(days=3653) <= min(dates) <= UNTIL - timedelta(days=3300)
    assert all(date.tzinfo is UTC and not date.microsecond for date in dates)


def test_every_folder_is_in_the_order_of_arrival(mailbox: tuple[DemoFolder, ...]) -> None:
    for folder in mailbox:
        dates = [message.date for message in folder.messages]
        assert dates == sorted(dates), folder.path


def test_all_system_flags_and_the_usual_keywords_occur_and_no_others(messages: list[DemoMessage]) -> None:
    count = Counter(flag for message in messages for flag in message.flags)
    assert set(count) == SYSTEM | KEYWORDS
    assert 1 <= count[r"\Deleted"] <= 8


def test_every_line_ends_in_crlf_and_no_message_is_empty(messages: list[DemoMessage]) -> None:
    for message in messages:
        assert message.octets
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", message.octets)


def test_dovecot_and_pymap_keep_every_octet(messages: list[DemoMessage]) -> None:
    for message in messages:
        assert as_dovecot_keeps(message.octets) == as_pymap_keeps(message.octets) == message.octets
        assert not re.search(rb"\{\d+\+\}\Z", message.octets), "pymap would wait for ever"


def test_twins_lie_in_one_folder_and_one_message_in_two(mailbox: tuple[DemoFolder, ...]) -> None:
    within = {folder.path: Counter(message.octets for message in folder.messages) for folder in mailbox}
    assert {path for path, count in within.items() if count and max(count.values()) > 1} >= {
        ("INBOX",),
        ("Rechnungen",),
    }
    across = Counter(octets for count in within.values() for octets in count)
    assert max(across.values()) == 2


def test_two_different_messages_share_their_message_id_and_size(messages: list[DemoMessage]) -> None:
    heads: dict[bytes, set[bytes]] = {}
    for message in messages:
        head, _, body = message.octets.partition(b"\r\n\r\n")
        heads.setdefault(head, set()).add(body)
    pairs = [bodies for bodies in heads.values() if len(bodies) > 1]
    assert len(pairs) == 1
    assert len({len(body) for body in pairs[0]}) == 1


def test_odd_mail_is_among_it(messages: list[DemoMessage]) -> None:
    every = [message.octets for message in messages]
    heads = [octets.partition(b"\r\n\r\n")[0] for octets in every]
    assert any(b"\r\nMessage-ID:" not in head for head in heads), "no Message-ID"
    assert any(b"\r\n\r\n" not in octets for octets in every), "no gap"
    assert any(octets.endswith(b"\r\n\r\n") for octets in every), "empty body"
    assert any(not octets.endswith(b"\r\n") for octets in every), "no final line end"
    assert any(max(map(len, octets.split(b"\r\n"))) > 65_536 for octets in every), "a line of more than 64 KiB"
    assert any(len(head) > 32_768 for head in heads), "a header block of more than 32 KiB"
    assert any(octets.startswith(b"From ") for octets in every), "a From_ line"
    assert any(not head.isascii() for head in heads), "a raw 8-bit header"
    assert any(b"\r\na2 STORE 1:* +FLAGS.SILENT (\\Deleted)\r\n" in octets for octets in every), "trap A"
    assert any(b"\r\n{10+}\r\n" in octets for octets in every), "a line like a literal"


def test_three_messages_are_giants(messages: list[DemoMessage]) -> None:
    giants = [len(message.octets) for message in messages if len(message.octets) > 1_000_000]
    assert len(giants) == 3
    assert all(2_000_000 <= size <= 6_000_000 for size in giants)


def test_mail_is_of_many_kinds_and_threads_hang_together(messages: list[DemoMessage]) -> None:
    parsed = [email.message_from_bytes(message.octets) for message in messages if len(message.octets) < 200_000]
    kinds = {part.get_content_type() for mail in parsed for part in mail.walk()}
    assert kinds >= {
        *("text/plain", "text/html", "text/calendar", "image/png", "application/pdf", "message/rfc822"),
        *("multipart/signed", "multipart/encrypted", "multipart/report", "multipart/related"),
        *("application/pkcs7-signature", "application/pgp-signature", "application/pkcs7-mime"),
    }
    keys = {str(mail["Message-ID"]) for mail in parsed}
    answers = [mail["In-Reply-To"] for mail in parsed if mail["In-Reply-To"]]
    assert len(answers) > 150
    assert sum(answer in keys for answer in answers) == len(answers)


def test_every_address_is_of_the_example_domain(messages: list[DemoMessage]) -> None:
    for message in messages:
        head = message.octets.partition(b"\r\n\r\n")[0]
        domains = {domain.rstrip(b".") for domain in re.findall(rb"<[\w.+-]+@([\w.-]+)>", head)}
        assert not [domain for domain in domains if not domain.endswith(b".example")]

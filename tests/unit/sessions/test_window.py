"""How much may be on its way to a server."""

from __future__ import annotations

import pytest

from migrator.providers.profile import profile_of
from migrator.sessions.imap.window import (
    AT_ONCE,
    LEAST_COMMANDS,
    LEAST_OCTETS,
    MODEST_ANSWERS,
    MORE_MODEST,
    MOST_COMMANDS,
    MOST_OCTETS,
    Window,
)

BATCH = 1024 * 1024


def room(window: Window, octets: int = BATCH) -> int:
    """So many commands of that size may be on their way."""
    commands = 0
    while window.admits(commands, (commands + 1) * octets):
        commands += 1
    return commands


def line(window: Window, *, trip: float, octets_a_second: float, octets: int = BATCH) -> list[int]:
    """How the room develops on a line of so many seconds of round trip to a server that takes in so much."""
    rooms = []
    for _ in range(20):
        commands = room(window, octets)
        rooms.append(commands)
        window.answered(max(trip, commands * octets / octets_a_second), commands * octets, commands, trip)
    return rooms


def test_on_a_short_line_the_window_stays_small() -> None:
    assert set(line(Window(), trip=0.001, octets_a_second=100e6)) == {LEAST_OCTETS // BATCH}


def test_on_a_long_line_the_window_grows_until_the_server_is_never_idle() -> None:
    rooms = line(Window(), trip=0.05, octets_a_second=60e6)
    assert rooms == sorted(rooms)
    assert 60e6 * 0.05 <= rooms[-1] * BATCH <= MOST_OCTETS


def test_the_window_grows_no_further_than_it_helps() -> None:
    slow = line(Window(), trip=0.05, octets_a_second=20e6)
    assert slow[-1] == slow[0] == LEAST_OCTETS // BATCH, "the server takes in 1 MB in a round trip"


def test_the_window_has_an_end() -> None:
    assert line(Window(), trip=5.0, octets_a_second=1e9)[-1] * BATCH == MOST_OCTETS


def test_many_small_commands_are_on_their_way_on_a_long_line() -> None:
    rooms = line(Window(), trip=0.05, octets_a_second=1e9, octets=2000)
    assert (rooms[0], rooms[-1]) == (LEAST_COMMANDS, MOST_COMMANDS)


def test_however_large_some_are_on_their_way() -> None:
    assert room(Window(), 60 * BATCH) == AT_ONCE


@pytest.mark.parametrize("losses", [1, 2, 3])
def test_after_a_loss_the_server_is_asked_modestly_for_a_while_and_longer_after_each_further_one(losses: int) -> None:
    window = Window(losses)
    patience = MODEST_ANSWERS * MORE_MODEST ** (losses - 1)
    for _ in range(patience):
        assert room(window) == 1
        window.heard()
    assert room(window) > 1


def test_a_provider_that_is_known_not_to_stand_more_is_asked_modestly_for_ever() -> None:
    window = Window(modest=profile_of("outlook.office365.com").modest)
    for _ in range(10_000):
        window.heard()
    assert room(window) == 1


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("imap.gmail.com", "Gmail"),
        ("IMAP.GMAIL.COM.", "Gmail"),
        ("outlook.office365.com", "Microsoft 365"),
        ("imap.gmx.net", "GMX"),
        ("imap.web.de", "WEB.DE"),
        ("secureimap.t-online.de", "T-Online"),
        ("export.imap.mail.yahoo.com", "Yahoo"),
        ("imap.notgmail.com", ""),
        ("gmail.com.example.org", ""),
        ("192.0.2.1", ""),
        ("", ""),
    ],
)
def test_a_provider_is_known_by_the_domain_of_its_server(host: str, name: str) -> None:
    assert profile_of(host).name == name

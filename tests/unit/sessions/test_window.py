"""How much may be on its way to a server."""

from __future__ import annotations

import pytest

from migrator.providers.profile import profile_of
from migrator.sessions.imap.window import (
    APPENDING,
    AT_ONCE,
    MODEST_ANSWERS,
    MORE_MODEST,
    READING,
    Bounds,
    Manners,
    Window,
)

BATCH = 1024 * 1024


def room(window: Window, octets: int = BATCH) -> int:
    """So many commands of that size may be on their way."""
    commands = 0
    while window.admits(commands, (commands + 1) * octets):
        commands += 1
    return commands


def line(bounds: Bounds, *, trip: float, octets_a_second: float, octets: int = BATCH) -> list[int]:
    """How the room develops on a line of so many seconds of round trip to a server that does so much."""
    window, now, rooms = Window(Manners(), bounds), 0.0, []
    for _ in range(20):
        commands = room(window, octets)
        rooms.append(commands)
        begun = [window.moment(now) for _ in range(commands)]
        now += max(trip, commands * octets / octets_a_second)
        for moment in begun:
            window.answered(moment, octets, now, trip)
    return rooms


@pytest.mark.parametrize("bounds", [APPENDING, READING])
def test_on_a_short_line_the_window_stays_small(bounds: Bounds) -> None:
    rooms = line(bounds, trip=0.001, octets_a_second=100e6)
    assert set(rooms) == {min(bounds.least_octets // BATCH, bounds.least_commands)}


@pytest.mark.parametrize("bounds,octets_a_second", [(APPENDING, 60e6), (READING, 400e6)])
def test_on_a_long_line_the_window_grows_until_the_server_is_never_idle(bounds: Bounds, octets_a_second: float) -> None:
    rooms = line(bounds, trip=0.05, octets_a_second=octets_a_second)
    assert rooms == sorted(rooms)
    assert rooms[0] < rooms[-1]
    assert octets_a_second * 0.05 <= rooms[-1] * BATCH <= bounds.most_octets


@pytest.mark.parametrize("bounds,octets_a_second", [(APPENDING, 20e6), (READING, 100e6)])
def test_the_window_grows_no_further_than_it_helps(bounds: Bounds, octets_a_second: float) -> None:
    slow = line(bounds, trip=0.05, octets_a_second=octets_a_second, octets=2 * BATCH)
    assert slow[-1] == slow[0], "the server does less in a round trip"


@pytest.mark.parametrize("bounds", [APPENDING, READING])
def test_the_window_has_an_end(bounds: Bounds) -> None:
    assert line(bounds, trip=5.0, octets_a_second=1e9, octets=2 * BATCH)[-1] * 2 * BATCH == bounds.most_octets


@pytest.mark.parametrize("bounds", [APPENDING, READING])
def test_many_small_commands_are_on_their_way_on_a_long_line(bounds: Bounds) -> None:
    rooms = line(bounds, trip=0.05, octets_a_second=1e9, octets=2000)
    assert (rooms[0], rooms[-1]) == (bounds.least_commands, bounds.most_commands)


@pytest.mark.parametrize("bounds", [APPENDING, READING])
def test_however_large_some_are_on_their_way(bounds: Bounds) -> None:
    assert room(Window(Manners(), bounds), 60 * BATCH) == AT_ONCE


@pytest.mark.parametrize("losses", [1, 2, 3])
def test_after_a_loss_the_server_is_asked_modestly_for_a_while_and_longer_after_each_further_one(losses: int) -> None:
    window = Window(manners := Manners(losses), APPENDING)
    patience = MODEST_ANSWERS * MORE_MODEST ** (losses - 1)
    for _ in range(patience):
        assert room(window) == 1
        manners.heard()
    assert room(window) > 1


@pytest.mark.parametrize("losses", [0, 1])
def test_a_server_that_does_not_understand_a_command_behind_others_is_asked_modestly_for_a_while(losses: int) -> None:
    window = Window(manners := Manners(losses), READING)
    for signs in (losses + 1, losses + 2):
        while room(window) == 1:
            manners.heard()
        assert manners.misunderstood()
        for _ in range(MODEST_ANSWERS * MORE_MODEST ** (signs - 1)):
            assert room(window) == 1
            assert not manners.misunderstood(), "that one came alone"
            manners.heard()
        assert room(window) > 1


def test_a_provider_that_is_known_not_to_stand_more_is_asked_modestly_for_ever() -> None:
    window = Window(manners := Manners(modest=profile_of("outlook.office365.com").modest), READING)
    for _ in range(10_000):
        manners.heard()
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

"""A source like POP3: one folder, no flags, no dates, keys by name that may all be given anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from migrator.mail.messages import MessageKey
from migrator.ports import Letter, Opened, Page, Traits, Unread, Want
from migrator.sessions.memory import MemoryServer, MemorySource
from tests.engine.world import World, assert_sums, days, mail


class Named(MemorySource):
    """UIDs become names; `renumber` gives all of them anew."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(server)
        self.traits = Traits(has_folders=False, has_flags=False, has_dates=False, keys_are_stable=False)

    def _name(self, key: MessageKey) -> MessageKey:
        return MessageKey(0, 0, f"uidl-{key.validity}-{key.uid}")

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        for item in super().survey(folder):
            if isinstance(item, Opened):
                yield replace(item, validity=0, uidnext=0)
            else:
                bare = [row._replace(key=self._name(row.key), flags=frozenset(), instant=None) for row in item.rows]
                yield Page(bare)

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        asked = list(wants)
        inner = [want._replace(key=_numbers(want.key)) for want in asked]
        for want, answer in zip(asked, super().read(inner), strict=True):
            yield answer._replace(want=want) if isinstance(answer, Letter) else replace(answer, want=want)


def _numbers(key: MessageKey) -> MessageKey:
    _, validity, uid = key.name.split("-")
    return MessageKey(int(validity), int(uid))


@pytest.fixture
def pop(world: World) -> World:
    world.source_of = Named
    for number in range(6):
        world.old.put("INBOX", mail(f"m{number % 4}"), instant=days(number))
    return world


def _there(world: World) -> list[bytes]:
    return sorted(message.octets for message in world.new.folder("INBOX").messages.values())


def test_mail_is_carried_once_and_twins_twice(pop: World) -> None:
    pop.run()
    assert _there(pop) == sorted(mail(f"m{number % 4}") for number in range(6))
    pop.next_job()
    pop.run()
    assert (pop.total("copied"), pop.total("already_there"), len(_there(pop))) == (0, 6, 6)
    assert_sums(pop)


def test_names_that_are_given_anew_double_nothing_and_new_mail_is_carried(pop: World) -> None:
    pop.run()
    pop.old.remove("INBOX", 2)
    pop.old.renumber("INBOX")
    pop.old.put("INBOX", mail("new"), instant=days(9))
    pop.next_job()
    pop.run()
    assert (pop.total("copied"), pop.total("already_there"), pop.total("found")) == (1, 5, 6)
    assert _there(pop) == sorted([*(mail(f"m{number % 4}") for number in range(6)), mail("new")])
    assert_sums(pop)
    pop.next_job()
    pop.run()
    assert (pop.total("copied"), pop.total("already_there")) == (0, 6), "the new names are kept"


def test_a_run_that_is_cut_in_the_middle_after_new_names_doubles_nothing(pop: World) -> None:
    pop.run()
    pop.old.renumber("INBOX")
    for number in range(20, 26):
        pop.old.put("INBOX", mail(f"n{number}"), instant=days(number))
    pop.next_job()
    with pytest.raises(ZeroDivisionError):
        pop.run(_dies_at("target.append"))
    pop.clock.now += 1000
    pop.run()
    assert _there(pop) == sorted([*(mail(f"m{n % 4}") for n in range(6)), *(mail(f"n{n}") for n in range(20, 26))])
    assert_sums(pop)


def _dies_at(step: str):
    def witness(here: str) -> None:
        if here == step:
            raise ZeroDivisionError

    return witness


@pytest.mark.parametrize("repair", [True, False])
def test_what_was_sent_with_a_change_is_recognised_under_a_new_key(world: World, repair: bool) -> None:
    """Also when the new server would take it as it is by then."""
    world.source_of = Named
    world.old.put("INBOX", mail("bare").removesuffix(b"\r\n"), instant=days(1))
    world.new.behaviour.refuses = lambda octets: not octets.endswith(b"\r\n")
    world.run(repair=True)
    world.old.renumber("INBOX")
    world.new.behaviour.refuses = lambda _: False
    world.next_job()
    world.run(repair=repair)
    assert len(world.new.folder("INBOX").messages) == 1
    assert world.failures() == {}

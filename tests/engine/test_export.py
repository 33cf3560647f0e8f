"""An archive's mail as files: octet for octet, with its flags, and nothing outside the directory."""

from __future__ import annotations

import contextlib
import json
import mailbox
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.archive.export import Exported, export, harmless
from migrator.errors import UsageError
from tests.engine.test_archiving import Chest
from tests.engine.world import World, days, mail

ODD = [
    "..", ".", "/etc/passwd", "a\\b", "CON", "nul.txt", "Projekte", "projekte", "x" * 300, "cur", "a:b", "Ende. ",
    "-rf", "index.json", "日本",
]  # fmt: skip


@pytest.fixture
def chest(world: World, tmp_path: Path) -> Chest:
    made = Chest(world, tmp_path)
    world.old.namespace = type(world.old.namespace)("", "\x01")
    for name in ODD:
        world.old.make(name)
        world.old.put(name, mail(name.encode("ascii", "replace").decode()[:9]), "\\Seen", "Wichtig", instant=days(3))
    body = "x\r\nFrom here\r\n>From there\r\n..\r\nend"
    world.old.put("INBOX", mail("a", body=body), "\\Flagged", "\\Answered", instant=days(1))
    world.old.put("INBOX", b"no header, no end\0\xff", instant=days(2))
    made.archive()
    return made


def write(chest: Chest, directory: Path, kind: str) -> Exported:
    source = chest.source()
    try:
        return export(source, directory, kind)
    finally:
        source.close()


@pytest.mark.parametrize("kind", ["maildir", "mbox", "eml"])
def test_everything_is_written_and_nothing_leaves_the_directory(chest: Chest, tmp_path: Path, kind: str) -> None:
    before = set(tmp_path.rglob("*"))
    done = write(chest, tmp_path / "out" / "mail", kind)
    assert (done.messages, done.failed) == (len(ODD) + 2, [])
    new = {path for path in set(tmp_path.rglob("*")) - before if not path.name.startswith("anna.pwa")}
    new.remove(tmp_path / "out")
    assert all(path.is_relative_to(tmp_path / "out" / "mail") for path in new)
    names = [path.relative_to(tmp_path) for path in new]
    assert len({str(name).casefold() for name in names}) == len(names), "no two differ in case only"
    assert all(len(part.encode()) < 120 for name in names for part in name.parts)


def test_maildir_keeps_octets_flags_and_keywords(chest: Chest, tmp_path: Path) -> None:
    write(chest, tmp_path / "out", "maildir")
    inbox = sorted((tmp_path / "out" / "INBOX" / "cur").iterdir())
    wanted = chest.view()["INBOX"]
    assert sorted(path.read_bytes() for path in inbox) == sorted(octets for octets, _, _ in wanted)
    assert {path.name.partition(":2,")[2] for path in inbox} == {"", "FR"}
    assert {int(path.stat().st_mtime) for path in inbox} == {int(days(1).timestamp()), int(days(2).timestamp())}
    assert len(list(mailbox.Maildir(str(tmp_path / "out" / "INBOX"), create=False))) == 2
    assert (tmp_path / "out" / "日本" / "dovecot-keywords").read_text() == "0 Wichtig\n"


def test_mbox_quotes_lines_that_look_like_a_beginning(chest: Chest, tmp_path: Path) -> None:
    write(chest, tmp_path / "out", "mbox")
    with contextlib.closing(mailbox.mbox(str(tmp_path / "out" / "INBOX.mbox"), create=False)) as box:
        found = list(box)
    assert len(found) == 2
    text = (tmp_path / "out" / "INBOX.mbox").read_bytes()
    assert b"\n>From here\n>>From there\n" in text
    assert b"\r" not in text
    assert found[0]["X-Status"] == "AF"


def test_eml_is_octet_for_octet_with_an_index(chest: Chest, tmp_path: Path) -> None:
    write(chest, tmp_path / "out", "eml")
    place = tmp_path / "out" / "INBOX"
    index = json.loads((place / "index.json").read_text())
    found = {(place / one["file"]).read_bytes(): set(one["flags"]) for one in index}
    assert found == {octets: set(flags) for octets, flags, _ in chest.view()["INBOX"]}


def test_nothing_is_overwritten(chest: Chest, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("hallo")
    with pytest.raises(UsageError, match="not empty"):
        write(chest, tmp_path / "out", "eml")
    assert (tmp_path / "out" / "mine").read_text() == "hallo"


@given(st.text(max_size=200))
def test_every_level_becomes_one_harmless_name(level: str) -> None:
    name = harmless(level)
    assert name
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert name[0] != "."
    assert name[-1] not in ". "
    assert len(name.encode()) <= 100
    assert harmless("x") == "x"

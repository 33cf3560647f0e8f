"""An archive's mail as files: octet for octet, with its flags, and nothing outside the directory."""

from __future__ import annotations

import contextlib
import io
import json
import mailbox
import random
import sqlite3
import tempfile
import tracemalloc
import unicodedata
import zipfile
from email.header import decode_header, make_header
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.archive.export import KINDS, Exported, export, harmless, zip_stream
from migrator.archive.naming import Places
from migrator.archive.shelf import Directory, Drain, Zip
from migrator.errors import UsageError
from tests.engine.test_archiving import Chest
from tests.engine.world import World, days, mail
from tests.spoiling import flip

pytestmark = pytest.mark.slow

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


def write(chest: Chest, directory: Path, kind: str, only_folder: str | None = None) -> Exported:
    with contextlib.closing(chest.source()) as source:
        return export(source, directory, kind, only_folder)


def zipped(chest: Chest, kind: str, only_folder: str | None = None) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(zip_stream(chest.source(), kind, only_folder))))


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


def test_names_that_some_file_systems_take_for_one_get_places_of_their_own() -> None:
    """Apple's take both spellings of an umlaut for the same name, and so do its programs that unpack zip files."""
    paths = [("Büro",), (unicodedata.normalize("NFD", "Büro"),), ("BÜRO",)]
    places = Places()
    found = [unicodedata.normalize("NFC", str(places.place(path))).casefold() for path in paths]
    assert len(set(found)) == 3
    assert [places.place(path) for path in paths] == [places.place(path) for path in paths]


def test_only_its_owner_reads_what_was_exported(chest: Chest, tmp_path: Path) -> None:
    write(chest, tmp_path / "out", "eml")
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


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


@pytest.mark.parametrize("kind", KINDS)
def test_the_zip_file_holds_the_same_files_as_the_directory(chest: Chest, tmp_path: Path, kind: str) -> None:
    write(chest, tmp_path / "out", kind)
    wanted = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    found = zipped(chest, kind)
    assert found.testzip() is None
    assert {name: found.read(name) for name in found.namelist() if not name.endswith("/")} == wanted
    assert b"".join(zip_stream(chest.source(), kind)) == b"".join(zip_stream(chest.source(), kind))
    assert {info.date_time[:3] for info in found.infolist() if info.filename.startswith("INBOX/0")} <= {
        (2001, 3, 6), (2001, 3, 7)
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_one_folder_alone_is_exported_and_an_unknown_one_is_named(chest: Chest, tmp_path: Path, kind: str) -> None:
    assert write(chest, tmp_path / "out", kind, "INBOX").messages == 2
    assert {path.name.removesuffix(".mbox") for path in (tmp_path / "out").iterdir()} == {"INBOX"}
    assert {name.partition("/")[0].removesuffix(".mbox") for name in zipped(chest, kind, "INBOX").namelist()} == {
        "INBOX"
    }
    with pytest.raises(UsageError, match="no folder Inbos"):
        zip_stream(chest.source(), kind, "Inbos")
    with pytest.raises(UsageError, match="no folder Inbos"):
        write(chest, tmp_path / "other", kind, "Inbos")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_that_cannot_be_read_is_named_in_a_file(chest: Chest, tmp_path: Path, kind: str) -> None:
    assert "MISSING.txt" not in zipped(chest, kind).namelist()
    flip(chest.path, 1)
    done = write(chest, tmp_path / "out", kind)
    ((folder, key, reason),) = done.failed
    for text in ((tmp_path / "out" / "MISSING.txt").read_text(), zipped(chest, kind).read("MISSING.txt").decode()):
        assert f"{folder} {key}: {reason}" in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_goes_away_leaves_nothing_open(chest: Chest, kind: str) -> None:
    chest.world.old.put("INBOX", mail("large") + random.Random(2).randbytes(1_000_000))
    chest.archive()
    source = chest.source()
    stream = zip_stream(source, kind)
    next(stream)
    stream.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        source._archive.sql.execute("SELECT 1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", [b"", b"\r\n"])
def test_a_giant_streams_in_small_pieces(world: World, tmp_path: Path, kind: str, line: bytes) -> None:
    size = 30 * 1024 * 1024
    piece = (
        random.Random(5).randbytes(1024 * 1024).replace(b"\n", b"x").replace(b"\r", b"x")[: -len(line) or None] + line
    )
    world.old.put("INBOX", piece * 30)
    chest = Chest(world, tmp_path)
    chest.archive()
    source = chest.source()
    tracemalloc.start()
    try:
        count = largest = 0
        for octets in zip_stream(source, kind):
            count, largest = count + len(octets), max(largest, len(octets))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count > size * 0.9
    assert largest < 3 * 1024 * 1024
    assert peak < 12 * 1024 * 1024


def test_a_line_of_any_length_is_quoted_only_where_it_begins(world: World, tmp_path: Path) -> None:
    long = b"x" * 1_500_000
    world.old.put("INBOX", b"S: x\r\n\r\nFrom a\r\n" + long + b"From inside" + long + b"\r\nFrom b\r\n")
    chest = Chest(world, tmp_path)
    chest.archive()
    text = zipped(chest, "mbox").read("INBOX.mbox")
    assert text.endswith(b"S: x\n\n>From a\n" + long + b"From inside" + long + b"\n>From b\n\n")


@given(st.lists(st.lists(st.text(max_size=60), min_size=1, max_size=4).map(tuple), max_size=6))
def test_no_name_leads_out_of_the_directory_or_the_zip_file(paths: list[tuple[str, ...]]) -> None:
    """On both shelves, and two folders never share a place."""
    places = Places()
    chosen = [places.place(path) / "message.eml" for path in dict.fromkeys(paths)]
    assert len({str(place).casefold() for place in chosen}) == len(chosen)
    with tempfile.TemporaryDirectory() as name, contextlib.closing(Drain()) as drain:
        root = Path(name) / "inside"
        with Zip(drain) as shelf:
            for place in chosen:
                for one in (Directory(root), shelf):
                    with one.open(place, None, 1) as file:
                        file.write(b"x")
        written = [path for path in Path(name).rglob("*") if path.is_file()]
        assert len(written) == len(chosen)
        assert all(path.is_relative_to(root) for path in written)
        listed = zipfile.ZipFile(io.BytesIO(b"".join(drain.pieces()))).namelist()
    assert listed == [str(place) for place in chosen]
    for item in listed:
        assert not item.startswith("/")
        assert ".." not in PurePosixPath(item).parts
        assert "\\" not in item


def test_labels_stand_where_gmails_own_export_has_them_and_break_no_format(world: World, tmp_path: Path) -> None:
    made = Chest(world, tmp_path)
    world.old.put("INBOX", mail("a"), "Wichtig", "label Bücher, neu", "label \\Inbox", instant=days(1))
    made.archive()
    write(made, tmp_path / "mbox", "mbox")
    with contextlib.closing(mailbox.mbox(tmp_path / "mbox" / "INBOX.mbox")) as box:
        (message,) = box
    shown = str(make_header(decode_header(message["X-Gmail-Labels"])))
    assert (shown, message["X-Keywords"]) == ("Bücher, neu, \\Inbox", "Wichtig")
    write(made, tmp_path / "maildir", "maildir")
    assert (tmp_path / "maildir" / "INBOX" / "dovecot-keywords").read_text() == "0 Wichtig\n"
    write(made, tmp_path / "eml", "eml")
    (index,) = json.loads((tmp_path / "eml" / "INBOX" / "index.json").read_text())
    assert index["flags"] == ["Wichtig", "label Bücher, neu", "label \\Inbox"]

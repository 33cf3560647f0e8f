"""A manifest proves what a pass holds, and nobody can change one line of it unseen."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from migrator.archive.file import ArchiveFile
from migrator.archive.manifest import ManifestRefused, Signer, lines, verify
from migrator.archive.source import pass_at
from migrator.planning import batches
from tests.engine.test_archiving import KEY, Chest
from tests.engine.world import World, days, mail
from tests.spoiling import change, flip

FORMAT = Path(__file__).parents[2] / "docs" / "archive-format.md"
SEED = bytes(range(32, 64))


@pytest.fixture
def chest(world: World, tmp_path: Path) -> Chest:
    """Three messages, one of which a pass could not keep."""
    made = Chest(world, tmp_path)
    world.old.make("Ä & Ö")
    world.old.put("INBOX", mail("a"), "\\Seen", "Wichtig", instant=days(1))
    world.old.put("Ä & Ö", mail("b"), instant=days(2))
    world.old.put("Ä & Ö", mail("nil"), instant=days(3))
    world.old.behaviour.nil_bodies.add(("Ä & Ö", 2))
    made.archive()
    return made


def manifest(chest: Chest, seed: bytes = SEED) -> list[bytes]:
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        return list(lines(file, pass_at(file, None), Signer(seed)))


def test_every_message_stands_in_it_with_its_digest_and_what_is_missing_with_its_reason(chest: Chest) -> None:
    first, *others, last = map(json.loads, manifest(chest))
    assert (first["format"], first["pass"]) == ("postwagen-manifest-1", 1)
    assert others == [
        {
            "folder": "INBOX", "key": "1001/1", "sha256": hashlib.sha256(mail("a")).hexdigest(), "size": len(mail("a")),
            "flags": ["Wichtig", "\\Seen"], "date": days(1).isoformat(),
        },
        {
            "folder": "Ä & Ö", "key": others[1]["key"], "sha256": hashlib.sha256(mail("b")).hexdigest(),
            "size": len(mail("b")), "flags": [], "date": days(2).isoformat(),
        },
        {"missing": {"folder": "Ä & Ö", "key": others[2]["missing"]["key"], "size": len(mail("nil")),
                     "reason": "empty_at_source"}},
    ]  # fmt: skip
    assert (last["messages"], last["missing"], last["damaged"]) == (2, 1, 0)


def test_a_stranger_verifies_it_with_the_documented_lines_and_nothing_of_ours(chest: Chest, tmp_path: Path) -> None:
    program = FORMAT.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    file, public = tmp_path / "manifest", base64.b64encode(Signer(SEED).public).decode()
    whole = manifest(chest)
    for lines_, code in ((whole, 0), ([*whole[:1], *whole[2:]], 1)):
        file.write_bytes(b"".join(lines_))
        ran = subprocess.run([sys.executable, "-I", "-c", program, file, public], cwd="/", capture_output=True)
        assert ran.returncode == code, ran.stderr


def test_it_is_the_same_each_time_and_verifies(chest: Chest) -> None:
    assert manifest(chest) == manifest(chest)
    facts = verify(manifest(chest), [Signer(SEED).public])
    assert (facts.messages, facts.missing, facts.damaged, facts.number) == (2, 1, 0, 1)
    assert facts.public_key == Signer(SEED).public


def test_damage_is_a_line_of_its_own(chest: Chest) -> None:
    flip(chest.path, 1)
    change(chest.path, "DELETE FROM placement WHERE message = 2")
    found = [json.loads(line) for line in manifest(chest)]
    assert [(item["damaged"]["folder"], item["damaged"]["key"]) for item in found[2:-1]] == [
        ("INBOX", "1001/1"), ("Ä & Ö", "")
    ]  # fmt: skip
    facts = verify(manifest(chest))
    assert (facts.messages, facts.missing, facts.damaged) == (0, 1, 2)


def test_any_change_is_noticed(chest: Chest) -> None:
    whole = manifest(chest)
    for number, line in enumerate(whole):
        changed = [
            [*whole[:number], *whole[number + 1 :]],
            [*whole[:number], line, *whole[number:]],
            [*whole[: number + 1]] if number < len(whole) - 1 else [],
            *(
                [*whole[:number], line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :], *whole[number + 1 :]]
                for at in range(0, len(line), 7)
            ),
        ]
        for altered in changed:
            with pytest.raises(ManifestRefused):
                verify(altered, [Signer(SEED).public])
    with pytest.raises(ManifestRefused):
        verify([b"\xff\n", b"[]\n"])


def test_another_ones_signature_is_told_from_ours(chest: Chest) -> None:
    foreign = manifest(chest, bytes(32))
    assert verify(foreign).public_key == Signer(bytes(32)).public
    with pytest.raises(ManifestRefused, match="none of those expected"):
        verify(foreign, [Signer(SEED).public])


def test_one_that_was_stopped_is_no_manifest(chest: Chest) -> None:
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        cut = list(lines(file, pass_at(file, None), Signer(SEED), wants_stop=iter([False, False, True]).__next__))
    assert len(cut) == 2
    with pytest.raises(ManifestRefused):
        verify(cut)


def test_memory_does_not_grow_with_the_mailbox(chest: Chest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_MESSAGES", 500)
    for number in range(6000):
        chest.world.old.put("INBOX", mail(f"n{number}"))
    chest.archive()
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        moment = pass_at(file, None)
        tracemalloc.start()
        try:
            count = sum(1 for _ in lines(file, moment, Signer(SEED)))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert count > 6000
    assert peak < 8_000_000

"""The vault: what is sealed opens only where it belongs, and only with the key file."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.db.vault import CannotUnseal, Vault
from migrator.errors import UsageError

CONTEXT = "endpoint 7 password"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "secret.key"


def test_a_secret_comes_back_and_no_two_sealings_are_alike(key_file: Path) -> None:
    vault = Vault.open(key_file)
    first, second = vault.seal("pässwörd", CONTEXT), vault.seal("pässwörd", CONTEXT)
    assert first != second
    assert vault.unseal(first, CONTEXT) == vault.unseal(second, CONTEXT) == "pässwörd"
    assert b"ssw" not in first


def test_a_sealed_secret_does_not_open_elsewhere(key_file: Path) -> None:
    vault = Vault.open(key_file)
    with pytest.raises(CannotUnseal):
        vault.unseal(vault.seal("geheim", CONTEXT), "endpoint 8 password")


@given(place=st.integers(0, 60), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(place: int, bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    vault = Vault.open(tmp_path_factory.getbasetemp() / "flip" / "secret.key")
    sealed = bytearray(vault.seal("a password of some length", CONTEXT))
    sealed[place] ^= 1 << bit
    with pytest.raises(CannotUnseal):
        vault.unseal(bytes(sealed), CONTEXT)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(20), b"\x02" + bytes(60)])
def test_what_was_never_sealed_does_not_open(sealed: bytes, key_file: Path) -> None:
    with pytest.raises(CannotUnseal):
        Vault.open(key_file).unseal(sealed, CONTEXT)


def test_the_key_file_is_made_for_us_alone_and_made_once_by_many(key_file: Path) -> None:
    begin = threading.Barrier(8)
    found: list[bytes] = []

    def open_it() -> None:
        begin.wait()
        found.append(Vault.open(key_file).key_for("test"))

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in key_file.parent.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_file_that_others_may_read_is_refused(mode: int, key_file: Path) -> None:
    Vault.open(key_file)
    key_file.chmod(mode)
    with pytest.raises(UsageError, match="Others may read"):
        Vault.open(key_file)


@pytest.mark.parametrize("text", ["", "too short\n", "c2hvcnQ=\n", "ä" * 40])
def test_a_key_file_without_a_usable_key_is_refused_without_showing_it(text: str, key_file: Path) -> None:
    Vault.open(key_file)
    key_file.write_text(text)
    with pytest.raises(UsageError) as caught:
        Vault.open(key_file)
    assert not text.strip() or text.strip() not in str(caught.value)


def test_without_create_a_missing_key_file_is_an_error(key_file: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Vault.open(key_file, create=False)


def test_after_rotation_the_new_key_seals_the_old_one_still_opens_and_others_notice(key_file: Path) -> None:
    vault, elsewhere = Vault.open(key_file), Vault.open(key_file)
    before, purpose = vault.seal("geheim", CONTEXT), vault.key_for("cookies")
    vault.rotate()
    after = vault.seal("geheim", CONTEXT)
    assert elsewhere.unseal(before, CONTEXT) == elsewhere.unseal(after, CONTEXT) == "geheim"
    assert (vault.is_newest(before), vault.is_newest(after)) == (False, True)
    assert vault.key_for("cookies") != purpose
    assert vault.keys_for("cookies") == [vault.key_for("cookies"), purpose]
    lines = key_file.read_text().splitlines()
    assert len(lines) == 2
    key_file.write_text(lines[0] + "\n")
    assert elsewhere.unseal(after, CONTEXT) == "geheim"
    with pytest.raises(CannotUnseal):
        elsewhere.unseal(before, CONTEXT)


def test_a_key_in_hexadecimal_digits_is_a_key(key_file: Path) -> None:
    key_file.parent.mkdir()
    key_file.write_text("ab" * 32)
    key_file.chmod(0o600)
    vault = Vault.open(key_file)
    assert vault.unseal(vault.seal("geheim", CONTEXT), CONTEXT) == "geheim"


def test_each_purpose_has_a_key_of_its_own_and_nothing_shows_any(key_file: Path) -> None:
    vault = Vault.open(key_file)
    assert vault.key_for("cookies") == Vault.open(key_file).key_for("cookies")
    assert len({vault.key_for("cookies"), vault.key_for("links")}) == 2
    assert key_file.read_text().strip() not in repr(vault) + repr(vault._keys)

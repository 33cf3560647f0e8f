"""Flags: what we keep, what a target takes, and what may never be sent."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.flags import LABEL, SYSTEM_FLAGS, FittingFlags, fitting, is_keyword, normalised, same_flags
from migrator.mail.folders import FolderRef

IMAP_SPECIALS = set('(){ %*"\\]\r\n\t\0')


def folder(*keywords: str, new_ones: bool = True, system: frozenset[str] = frozenset()) -> FolderRef:
    return FolderRef("x", 1, 1, 0, frozenset(keywords), new_ones, system)


@given(st.text(max_size=20))
def test_a_keyword_holds_nothing_that_imap_gives_a_meaning(text: str) -> None:
    if is_keyword(text):
        assert text.isascii()
        assert not set(text) & IMAP_SPECIALS
        assert text.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "a) {3+}",
        "a b",
        "a\r\nb",
        "{3}",
        '"a"',
        "a]",
        "\\Seen",
        "",
        "ä",
        "a*",
        "a%",
        "(",
        "x" * 251,
        "a\x7f",
        "a\0",
        "a\n",
    ],
)
def test_what_could_become_a_command_is_no_keyword(text: str) -> None:
    assert not is_keyword(text)


@pytest.mark.parametrize("text", ["$Forwarded", "Junk", "NonJunk", "$MDNSent", "1:x", "OIB-Seen", "a.b-c_d", "Label1"])
def test_real_keywords_are_keywords(text: str) -> None:
    assert is_keyword(text)


any_flags = st.frozensets(st.text(max_size=12) | st.sampled_from(("\\Seen", "\\SEEN", "\\Recent", "$Work", "\\X")))


@given(any_flags)
def test_flags_that_are_kept_or_dropped_are_all_of_them(flags: frozenset[str]) -> None:
    fit = fitting(flags, folder("$work", new_ones=True))
    assert len(fit.kept) + len(fit.dropped) == len([flag for flag in flags if not flag.startswith(LABEL)])
    assert all(flag in SYSTEM_FLAGS.values() or is_keyword(flag) for flag in fit.kept)


def test_a_keyword_takes_the_spelling_of_the_target() -> None:
    assert fitting(frozenset({"$WORK"}), folder("$Work")).kept == ("$Work",)


def test_new_keywords_are_dropped_where_the_folder_takes_none() -> None:
    fit = fitting(frozenset({"$Work", "$New", "\\Seen"}), folder("$Work", new_ones=False))
    assert (fit.kept, fit.dropped) == (("$Work", "\\Seen"), ("$New",))


def test_system_flags_are_dropped_where_the_folder_does_not_keep_them() -> None:
    fit = fitting(frozenset({"\\Seen", "\\Flagged"}), folder(system=frozenset({"\\Seen"})))
    assert (fit.kept, fit.dropped) == (("\\Seen",), ("\\Flagged",))


def test_recent_is_nobodys_business_and_system_flags_have_one_spelling() -> None:
    assert normalised(["\\SEEN", "\\recent", "\\Recent", "$Work", "\\X-Odd"]) == {"\\Seen", "$Work", "\\X-Odd"}


def test_keywords_are_compared_without_case() -> None:
    assert same_flags(("$work", "\\SEEN"), frozenset({"\\Seen", "$Work"}))
    assert not same_flags(("$work",), frozenset())


def test_the_system_flags_are_the_five_of_the_standard() -> None:
    assert all(re.fullmatch(r"\\[A-Z][a-z]+", flag) for flag in SYSTEM_FLAGS.values())
    assert len(SYSTEM_FLAGS) == 5


@given(st.text(max_size=40))
def test_a_label_is_kept_by_an_archive_and_never_sent_to_a_server_nor_called_dropped(name: str) -> None:
    label = LABEL + name
    assert not is_keyword(label)
    assert fitting(frozenset({label, "\\Seen"}), folder()) == FittingFlags(("\\Seen",), ())
    keeping = folder()._replace(keeps_labels=True)
    assert set(fitting(frozenset({label, "\\Seen"}), keeping).kept) == {label, "\\Seen"}

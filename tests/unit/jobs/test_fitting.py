"""Reports of both ends, and what is known of their providers, become what will not fit."""

from __future__ import annotations

import pytest

from migrator.errors import UsageError
from migrator.jobs.fitting import finding_json, fitting, fitting_archive
from migrator.jobs.probe import ProbeReport
from migrator.mail.folders import FolderInfo
from migrator.planning.limits import Code
from migrator.planning.mapping import MappingRules

GB = 10**9
RULES = MappingRules()


def report(*folders: tuple[str, int | None, int | None], quota: tuple[int, int] | None = None) -> ProbeReport:
    infos = [FolderInfo(name, tuple(name.split("/")), messages=count, octets=size) for name, count, size in folders]
    return ProbeReport(ok=True, error=None, folder_list=infos, quota=quota)


EMPTY = report(("INBOX", 0, 0))


def codes(old: ProbeReport, new: ProbeReport | None, *hosts: str, rules: MappingRules = RULES) -> list[Code]:
    return [one.code for one in fitting(old, new, rules, hosts=(hosts[0], hosts[1]))]


@pytest.mark.parametrize(
    ("host", "number", "looks"),
    [
        ("imap.gmail.com", 2_000, True),
        ("imap.ionos.de", 2_000, False),
        ("imap.ionos.de", 1_000, True),
        ("imap.mail.yahoo.com", 10_000, True),
        ("imap.gmail.com", 0, False),
    ],
)
def test_each_provider_stops_at_numbers_of_its_own(host: str, number: int, looks: bool) -> None:
    found = codes(report(("INBOX", number, 1)), None, host, "")
    assert found == ([Code.COUNT_LOOKS_CAPPED] if looks else [])


def test_a_free_account_at_gmx_has_twenty_folders_and_three_levels() -> None:
    old = report(*[(f"F{number}", 1, 1) for number in range(20)], ("A/B/C/D", 1, 1))
    assert codes(old, EMPTY, "imap.old.example", "imap.gmx.net") == [Code.TOO_MANY_FOLDERS, Code.FOLDERS_TOO_DEEP]
    assert codes(old, EMPTY, "imap.old.example", "imap.new.example") == []


def test_only_what_is_taken_along_must_fit() -> None:
    old = report(("INBOX", 1, GB), ("Spam", 9, 9 * GB))
    new = report(("INBOX", 0, 0), quota=(0, 5 * GB))
    assert codes(old, new, "a", "b") == [Code.QUOTA_TOO_SMALL]
    assert codes(old, new, "a", "b", rules=MappingRules(exclude=("Spam",))) == []


def test_a_folder_without_a_size_makes_the_old_quota_the_measure_unless_it_is_empty() -> None:
    new = report(("INBOX", 0, 0), quota=(0, 5 * GB))
    unsaid = report(("INBOX", 1, GB), ("Big", 1, None), quota=(8 * GB, 10 * GB))
    assert codes(unsaid, new, "a", "b") == [Code.QUOTA_TOO_SMALL]
    empty = report(("INBOX", 1, GB), ("Big", 0, None), quota=(8 * GB, 10 * GB))
    assert codes(empty, new, "a", "b") == []


def test_an_archive_is_held_against_the_quota() -> None:
    new = report(("INBOX", 0, 0), quota=(0, 5 * GB))
    (found,) = fitting_archive(6 * GB, new, "b")
    assert found.code is Code.QUOTA_TOO_SMALL
    assert fitting_archive(6 * GB, new, "b", carried=3 * GB) == ()


def test_a_rule_that_names_no_folder_is_refused_as_everywhere() -> None:
    with pytest.raises(UsageError):
        codes(EMPTY, EMPTY, "a", "b", rules=MappingRules(by_hand=(("Nowhere", "There"),)))


def test_as_json_nothing_is_left_out() -> None:
    new = report(("INBOX", 0, 0), quota=(0, 5 * GB))
    (found,) = fitting_archive(9 * GB, new, "b")
    assert finding_json(found) == {
        "code": "quota_too_small", "severity": "will_not_fit", "folder": "", "number": 9 * GB, "at_least": False,
        "limit": 5 * GB, "wanted": 10 * GB, "messages": [], "folders": [],
        "detail": "9.0 GB are to come, and only 5.0 GB are free in the new mailbox.",
        "remedy": "Raise the new mailbox's quota to at least 10.0 GB first.",
    }  # fmt: skip

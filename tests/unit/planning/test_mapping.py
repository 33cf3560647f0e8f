"""Which folder goes where: every folder has exactly one fate, and nobody is merged in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import UsageError
from migrator.mail.folders import FolderInfo, FolderPath, Namespace, Role
from migrator.planning.mapping import MappingPlan, MappingRules, plan_mapping
from migrator.planning.roles import comparable, role_by_name

SLASH, COURIER, PLAIN_DOT, FLAT = Namespace("", "/"), Namespace("INBOX.", "."), Namespace("", "."), Namespace("", "")
NAMESPACES = (SLASH, COURIER, PLAIN_DOT, FLAT)
LEVELS = (
    "INBOX",
    "Inbox",
    "Gesendet",
    "Sent",
    "Sent Items",
    "Papierkorb",
    "Trash",
    "A",
    "a",
    "A.B",
    "A_B",
    "A/B",
    "Ä",
    "\t",
)


def folder(name: str, namespace: Namespace = SLASH, **more: object) -> FolderInfo:
    path = namespace.to_path(name)
    role = Role.INBOX if path == ("INBOX",) else None
    return replace(FolderInfo(name, path, role), **more)


def plan(
    source: list[FolderInfo], target: list[FolderInfo], namespace: Namespace = SLASH, **rules: object
) -> MappingPlan:
    return plan_mapping(source, target, namespace, MappingRules(**rules))


def places(found: MappingPlan, namespace: Namespace = SLASH) -> dict[str, str]:
    return {pair.source.name: namespace.to_name(pair.target_path) for pair in found.pairs}


@st.composite
def accounts(draw: st.DrawFn, namespace: Namespace) -> list[FolderInfo]:
    allowed = [level for level in LEVELS if not namespace.delimiter or namespace.delimiter not in level]
    paths = draw(st.lists(st.lists(st.sampled_from(allowed), min_size=1, max_size=3), max_size=9))
    names = {namespace.prefix + (namespace.delimiter or "/").join(path) for path in paths} | {"INBOX"}
    return [
        folder(
            name,
            namespace,
            selectable=name == "INBOX" or draw(st.integers(0, 9)) > 0,
            shared=name != "INBOX" and draw(st.integers(0, 19)) == 0,
            **({"role": draw(st.sampled_from((Role.SENT, Role.TRASH, Role.ALL, Role.FLAGGED)))}
               if name != "INBOX" and draw(st.integers(0, 9)) == 0 else {}),
        )
        for name in sorted(names)
    ]  # fmt: skip


both = st.sampled_from(NAMESPACES).flatmap(accounts)
rules = st.sampled_from(
    (
        MappingRules(),
        MappingRules(by_hand=(("INBOX", "A"),)),
        MappingRules(exclude=("*A*",)),
        MappingRules(include=("INBOX", "*e*")),
        MappingRules(under="Alt"),
    )
)


@given(source=both, target_namespace=st.sampled_from(NAMESPACES), data=st.data(), chosen=rules)
@settings(max_examples=400, deadline=None)
def test_every_selectable_folder_has_exactly_one_fate_and_no_two_strangers_share_a_target(
    source: list[FolderInfo], target_namespace: Namespace, data: st.DataObject, chosen: MappingRules
) -> None:
    target = data.draw(accounts(target_namespace))
    found = plan_mapping(source, target, target_namespace, chosen)
    fates = [pair.source.name for pair in found.pairs]
    fates += [info.name for info, _ in found.left_out]
    assert sorted(fates) == sorted(info.name for info in source if info.selectable)
    said = {name for code, name, _ in found.warnings if code == "folders_merged"}
    by_name: dict[str, list[object]] = {}
    for pair in found.pairs:
        others = by_name.setdefault(target_namespace.to_name(pair.target_path), [])
        if others:
            assert pair.source.name in said
            first = others[0]
            same_role = pair.target_role is not None and pair.target_role == first.target_role
            assert same_role or "rule" in (pair.reason, first.reason)
        others.append(pair)
        for level in pair.target_path:
            assert not target_namespace.delimiter or target_namespace.delimiter not in level
            assert level.isprintable()
    renamed = {name for code, name, _ in found.warnings if code == "folder_renamed"}
    assert renamed == {pair.source.name for pair in found.pairs if pair.reason == "renamed"}
    names = {key(path, target_namespace): pair.target_path for pair in found.pairs for path in pair.others}
    assert not names.keys() & {key(pair.target_path, target_namespace) for pair in found.pairs}
    assert all(names[key(path, target_namespace)] == pair.target_path for pair in found.pairs for path in pair.others)


def key(path: FolderPath, namespace: Namespace) -> tuple[str, ...]:
    """As a server sees it that knows neither case nor Unicode forms."""
    return tuple(comparable(level) for level in namespace.to_path(namespace.to_name(path)))


@given(source=both, target_namespace=st.sampled_from(NAMESPACES), data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_second_plan_finds_what_the_first_one_made(
    source: list[FolderInfo], target_namespace: Namespace, data: st.DataObject
) -> None:
    """Folders made by the first run (with their roles: RFC 6154, 3) do not send the second one elsewhere."""
    target = data.draw(accounts(target_namespace))
    first = plan_mapping(source, target, target_namespace, MappingRules())
    known = {info.name for info in target}
    made = [
        FolderInfo(name, pair.target_path, Role.INBOX if pair.target_path == ("INBOX",) else pair.target_role)
        for pair in first.pairs
        if (name := target_namespace.to_name(pair.target_path)) not in known
    ]
    unique = list({info.name: info for info in (*target, *made)}.values())
    used = set(places(first, target_namespace).values())
    opened = [
        replace(info, selectable=True, role=None) if info.name in used and not info.selectable else info
        for info in unique
    ]
    again = plan_mapping(source, opened, target_namespace, MappingRules())
    assert places(again, target_namespace) == places(first, target_namespace)


def test_what_lies_below_all_mail_follows_it_the_second_time_too() -> None:
    """All Mail is mapped last, and has a number here: its child was put beside it when that number was known."""
    old = [folder(name) for name in ("INBOX", "INBOX/INBOX", "INBOX/Inbox", "INBOX/Inbox/INBOX")]
    old[2] = replace(old[2], role=Role.ALL)
    first = places(plan(old, [folder("INBOX")]))
    assert first["INBOX/Inbox/INBOX"] == first["INBOX/Inbox"] + "/INBOX" == "INBOX/Inbox (2)/INBOX"
    there = [replace(folder(name), role=Role.ALL if name.endswith("(2)") else None) for name in first.values()]
    assert places(plan(old, there)) == first


# ---- names ---------------------------------------------------------------------------------------------------------


@given(namespace=st.sampled_from((SLASH, COURIER, PLAIN_DOT)), data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_name_translated_to_levels_and_back_is_the_same_name(namespace: Namespace, data: st.DataObject) -> None:
    allowed = [level for level in (*LEVELS, "ä ö", '"', "\\", "&", "%", "*") if namespace.delimiter not in level]
    levels = data.draw(st.lists(st.sampled_from(allowed), min_size=1, max_size=4))
    name = namespace.prefix + namespace.delimiter.join(levels)
    path = namespace.to_path(name)
    again = namespace.to_name(path)
    assert namespace.to_path(again) == path
    if levels[0].upper() != "INBOX" or namespace is COURIER:
        assert again == name


def test_a_folder_called_inbox_below_the_inbox_is_not_the_inbox() -> None:
    assert COURIER.to_path("INBOX") == ("INBOX",)
    assert COURIER.to_path("INBOX.INBOX") != ("INBOX",)
    assert COURIER.to_name(COURIER.to_path("INBOX.INBOX.x")) == "INBOX.INBOX.x"


def test_the_inbox_goes_to_the_inbox_however_it_is_written() -> None:
    for name in ("INBOX", "Inbox", "inbox"):
        assert places(plan([folder(name)], [folder("INBOX")])) == {name: "INBOX"}


def test_prefix_and_delimiter_are_translated_both_ways() -> None:
    old = [folder(name, COURIER) for name in ("INBOX", "INBOX.Projekte", "INBOX.Projekte.Küche")]
    assert places(plan(old, [folder("INBOX")])) == {
        "INBOX": "INBOX",
        "INBOX.Projekte": "Projekte",
        "INBOX.Projekte.Küche": "Projekte/Küche",
    }
    new = [folder(name) for name in ("INBOX", "Projekte", "Projekte/Küche")]
    assert places(plan(new, [folder("INBOX", COURIER)], COURIER), COURIER) == {
        "INBOX": "INBOX",
        "Projekte": "INBOX.Projekte",
        "Projekte/Küche": "INBOX.Projekte.Küche",
    }


def test_a_folder_below_the_inbox_and_one_beside_it_do_not_become_one() -> None:
    """Under a prefix `INBOX.` both are called INBOX.Foo."""
    found = plan([folder("INBOX"), folder("Foo"), folder("INBOX/Foo")], [folder("INBOX", COURIER)], COURIER)
    assert places(found, COURIER) == {"INBOX": "INBOX", "Foo": "INBOX.Foo", "INBOX/Foo": "INBOX.Foo (2)"}
    assert found.warnings == (("folder_renamed", "INBOX/Foo", "INBOX.Foo (2)"),)


def test_characters_that_the_target_cannot_have_are_replaced_and_said_so() -> None:
    found = plan([folder("1.2"), folder("a\tb")], [folder("INBOX", COURIER)], COURIER)
    assert places(found, COURIER) == {"1.2": "INBOX.1_2", "a\tb": "INBOX.a_b"}
    assert {code for code, _, _ in found.warnings} == {"folder_renamed"}


def test_who_keeps_its_name_keeps_it_and_the_replacement_that_meets_it_has_a_number() -> None:
    names = ("1.2", "1_2", "1_2 (2)", "1%2", "1.2/x", "1_2/x")
    found = plan([folder(name) for name in names], [folder("INBOX", COURIER)], COURIER)
    assert places(found, COURIER) == {
        "1_2": "INBOX.1_2",
        "1_2 (2)": "INBOX.1_2 (2)",
        "1%2": "INBOX.1%2",
        "1_2/x": "INBOX.1_2.x",
        "1.2": "INBOX.1_2 (3)",
        "1.2/x": "INBOX.1_2 (3).x",
    }


def test_whatever_a_server_may_dislike_in_a_name_there_is_another_one_without_it() -> None:
    tried = {
        "a.b": [("a_b",)],
        "a  b ": [("a b",)],
        "^up": [("_up",)],
        "Files": [("Files (2)",)],
        "Küche": [("Kuche",), ("Küche (2)",)],
        "a/b/c/d/e": [("a", "b", "c - d - e"), ("a - b - c - d - e",)],
        "n" * 100: [("n" * 60,)],
    }
    found = plan([folder(name) for name in tried], [folder("INBOX")])
    for pair in found.pairs:
        wanted = tried[pair.source.name]
        assert list(pair.others[: len(wanted)]) == wanted
    assert plan([folder("INBOX")], [folder("INBOX")]).pairs[0].others == ()


def test_names_that_some_servers_take_for_one_are_made_two() -> None:
    old = [folder(name) for name in ("Projekte", "projekte", "\u00c4", "A\u0308", "B")]
    for sources in (old, old[::-1]):
        found = places(plan(sources, [folder("INBOX"), folder("projekte")]))
        assert found == {
            "Projekte": "Projekte",
            "projekte": "projekte (2)",
            "A\u0308": "A\u0308",
            "\u00c4": "\u00c4 (2)",
            "B": "B",
        }
    known = {"Projekte": "Projekte", "projekte": "projekte"}
    as_before = plan_mapping(old, [], SLASH, MappingRules(), known)
    assert places(as_before)["projekte"] == "projekte", "there they are two"


def test_a_folder_of_a_use_stays_in_the_one_in_which_it_was_put() -> None:
    old = [folder("Sent", role=Role.SENT), folder("Gesendet")]
    there = [folder("Gesendet"), folder("Sent")]
    known = {"Sent": "Sent", "Gesendet": "Gesendet"}
    again = plan_mapping(old, there, SLASH, MappingRules(apart=True), known)
    assert places(again) == known


# ---- roles ---------------------------------------------------------------------------------------------------------


def test_a_folder_goes_to_the_targets_folder_of_its_role() -> None:
    old = [folder("Gesendete Objekte"), folder("Papierkorb", role=Role.TRASH), folder("Spam")]
    new = [folder("Sent", role=Role.SENT), folder("Trash", role=Role.TRASH), folder("Junk", role=Role.JUNK)]
    assert places(plan(old, new)) == {"Gesendete Objekte": "Sent", "Papierkorb": "Trash", "Spam": "Junk"}


def test_what_the_server_says_wins_over_the_name_at_both_ends() -> None:
    old = [folder("Alt", role=Role.SENT), folder("Sent", role=Role.ARCHIVE)]
    new = [folder("Sent"), folder("Archiv", role=Role.ARCHIVE), folder("Gesendet", role=Role.SENT)]
    assert places(plan(old, new)) == {"Alt": "Gesendet", "Sent": "Archiv"}


def test_two_folders_of_one_role_are_merged_and_said_so() -> None:
    """Strato has \\Sent on `Sent Items` and a second plain `Sent` (quirks.md, 36)."""
    found = plan([folder("Sent Items", role=Role.SENT), folder("Sent")], [folder("Sent", role=Role.SENT)])
    assert places(found) == {"Sent Items": "Sent", "Sent": "Sent"}
    assert [code for code, _, _ in found.warnings] == ["folders_merged"]


def test_folders_below_a_mapped_folder_follow_it() -> None:
    old = [folder("Gesendet"), folder("Gesendet/2020"), folder("Gesendet/2020/Q1")]
    found = plan(old, [folder("Sent", role=Role.SENT)])
    assert places(found)["Gesendet/2020/Q1"] == "Sent/2020/Q1"


def test_folders_below_a_container_that_cannot_be_opened_are_carried() -> None:
    old = [folder("[Gmail]", selectable=False), folder("[Gmail]/Gesendet"), folder("[Gmail]/Rechnungen")]
    assert places(plan(old, [folder("Sent", role=Role.SENT)])) == {
        "[Gmail]/Gesendet": "Sent",
        "[Gmail]/Rechnungen": "[Gmail]/Rechnungen",
    }


def test_shared_and_virtual_folders_are_left_out_by_name_of_the_rule() -> None:
    found = plan([folder("Team", shared=True), folder("Markiert", role=Role.FLAGGED)], [])
    assert [rule for _, rule in found.left_out] == ["shared_folder", "virtual_folder"]


# ---- by hand -------------------------------------------------------------------------------------------------------


def test_a_rule_by_hand_wins_over_role_and_name_and_may_merge() -> None:
    found = plan([folder("Gesendet"), folder("A")], [folder("Sent", role=Role.SENT)], by_hand=(("Gesendet", "A"),))
    assert places(found) == {"Gesendet": "A", "A": "A"}
    assert [code for code, _, _ in found.warnings] == ["folders_merged"]


def test_a_rule_by_hand_for_a_folder_that_is_not_there_says_which_are() -> None:
    with pytest.raises(UsageError) as caught:
        plan([folder("INBOX"), folder("A")], [], by_hand=(("B", "C"),))
    assert "INBOX, A" in caught.value.advice or "A, INBOX" in caught.value.advice


def test_include_and_exclude_work_on_full_names_and_name_their_rule() -> None:
    old = [folder("INBOX"), folder("A"), folder("A/B")]
    assert [info.name for info, _ in plan(old, [], exclude=("A*",)).left_out] == ["A", "A/B"]
    assert list(places(plan(old, [], include=("A/*",)))) == ["A/B"]
    assert plan(old, [], exclude=("A",)).left_out[0][1] == "excluded: A"


def test_under_puts_everything_below_one_folder() -> None:
    old = [folder("INBOX"), folder("Gesendet")]
    assert places(plan(old, [folder("Sent", role=Role.SENT)], under="Alt")) == {
        "INBOX": "Alt/INBOX",
        "Gesendet": "Alt/Gesendet",
    }


def test_roles_by_name_hold_for_the_top_and_right_below_the_inbox_only() -> None:
    assert role_by_name(("Sent",)) is Role.SENT
    assert role_by_name(("INBOX", "Sent")) is Role.SENT
    assert role_by_name(("Kunde", "Sent")) is None


def test_shared_folders_are_taken_along_when_asked_for_and_are_nobodys_sent_folder() -> None:
    old = [folder("Sent", role=Role.SENT), folder("shared/team/Sent", shared=True, role=Role.SENT)]
    new = [folder("Gesendet", role=Role.SENT)]
    assert places(plan(old, new, shared=True)) == {"Sent": "Gesendet", "shared/team/Sent": "shared/team/Sent"}


def test_two_folders_of_one_role_stay_two_where_that_is_wished() -> None:
    old = [folder("Sent Items", role=Role.SENT), folder("Sent"), folder("Gesendet"), folder("Gesendet/2020")]
    found = plan(old, [folder("Sent", role=Role.SENT)], apart=True)
    assert places(found) == {
        "Sent Items": "Sent",
        "Sent": "Sent (2)",
        "Gesendet": "Gesendet",
        "Gesendet/2020": "Gesendet/2020",
    }
    assert found.warnings == (("folder_renamed", "Sent", "Sent (2)"),)


def test_a_targets_folder_is_known_by_its_name_where_the_server_says_no_role() -> None:
    old = [folder("Gesendet", role=Role.SENT), folder("Papierkorb"), folder("Spam")]
    new = [folder("Sent Items"), folder("Trash", selectable=False), folder("Junk", shared=True)]
    assert places(plan(old, new)) == {"Gesendet": "Sent Items", "Papierkorb": "Papierkorb", "Spam": "Spam"}


def test_a_folder_stays_where_it_was_put_for_want_of_its_name() -> None:
    old = [folder(name) for name in ("A.B", "A_B", "A_B (2)", "A_B (3)")]
    known = {"A.B": "INBOX.A_B (2)", "A_B": "INBOX.A_B"}
    found = plan_mapping(old, [folder("INBOX", COURIER)], COURIER, MappingRules(), known)
    assert places(found, COURIER) == {
        "A.B": "INBOX.A_B (2)",
        "A_B": "INBOX.A_B",
        "A_B (2)": "INBOX.A_B (2) (2)",
        "A_B (3)": "INBOX.A_B (3)",
    }
    by_hand = MappingRules(by_hand=(("A.B", "INBOX.Neu"),))
    assert places(plan_mapping(old, [], COURIER, by_hand, known), COURIER)["A.B"] == "INBOX.Neu"
    elsewhere = plan_mapping([folder("C")], [], COURIER, MappingRules(), {"C": "INBOX.Somewhere"})
    assert places(elsewhere, COURIER) == {"C": "INBOX.C"}, "today's rules count"


def test_folders_of_one_use_that_have_no_name_of_their_own_stay_together() -> None:
    old = [folder("A.B", role=Role.TRASH), folder("A_B"), folder("Papierkorb")]
    found = plan(old, [], COURIER)
    assert places(found, COURIER) == {"A_B": "INBOX.A_B", "A.B": "INBOX.A_B (2)", "Papierkorb": "INBOX.A_B (2)"}


def test_what_is_merged_by_hand_has_one_spelling() -> None:
    found = plan([folder("A"), folder("Kunden")], [], by_hand=(("A", "kunden"),))
    assert len(set(places(found).values())) == 1


def test_calendars_stay_behind_unless_they_are_asked_for_by_name() -> None:
    calendar = FolderInfo("Kalender", ("Kalender",), holds_mail=False)
    left = plan_mapping([calendar], [], SLASH, MappingRules()).left_out
    assert [(info.name, rule) for info, rule in left] == [("Kalender", "no_mail_folder")]
    asked = plan_mapping([calendar], [], SLASH, MappingRules(include=("Kal*",)))
    assert [pair.source.name for pair in asked.pairs] == ["Kalender"]


def test_what_lies_below_a_folder_that_got_a_number_follows_it() -> None:
    names = ("Kunden", "Kunden/A", "kunden", "kunden/B", "kunden/B/C")
    found = plan_mapping([FolderInfo(name, tuple(name.split("/"))) for name in names], [], SLASH, MappingRules())
    assert places(found) == {
        "Kunden": "Kunden",
        "Kunden/A": "Kunden/A",
        "kunden": "kunden (2)",
        "kunden/B": "kunden (2)/B",
        "kunden/B/C": "kunden (2)/B/C",
    }

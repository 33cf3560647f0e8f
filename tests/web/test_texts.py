"""Every code has its sentences in German and English, the catalogue is complete, and no template forgets gettext."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from flask import Flask
from flask_babel import force_locale

import migrator
import web
from migrator import errors
from migrator.engine import run  # noqa: F401  # so that every class of errors is known
from migrator.jobs import operations  # noqa: F401
from migrator.jobs.states import JobEvent, JobKind, JobState
from migrator.mail.folders import Role
from migrator.planning.limits import Code, Finding, Severity
from migrator.planning.verification import Kind
from migrator.ports import Absence
from migrator.providers.advice import ENGLISH, LoginAdvice
from web.texts import errors as error_texts
from web.texts import failures as failure_texts
from web.texts import forms as form_texts
from web.texts import jobs as job_texts
from web.texts import limits as limit_texts
from web.texts import providers as provider_texts
from web.texts import work as work_texts

WEB = Path(web.__file__).parent
CORE = Path(migrator.__file__).parent
CATALOGUE = WEB / "translations" / "de" / "LC_MESSAGES" / "messages.po"
LANGUAGES = ("de", "en")
NOT_FOR_PAGES = {
    "account", "cursor_invalid", "error", "invalid", "manifest_refused", "no_proof_yet", "not_found", "only_copy",
    "still_open", "usage", "wrong_state",
}  # fmt: skip
"""Codes of errors that answer a request or a command, and are never the error of a job."""


def tree(root: type[errors.PostwagenError]) -> Iterator[type[errors.PostwagenError]]:
    yield root
    for branch in root.__subclasses__():
        yield from tree(branch)


def instance_codes() -> set[str]:
    """Codes that are given where an error is raised: `code="…"`, and those of the table of TLS verifications."""
    found: set[str] = set()
    for path in [*(CORE / "engine").rglob("*.py"), *(CORE / "sessions").rglob("*.py"), *(CORE / "jobs").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))
        found |= set(re.findall(r'"(tls_[a-z_]+)"', text))
    return found


CODES = sorted(({kind.code for kind in tree(errors.PostwagenError)} | instance_codes()) - NOT_FOR_PAGES)


def both(app: Flask, text: Any) -> tuple[str, str]:
    with app.test_request_context("/"):
        said = []
        for language in LANGUAGES:
            with force_locale(language):
                said.append(str(text))
    return said[0], said[1]


@pytest.mark.parametrize("code", CODES)
def test_every_error_says_in_both_languages_what_happened_and_what_it_means_and_what_helps(
    app: Flask, code: str
) -> None:
    assert code in error_texts.TEXTS, f"web/texts/errors.py has no sentences for {code}"
    text = error_texts.TEXTS[code]
    for part in (text.title, text.body, text.safe):
        german, english = both(app, part)
        assert german, english
        assert german != english, f"{code}: “{english}” is not translated"
        assert part is text.title or german.endswith((".", "?")), german
    assert set(text.helps) <= {"again", "renew", "password", "recreated"}
    assert text.helps


def test_the_codes_named_in_the_brief_are_among_them() -> None:
    named = [
        "host_unknown",
        "host_forbidden",
        "connect_refused",
        "connect_timeout",
        "wrong_protocol",
        "tls_refused",
        "tls_expired",
        "tls_untrusted",
        "tls_wrong_host",
        "tls_wrong_pin",
        "starttls_missing",
        "login_refused",
        "connection_lost",
        "server_busy",
        "server_refused",
        "target_full",
        "folder_refused",
        "folder_recreated",
        "ledger_busy",
        "stopped",
        "defect",
    ]
    assert set(named) <= set(CODES)


def test_an_unknown_code_has_the_sentences_of_any_error() -> None:
    assert error_texts.error_text("never heard of") is error_texts.TEXTS["error"]


def reasons() -> set[str]:
    """Reasons of failures: those of reading, and the first text given to `Refusal` or returned for an APPEND."""
    found = {absence.value for absence in Absence}
    found |= {"too_big", "refused", "empty", "ambiguous", "connection_lost_on_append"}
    for path in (CORE / "engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal"
            if called and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                found.add(str(node.args[1].value))
    return found


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_every_reason_of_a_failure_is_explained_in_both_languages(app: Flask, reason: str) -> None:
    assert reason in failure_texts.REASONS, f"web/texts/failures.py does not know {reason}"
    text = failure_texts.REASONS[reason]
    for part in (text.title, text.short, text.body, text.remedy):
        german, english = both(app, part)
        assert german != english


def warnings() -> set[str]:
    """Codes of `ledger.warn("…")` in the engine."""
    found = {
        "altered_by_target",
        "damaged_by_target",
        "not_seen_again",
        "date_not_kept",
        "flags_not_kept",
        "perhaps_doubled",
    }
    for path in [*(CORE / "engine").rglob("*.py"), *(CORE / "planning").rglob("*.py")]:
        found |= set(re.findall(r'\.warn\(\s*"([a-z_]+)"', path.read_text(encoding="utf-8")))
        found |= set(re.findall(r'warnings\.append\(\("([a-z_]+)"', path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("code", sorted(warnings()))
def test_every_warning_is_explained(code: str) -> None:
    assert code in failure_texts.WARNINGS, f"web/texts/failures.py does not know the warning {code}"


def test_every_state_kind_role_event_and_difference_has_a_word(app: Flask) -> None:
    assert set(job_texts.STATES) == set(JobState)
    assert set(job_texts.ROLES) == {role.value for role in Role}
    assert {event.value for event in JobEvent} <= set(job_texts._EVENTS)
    assert set(failure_texts.DIFFERENCES) == {kind.value for kind in Kind}
    assert {state for group in job_texts.GROUPS for state in group.states} == set(JobState)
    for text in job_texts.STATES.values():
        german, english = both(app, text.word)
        assert german != english


@pytest.mark.parametrize("kind", JobKind)
@pytest.mark.parametrize("state", JobState)
def test_every_kind_of_job_promises_something_in_every_state(app: Flask, kind: JobKind, state: JobState) -> None:
    for options in ({}, {"dry_run": True}):
        job: Any = SimpleNamespace(kind=kind, state=state, options=options)
        german, english = both(app, work_texts.promise(job))
        assert german != english
        assert german.endswith(".")


def test_the_words_are_those_of_the_table(app: Flask) -> None:
    german = {state.value: both(app, text.word)[0] for state, text in job_texts.STATES.items()}
    assert german == {
        "queued": "Wartet", "running": "Läuft", "paused": "Angehalten", "blocked": "Eingriff nötig",
        "succeeded": "Fertig", "incomplete": "Unvollständig", "failed": "Fehlgeschlagen", "cancelled": "Abgebrochen",
    }  # fmt: skip


def test_remarkable_events_of_the_worker_are_known() -> None:
    from migrator.jobs import runner

    assert set(runner.REMARKABLE) <= set(job_texts._EVENTS)


def test_every_problem_of_an_order_has_a_sentence() -> None:
    """Codes in migrator/jobs/orders.py, the second of the three parts of a problem."""
    text = (CORE / "jobs" / "orders.py").read_text(encoding="utf-8")
    found = set(re.findall(r'yield f?"[^"]+", "([a-z_]+)"', text))
    assert found
    assert found | {"forbidden", "same_account"} <= set(form_texts.PROBLEMS)


# ---- the catalogue -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="de")


def texts(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, (list, tuple)) else [str(message.string)]


@pytest.mark.parametrize("code", Code)
def test_every_limit_has_its_sentences(app: Flask, code: Code) -> None:
    found = [Finding(code, severity, "INBOX", number, 10, least, 10**9, provider)
             for severity in Severity for number in (1, 2) for least in (True, False) for provider in ("", "GMX")
             ]  # fmt: skip
    for language in LANGUAGES:
        with app.test_request_context(), force_locale(language):
            for one in found:
                detail, remedy = limit_texts.detail(one, "Posteingang"), limit_texts.remedy(one)
                assert detail.endswith(".")
                assert remedy.endswith(".")
                assert "%" not in detail + remedy


def test_nothing_is_untranslated_or_fuzzy(catalogue: Catalog) -> None:
    assert len(catalogue) > 400
    assert [message.id for message in catalogue if message.id and not all(texts(message))] == []
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []
    assert not catalogue.obsolete


def test_translations_keep_every_placeholder(catalogue: Catalog) -> None:
    def names(text: str) -> set[str]:
        return set(re.findall(r"%\((\w+)\)", text))

    for message in catalogue:
        wanted = message.id if isinstance(message.id, tuple) else (str(message.id),)
        many, all_of = names(wanted[-1]), set().union(*map(names, wanted))
        for text in texts(message) if message.id else []:
            assert names(text) <= all_of, message.id
        assert names(texts(message)[-1]) == many or not message.id, message.id


def test_german_sentences_use_german_quotation_marks_and_no_english_word_for_ours(catalogue: Catalog) -> None:
    for message in catalogue:
        for text in texts(message) if message.id else []:
            assert '"' not in text, text
            assert "“" not in text or "„" in text, text
            assert not re.search(r"\b(Job|Folder|User|Mailbox|Account)\b", text), text


def test_the_catalogue_holds_every_text_of_the_source(catalogue: Catalog, tmp_path: Path) -> None:
    pot = tmp_path / "messages.pot"
    keywords = [f"--keyword={name}" for name in ("lazy_gettext", "lazy_ngettext:1,2", "lazy_pgettext:1c,2")]
    command = [str(Path(sys.executable).parent / "pybabel"), "--quiet", "extract", "--mapping=tools/babel.cfg"]
    subprocess.run([*command, *keywords, "--output", str(pot), "web"], cwd=WEB.parent, check=True)
    with pot.open("rb") as file:
        wanted = {(message.context, message.id) for message in read_po(file) if message.id}
    known = {(message.context, message.id) for message in catalogue if message.id}
    assert wanted == known, "run `make translations`"


# ---- templates -----------------------------------------------------------------------------------------------------


class Words(HTMLParser):
    """Texts and spoken attributes that are left when everything that Jinja does is taken out."""

    SPOKEN = ("aria-label", "placeholder", "title", "alt", "content", "data-l")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.found += [value or "" for name, value in attrs if name in self.SPOKEN]


UNTRANSLATED = re.compile(r"[A-Za-zÄÖÜäöüß]{2,}")
NAMES = {"Postwagen", "TLS", "STARTTLS", "STLS", "imap.example.org", "sha256", "BEGIN", "CERTIFICATE"}
"""Names, which are the same in every language."""


@pytest.mark.parametrize("template", sorted((WEB / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_no_template_says_anything_without_gettext(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    attributes = r"\{% macro marks.*?endmacro %\}|\{% block kind %\}.*?endblock %\}"
    text = re.sub(attributes, " ", text, flags=re.DOTALL)
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.DOTALL)
    page = Words()
    page.feed(text)
    words = {word for part in page.found for word in re.findall(r"[\w.]{2,}", part) if UNTRANSLATED.search(word)}
    assert words - NAMES == set()


def test_no_sentence_in_the_code_is_shown_without_gettext() -> None:
    """`flash("…")` takes a text that went through gettext."""
    for path in WEB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "flash":
                assert not isinstance(node.args[0], (ast.Constant, ast.JoinedStr)), f"{path}:{node.lineno}"


@pytest.mark.parametrize("advice", list(LoginAdvice))
def test_pages_say_what_commands_say_of_a_provider(app: Flask, advice: LoginAdvice) -> None:
    with app.test_request_context(), force_locale("en"):
        assert str(provider_texts.LOGIN[advice]) == ENGLISH[advice]


def test_a_provider_whose_login_is_refused_has_its_own_sentence(app: Flask) -> None:
    with app.test_request_context(), force_locale("de"):
        assert "App-Passwort" in str(provider_texts.login_text("login_refused", "imap.gmail.com"))
        assert provider_texts.login_text("login_refused", "mail.example.org") is None
        assert provider_texts.login_text("server_busy", "imap.gmail.com") is None

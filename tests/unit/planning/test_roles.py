"""Names by which folders of one role are known."""

from __future__ import annotations

import unicodedata

import pytest

from migrator.mail.folders import Namespace, Role
from migrator.planning.roles import _NAMES, role_by_name

GERMAN = {
    Role.SENT: """Gesendet|Gesendete Objekte|Gesendete Elemente|Gesendete E-Mails|Gesendete Nachrichten
        |Verschickte Nachrichten|[Gmail]/Gesendet|[Google Mail]/Gesendet|Sent|Sent Items|Sent Messages|Sent Mail
        |INBOX/Sent|INBOX/Gesendet|INBOX/Gesendete Objekte""",
    Role.DRAFTS: """Entwürfe|Entwurf|[Gmail]/Entwürfe|[Google Mail]/Entwürfe|Drafts|Draft|INBOX/Drafts
        |INBOX/Entwürfe""",
    Role.TRASH: """Papierkorb|Gelöscht|Gelöschte Objekte|Gelöschte Elemente|Gelöschte Nachrichten|Müll
        |[Gmail]/Papierkorb|[Google Mail]/Papierkorb|Trash|Deleted Items|Deleted Messages|INBOX/Trash
        |INBOX/Papierkorb""",
    Role.JUNK: """Spam|Spamverdacht|Junk|Junk-E-Mail|Junk E-Mail|Junk Mail|Unerwünscht|Unerwünschte E-Mail
        |Massen-E-Mails|Bulk Mail|Spambox|INBOX/spambucket|INBOX/Spam|INBOX/Junk""",
    Role.ARCHIVE: "Archiv|Archive|Archives",
}
OTHERS = {
    Role.SENT: """[Gmail]/Sent Mail|Courriels envoyés|Éléments envoyés|Posta inviata|[Gmail]/Correo enviado
        |Verzonden items|Wysłane|Odeslaná pošta|Sendte e-mails|Skickade objekt|Lähetetyt|Itens Enviados
        |Elküldött üzenetek|Отправленные|Надіслані|Trimise|Απεσταλμένα|sent-mail""",
    Role.DRAFTS: "Brouillons|Bozze|Borradores|Concepten|Szkice|Koncepty|Kladder|Utkast|Luonnokset|Черновики",
    Role.TRASH: """Corbeille|Cestino|Papelera|Prullenbak|Kosz|Papirkurv|Roskakori|Lixeira|Lomtár|Корзина
        |Κάδος απορριμμάτων""",
    Role.JUNK: "Indésirables|Posta indesiderata|Correo basura|Ongewenst|Skräppost|Roskaposti|Levélszemét|Спам",
    Role.ARCHIVE: "Archivio|Archivo|Archief|Archiwum|Arkiv|Arquivo|Архив|Αρχείο",
}
NEVER_GUESSED = (
    "Postausgang", "Outbox", "Unbekannt", "Notizen", "Kalender", "Kontakte", "Aufgaben", "Files", "Vorlagen",
    "Projekte", "Rechnungen 2020", "Sentinel", "",
)  # fmt: skip


def names(table: dict[Role, str]) -> list[tuple[str, Role]]:
    return [(name.strip(), role) for role, text in table.items() for name in text.split("|")]


@pytest.mark.parametrize("name,role", names(GERMAN) + names(OTHERS))
def test_a_folder_is_known_by_its_name_in_any_case_and_any_unicode_form(name: str, role: Role) -> None:
    for written in (name, name.upper(), name.lower(), unicodedata.normalize("NFD", name), f"{name} "):
        assert role_by_name(Namespace().to_path(written)) is role, written


@pytest.mark.parametrize("name", NEVER_GUESSED)
def test_what_may_mean_something_else_is_never_guessed(name: str) -> None:
    assert role_by_name((name,)) is None


def test_deep_folders_mean_nothing_by_their_name() -> None:
    assert role_by_name(("Kunde", "Spam")) is None
    assert role_by_name(("INBOX", "Alt", "Spam")) is None


def test_the_prefix_of_the_namespace_does_not_hide_a_name() -> None:
    assert role_by_name(Namespace("INBOX.", ".").to_path("INBOX.spambucket")) is Role.JUNK


def test_no_name_means_two_roles() -> None:
    every = [name for known in _NAMES.values() for name in known]
    assert len(every) == len(set(every))

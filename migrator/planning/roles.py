"""Names by which servers and programs call the folders of one role, where no SPECIAL-USE says it. Data, pure.

Compared NFC-normalised and without case, at the top level only. *Postausgang* (outbox for some, sent for others),
*Unbekannt* (real mail) and Exchange's non-mail folders are left out on purpose: never guess.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from migrator.mail.folders import FolderPath, Role

# fmt: off
_NAMES: Final[dict[Role, tuple[str, ...]]] = {
    Role.SENT: (
        "afsendte beskeder", "correio enviado", "correo enviado", "courriels envoyés", "e-mail inviate",
        "e-mails enviados", "elemente trimise", "elementos enviados", "elementy wysłane", "elküldött",
        "elküldött elemek", "elküldött levelek", "elküldött üzenetek", "elküldöttek", "email inviate",
        "emails enviados", "emailuri trimise", "enviadas", "enviado", "enviados", "enviar itens", "enviar mensagens",
        "envoyé", "envoyés", "gesendet", "gesendete e-mails", "gesendete elemente", "gesendete nachrichten",
        "gesendete objekte", "giden", "gönderilen", "gönderilen posta", "gönderilenler", "gönderilmiş",
        "gönderilmiş e-posta", "gönderilmiş eposta", "gönderilmiş i̇letiler", "gönderilmiş posta",
        "gönderilmiş ögeler", "gönderilmiş öğeler", "inviata", "itens enviados", "küldöttek", "lähetetyt",
        "lähetetyt kohteet", "lähetetyt viestit", "mensagens enviadas", "mensajes enviados", "mesaje trimise",
        "messages envoyés", "messaggi inviati", "odeslaná pošta", "odeslané", "odeslané e-maily", "odeslané položky",
        "odeslané zprávy", "oggetti inviati", "poslana pošta", "poslano", "posta inviata", "pošalji",
        "pošalji e-poštu", "pošalji poštu", "sendt", "sendt e-mail", "sendt e-post", "sendt email", "sendt mail",
        "sendt post", "sendte", "sendte e-mails", "sendte elementer", "sendte meddelelser", "sendte meldinger",
        "sendte objekter", "sent", "sent e-mail", "sent email", "sent items", "sent mail", "sent messages",
        "sent-mail", "skickad e-post", "skickade brev", "skickade meddelanden", "skickade objekt", "skickat",
        "skrzynka nadawcza", "slanje", "slanje poruke", "slanje pošte", "slanje stavki", "stavke slanja", "trimise",
        "verschickte nachrichten", "verstuurde berichten", "verzonden", "verzonden berichten", "verzonden e-mail",
        "verzonden items", "wysłana poczta", "wysłane", "wysłane elementy", "wysłane wiadomości", "éléments envoyés",
        "απεσταλμένα", "απεσταλμένα αντικείμενα", "απεσταλμένα μηνύματα", "απεσταλμένα μηνύματα ηλ. ταχυδρομείου",
        "надіслана пошта", "надіслане", "надісланий лист", "надіслано", "надіслані", "надіслані записи",
        "надіслані повідомлення", "отправленные", "отправленные объекты", "отправленные сообщения",
    ),
    Role.DRAFTS: (
        "borrador", "borradores", "bozza", "bozze", "brouillon", "brouillons", "ciorne", "ciornă", "concept",
        "concepten", "draft", "drafts", "entwurf", "entwürfe", "kladd", "kladde", "kladder", "koncept", "koncepty",
        "kopie robocze", "luonnokset", "luonnos", "mesaje nefinalizate", "nedovršena", "nedovršeno", "piszkozat",
        "piszkozatok", "rascunho", "rascunhos", "rozepsané", "rozepsané e-maily", "rozepsané zprávy", "salvate",
        "skica", "skice", "skisse", "skisser", "szkic", "szkice", "taslak", "taslaklar", "utkast", "wersje robocze",
        "προσχέδια", "πρόχειρα", "πρόχειρο", "чернетка", "чернетки", "черновик", "черновики",
    ),
    Role.TRASH: (
        "affald", "borttaget", "borttagna meddelanden", "borttagna objekt", "cestino", "corbeille", "coș de gunoi",
        "coșul de guni", "deleted items", "deleted messages", "elemente șterse", "elementos eliminados",
        "elementy usunięte", "eliminados", "eliminar itens", "gelöscht", "gelöschte elemente",
        "gelöschte nachrichten", "gelöschte objekte", "gunoi", "itens eliminados", "kosz", "koš", "koš za smeće",
        "kuka", "lixeira", "lixo", "lomtár", "mensagens eliminadas", "mensajes eliminados", "mesaje șterse",
        "messages supprimés", "messaggi eliminati", "müll", "obrisane poruke", "obrisane stavke", "oggetti eliminati",
        "papelera", "papierkorb", "papirkurv", "papperskorg", "papperskorgen", "poistetut", "poistetut kohteet",
        "poistetut viestit", "poubelle", "prullenbak", "reciclagem", "roskakori", "rubbish", "rubbish bin",
        "silinen i̇letiler", "silinen ögeler", "silinmiş öğeler", "slettede beskeder", "slettede elementer",
        "slettede meddelelser", "slettede meldinger", "slettede objekter", "slettet", "smazaná pošta", "smazané",
        "smazané položky", "smazané zprávy", "smeće", "søppelkurv", "trash", "ttrash", "törölt elemek",
        "törölt üzenetek", "usunięta poczta", "usunięte elementy", "usunięte wiadomości", "verwijderde berichten",
        "verwijderde items", "çöp", "çöp kutusu", "éléments supprimés", "śmietnik", "șterse", "άχρηστα", "απορρίματα",
        "απορρίμματα", "διαγεγραμμένα", "διαγραμμένα αντικείμενα", "διαγραμμένα μηνύματα", "κάδοσ ανακύκλωσησ",
        "κάδοσ απορριμάτων", "κάδοσ απορριμμάτων", "вилучені записи", "вилучені повідомлення", "корзина", "кошик",
        "смітник", "сміття", "удаленные", "удаленные объекты", "удаленные сообщения", "удалённые",
        "удалённые объекты",
    ),
    Role.JUNK: (
        "bulk e-mail", "bulk email", "bulk mail", "całość poczty", "correio em lote", "correio em massa",
        "correio não solicitado", "correo basura", "correo masivo", "correo no deseado", "courriel indésirable",
        "e-mail indesiderata", "e-mail não solicitado", "e-mails em massa", "e-post i stor volym",
        "email indesiderata", "emails em massa", "envoi de groupe", "gereksiz", "gereksiz e-posta", "grupna e-pošta",
        "grupna pošta", "indesiderata", "indésirable", "indésirables", "i̇stenmeyen", "junk", "junk e-mail",
        "junk email", "junk mail", "junk-e-mail", "kéretlen", "levélszemét", "lixo eletrónico", "mail di massa",
        "massa-mail", "masse e-mail", "masse-e-mail", "masseforsendelse", "massen-e-mails", "masseutsendelser",
        "merkitse roskapostiksi", "mesaje nedorite", "mesaje nesolicitate", "messages indésirables", "nechtěná",
        "nechtěná pošta", "nesolicitate", "nevyžádaná", "nevyžádaná pošta", "nevyžádané", "nevyžádané e-maily",
        "nevyžádané zprávy", "neželjena e-pošta", "neželjena pošta", "niechciana poczta", "niechciana wiadomość",
        "niechciane", "niechciane wiadomości", "no deseado", "não solicitado", "ongewenst", "ongewenste e-mail",
        "posta indesiderata", "pourriel", "pourriels", "roskaposti", "roskapostit", "segnala come spam", "skräppost",
        "spam", "spambox", "spambucket", "spammail", "spamverdacht", "søppelpost", "toplu e-posta", "toplu eposta",
        "toplu posta", "tömeges levelek", "unerwünscht", "unerwünschte e-mail", "uønsket", "uønsket e-mail",
        "uønsket e-post", "uønsket mail", "önemsiz", "önemsiz e-posta", "önemsiz eposta", "önemsiz posta",
        "ανεπιθύμητα", "ανεπιθύμητα μηνύματα ηλεκτρονικού ταχυδρομείου", "ανεπιθύμητη αλληλογραφία", "ανεπιθύμητο",
        "ενοχλητικό μήνυμα", "массовые рассылки", "небажана пошта", "нежелательная почта", "непотріб",
        "пакетне розсилання пошти", "спам",
    ),
    Role.ARCHIVE: (
        "archief", "archieven", "archiv", "archive", "archives", "archivi", "archivio", "archivo", "archivos",
        "archivy", "archiváltak", "archivă", "archiwa", "archiwum", "archív", "archívum", "archívumok", "archívy",
        "arhiva", "arhive", "arhivă", "arkisto", "arkistot", "arkiv", "arkiver", "arkiverede",
        "arkiverede meddelelser", "arkiveret", "arquivo", "arquivos", "arşiv", "arşivler", "gearchiveerd", "αρχεία",
        "αρχείο", "αρχειοθήκη", "архив", "архивированные", "архивы", "архів", "архіви",
    ),
}
# fmt: on
_BY_NAME: Final = {name: role for role, names in _NAMES.items() for name in names}
_OF_GMAIL: Final = ("[gmail]", "[google mail]")
_CONTAINERS: Final = (*_OF_GMAIL, "inbox")


def comparable(name: str) -> str:
    """A name as names are compared."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def role_by_name(path: FolderPath) -> Role | None:
    """The role that a folder's name means: only at the top level, or directly below the inbox or `[Gmail]`."""
    if path == ("INBOX",):
        return Role.INBOX
    if len(path) == 1 or (len(path) == 2 and comparable(path[0]) in _CONTAINERS):
        return _BY_NAME.get(comparable(path[-1]))
    return None


def is_of_gmail(path: FolderPath) -> bool:
    """Whether Gmail made it, and not its user."""
    return len(path) == 2 and comparable(path[0]) in _OF_GMAIL


def is_chats(path: FolderPath) -> bool:
    """Gmail's conversations, which are no mail (quirks.md, 17)."""
    return is_of_gmail(path) and comparable(path[1]) == "chats"

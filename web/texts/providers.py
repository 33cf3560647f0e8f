"""What a provider wants of those whose login it refuses, where to click. One entry per `LoginAdvice`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrator.providers.advice import LoginAdvice
from migrator.providers.profile import profile_of
from web.babel import LazyString
from web.babel import lazy_gettext as _

LOGIN: Final[Mapping[LoginAdvice, LazyString]] = {
    LoginAdvice.GMX_SWITCH: _(
        "GMX lets programs in only when that is switched on: in the GMX webmail under Settings, POP3/IMAP, allow "
        "access. With two-factor login an app-specific password is needed."
    ),
    LoginAdvice.WEBDE_SWITCH: _(
        "WEB.DE lets programs in only when that is switched on: in the WEB.DE webmail under Settings, POP3/IMAP, "
        "allow access. With two-factor login an app-specific password is needed; the user name may be the part "
        "before the @."
    ),
    LoginAdvice.TONLINE_MAIL_PASSWORD: _(
        "T-Online wants the separate e-mail password, not that of the customer login: it is set in the customer "
        "centre under passwords. After several wrong ones the mailbox is locked for a while."
    ),
    LoginAdvice.GOOGLE_APP_PASSWORD: _(
        "Google takes no account password here: create an app password at myaccount.google.com/apppasswords "
        "(two-step verification must be on). In a company the administrator may have to allow IMAP."
    ),
    LoginAdvice.MICROSOFT_OAUTH: _(
        "Microsoft 365 and Outlook.com take no password by IMAP any more, app passwords neither: they want a sign-in "
        "by OAuth, which Postwagen cannot do yet."
    ),
    LoginAdvice.ICLOUD_APP_PASSWORD: _(
        "iCloud takes app-specific passwords only: create one at account.apple.com under Sign-In and Security. The "
        "user name is the part before the @."
    ),
    LoginAdvice.YAHOO_APP_PASSWORD: _(
        "Yahoo and AOL take app passwords only: create one in the account's security settings under “Generate app "
        "password”."
    ),
    LoginAdvice.YANDEX_SWITCH: _(
        "Yandex lets programs in only when that is switched on: in its webmail under Settings, Email clients, allow "
        "IMAP with app passwords, and create one."
    ),
    LoginAdvice.ZOHO_SWITCH: _(
        "Zoho lets programs in only when that is switched on for this user: in Zoho Mail under Settings, Mail "
        "accounts, IMAP. With two-factor login an app-specific password is needed."
    ),
    LoginAdvice.IONOS_RENAMED: _(
        "IONOS wants the whole address and the mailbox's own password. If the domain has left IONOS already, the "
        "user name is name.domain.de@mailboxbackup.info now."
    ),
}


def login_text(code: str, host: str) -> LazyString | None:
    """What is to be done about this error at this server, where more is known of it than of others."""
    advice = profile_of(host).login if code == "login_refused" else None
    return LOGIN[advice] if advice else None

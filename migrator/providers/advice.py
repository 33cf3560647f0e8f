"""What a provider wants of those whose login it refuses: where to click, in English; pages say it in their language.

Providers move their switches: docs/providers.md says when each was looked up. Pure.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class LoginAdvice(StrEnum):
    """Why a right password is refused, most likely."""

    GMX_SWITCH = "gmx_switch"
    WEBDE_SWITCH = "webde_switch"
    TONLINE_MAIL_PASSWORD = "tonline_mail_password"  # noqa: S105 - a name
    GOOGLE_APP_PASSWORD = "google_app_password"  # noqa: S105 - a name
    MICROSOFT_OAUTH = "microsoft_oauth"
    ICLOUD_APP_PASSWORD = "icloud_app_password"  # noqa: S105 - a name
    YAHOO_APP_PASSWORD = "yahoo_app_password"  # noqa: S105 - a name
    YANDEX_SWITCH = "yandex_switch"
    ZOHO_SWITCH = "zoho_switch"
    IONOS_RENAMED = "ionos_renamed"


ENGLISH: Final = {
    LoginAdvice.GMX_SWITCH: (
        "GMX lets programs in only when that is switched on: in the GMX webmail under Settings, POP3/IMAP, allow "
        "access. With two-factor login an app-specific password is needed."
    ),
    LoginAdvice.WEBDE_SWITCH: (
        "WEB.DE lets programs in only when that is switched on: in the WEB.DE webmail under Settings, POP3/IMAP, "
        "allow access. With two-factor login an app-specific password is needed; the user name may be the part "
        "before the @."
    ),
    LoginAdvice.TONLINE_MAIL_PASSWORD: (
        "T-Online wants the separate e-mail password, not that of the customer login: it is set in the customer "
        "centre under passwords. After several wrong ones the mailbox is locked for a while."
    ),
    LoginAdvice.GOOGLE_APP_PASSWORD: (
        "Google takes no account password here: create an app password at myaccount.google.com/apppasswords "
        "(two-step verification must be on). In a company the administrator may have to allow IMAP."
    ),
    LoginAdvice.MICROSOFT_OAUTH: (
        "Microsoft 365 and Outlook.com take no password by IMAP any more, app passwords neither: they want a sign-in "
        "by OAuth, which Postwagen cannot do yet."
    ),
    LoginAdvice.ICLOUD_APP_PASSWORD: (
        "iCloud takes app-specific passwords only: create one at account.apple.com under Sign-In and Security. The "
        "user name is the part before the @."
    ),
    LoginAdvice.YAHOO_APP_PASSWORD: (
        "Yahoo and AOL take app passwords only: create one in the account's security settings under “Generate app "
        "password”."
    ),
    LoginAdvice.YANDEX_SWITCH: (
        "Yandex lets programs in only when that is switched on: in its webmail under Settings, Email clients, allow "
        "IMAP with app passwords, and create one."
    ),
    LoginAdvice.ZOHO_SWITCH: (
        "Zoho lets programs in only when that is switched on for this user: in Zoho Mail under Settings, Mail "
        "accounts, IMAP. With two-factor login an app-specific password is needed."
    ),
    LoginAdvice.IONOS_RENAMED: (
        "IONOS wants the whole address and the mailbox's own password. If the domain has left IONOS already, the "
        "user name is name.domain.de@mailboxbackup.info now."
    ),
}
"""One sentence or two each: what is the matter, and where to click."""

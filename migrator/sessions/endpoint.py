"""Endpoints as values and as URLs (design: `imaps://info%40example.org@mail.old.example:993`). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from migrator.errors import UsageError

_SCHEMES = {
    "imaps": ("imap", "tls"),
    "imap": ("imap", "starttls"),
    "pop3s": ("pop3", "tls"),
    "pop3": ("pop3", "starttls"),
}
PORTS = {
    ("imap", "tls"): 993, ("imap", "starttls"): 143, ("imap", "none"): 143,
    ("pop3", "tls"): 995, ("pop3", "starttls"): 110, ("pop3", "none"): 110,
}  # fmt: skip
"""The port of each protocol and security, where nobody says another."""
_QUERY = ("security", "cafile", "fingerprint", "address", "auth", "authzid", "master")
_FINGERPRINT = re.compile(r"(?:sha256:)?([0-9a-f]{64})")

Credential = Callable[[], str]
"""Gives the password at the moment of logging in; a supplier, because a token may be refreshed in mid-run."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to log in. The credential is a supplier and never shown."""

    protocol: str
    host: str
    port: int
    security: str
    """`tls`, `starttls` (required) or `none` (clear text, only by this word)."""
    user: str
    credential: Credential = field(repr=False, compare=False, default=lambda: "")
    auth: str = ""
    """`login`, `plain`, POP3's `apop`, or empty: plain where offered, else login."""
    authzid: str = ""
    address: str | None = None
    """Connect to this address; the host stays for TLS."""
    ca_pem: str | None = field(default=None, repr=False)
    path: str = ""
    """For `archive`: the file. `user` is then the account that lies in it, and the credential its key in base64."""
    is_filled: bool = False
    """For `archive`: a pass was completed, so that a file that is not there is lost, not new."""
    latest: int = 0
    """For `archive`: the latest complete pass that we know of; a file without it is an older copy. 0: nobody knows."""
    fingerprint: str | None = None
    """SHA-256 of the one certificate that is accepted, 64 hexadecimal digits."""

    @property
    def identity(self) -> str:
        """The account, without how it is reached: what a ledger is bound to.

        An archive as a source stands for the account that lies in it, so that a play-in knows what a copy has carried.
        """
        if self.protocol == "archive":
            return self.user or f"archive:{self.path}"
        return (
            f"{self.protocol}://{self.user}{f'+{self.authzid}' if self.authzid else ''}@{self.host.lower()}:{self.port}"
        )


def fingerprint_digits(text: str) -> str:
    """`sha256:AB:CD…` or bare digits as 64 lower-case digits. Raises UsageError."""
    found = _FINGERPRINT.fullmatch(text.strip().lower().replace(":", "").replace("sha256", "sha256:", 1))
    if not found:
        raise UsageError(
            "The fingerprint must be sha256: and 64 hexadecimal digits.",
            hint="openssl x509 -noout -fingerprint -sha256 prints it.",
        )
    return found.group(1)


def archive_end(
    path: Path, credential: Credential, account: str = "", *, is_filled: bool = False, latest: int = 0
) -> Endpoint:
    """One mailbox's archive as an end; `account`: whose mail lies in it, where that is known."""
    where = str(path.absolute())
    return Endpoint("archive", "", 0, "none", account, credential, path=where, is_filled=is_filled, latest=latest)


def parse_url(url: str, credential: Credential) -> Endpoint:
    """An endpoint URL as a value. Raises UsageError, each with what to type instead."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in _SCHEMES
    except ValueError:  # half an IPv6 address
        known = False
    if not known:
        raise UsageError(
            f"{_shown(url)} is no endpoint.",
            hint="Write it like imaps://user%40example.org@mail.example.org or imap://user@host (STARTTLS).",
        )
    protocol, security = _SCHEMES[parts.scheme]
    default_port = PORTS[protocol, security]
    if parts.password is not None:
        raise UsageError(
            "A password must not stand in a URL, where process lists and logs would show it.",
            hint="Put it into POSTWAGEN_SOURCE_PASSWORD / POSTWAGEN_TARGET_PASSWORD or a file "
            "(--source-password-file, --target-password-file); otherwise you are asked for it.",
        )
    user = unquote(parts.username or "")
    if not parts.hostname or not user:
        raise UsageError(
            f"{_shown(url)} lacks {'the user' if parts.hostname else 'the host'}.",
            hint="Write user@host; an @ inside the user name is %40.",
        )
    if parts.path not in ("", "/") or parts.fragment:
        raise UsageError("An endpoint names an account, not a folder.", hint="Use --include to choose folders.")
    options = _options(parts.query)
    security = options.get("security", security)
    if security not in ("tls", "starttls", "none"):
        raise UsageError(f"security={security} is unknown.", hint="It is tls, starttls or none (clear text).")
    return Endpoint(
        protocol=protocol,
        host=parts.hostname,
        port=_port(url, default_port),
        security=security,
        user=user,
        credential=credential,
        auth=_auth(options.get("auth", ""), protocol),
        authzid=options.get("authzid", options.get("master", "")),
        address=_address(options.get("address")),
        ca_pem=_ca(options.get("cafile")),
        fingerprint=fingerprint_digits(options["fingerprint"]) if "fingerprint" in options else None,
    )


def _shown(url: str) -> str:
    """The URL for an error text, without what may be a password: all between the first colon and the last @."""
    scheme = re.match(r"(?:[A-Za-z0-9+]+://)?", url)
    start = scheme.end() if scheme else 0
    before, at, host = url[start:].rpartition("@")
    return url[:start] + before.partition(":")[0] + (":…" if ":" in before else "") + at + host


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in _QUERY:
            raise UsageError(f"{name}= is unknown in an endpoint.", hint=f"Known are: {', '.join(_QUERY)}.")
    return options


def _port(url: str, default: int) -> int:
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0
    if port == 0:
        raise UsageError("The port must be a number from 1 to 65535.")
    return port or default


MECHANISMS = {"imap": ("login", "plain"), "pop3": ("login", "plain", "apop", "xoauth2")}
"""What `auth` may be; `login` is POP3's USER and PASS."""


def _auth(name: str, protocol: str) -> str:
    if name and name.lower() not in MECHANISMS[protocol]:
        known = " or ".join(MECHANISMS[protocol])
        raise UsageError(f"auth={name} is not supported.", hint=f"It is {known}; without it we choose.")
    return name.lower()


def _address(text: str | None) -> str | None:
    try:
        return str(ip_address(text)) if text else None
    except ValueError:
        raise UsageError(f"address={text} is no IP address.") from None


def _ca(path: str | None) -> str | None:
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"The file of cafile= cannot be read: {error}.") from None

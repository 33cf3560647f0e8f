"""Who may see what, and the headers of every answer.

Nothing is open unless it stands in `OPEN`: a new page needs a login without anybody thinking of it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, redirect, request, session, url_for
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from migrator.accounts import UserView
from migrator.accounts import queries as accounts
from migrator.settings import Settings
from web.services import services

OPEN: Final = frozenset(
    {"static", "session.login", "session.enter", "session.setup", "session.use_setup", "status.show"}
    | {"status.poll", "status.archive", "health.healthz", "health.readyz", "health.metrics"}
)
"""Endpoints without a staff login."""
API: Final = "/api/"
"""Below this a bearer token is asked for instead (web/api/access.py)."""

SESSION_LASTS: Final = timedelta(hours=12)
HIDDEN: Final = "no-store, max-age=0"
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Nothing inline, nothing from elsewhere."""
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}

csrf = CSRFProtect()


def is_https(settings: Settings) -> bool:
    """Whether people reach us by TLS, which a proxy before us does."""
    return (settings.public_url or "").startswith("https://")


def configure(app: Flask, settings: Settings, key: bytes) -> None:
    """Cookies, CSRF, login and headers."""
    secure = is_https(settings)
    app.config.update(
        SECRET_KEY=key,
        SESSION_COOKIE_NAME="__Host-postwagen" if secure else "postwagen",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=SESSION_LASTS,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form that was open over lunch must still post
        WTF_CSRF_SSL_STRICT=False,  # asks for a Referer, which our pages never send
    )
    csrf.init_app(app)
    app.before_request(_guard)
    app.after_request(_harden)


# ---- login ---------------------------------------------------------------------------------------------------------


def log_in(user: UserView) -> None:
    """Begin a new session for this person; what an earlier one held is gone."""
    session.clear()
    session.permanent = True
    session.update(user=user.id, epoch=user.session_epoch, since=int(datetime.now(UTC).timestamp()))


def log_out() -> None:
    """End this browser's session."""
    session.clear()


def current_user() -> UserView | None:
    """Who is logged in, asked from the database once per request."""
    if "user" not in g:
        g.user = _user_of_session()
    found: UserView | None = g.user
    return found


def _user_of_session() -> UserView | None:
    number, since = session.get("user"), session.get("since", 0)
    if not number or datetime.now(UTC).timestamp() - since > SESSION_LASTS.total_seconds():
        return None
    user = accounts.user_by_id(services().db, number)
    return user if user and user.active and user.session_epoch == session.get("epoch") else None


def _guard() -> AnyResponse | None:
    """Send everybody without a login to the login page, and back afterwards."""
    if request.endpoint in OPEN or request.path.startswith(API) or current_user():
        return None
    wanted = request.full_path.rstrip("?") if request.method == "GET" and not is_fragment() else ""
    login = url_for("session.login", next=wanted if wanted not in ("", "/") else None)
    if is_fragment():
        return Response(status=401, headers={"HX-Redirect": login})
    return redirect(login, 303)


def is_fragment() -> bool:
    """Whether htmx asks, which replaces a part of the page."""
    return request.headers.get("HX-Request") == "true"


def safe_path(target: str | None) -> str:
    """A path of ours to go to; whatever could lead elsewhere becomes the first page."""
    text = target or ""
    if any(ord(sign) < 33 or sign == "\\" for sign in text) or not text.startswith("/") or text.startswith("//"):
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


def readable_path() -> str:
    """This request's path where it can be read as well as posted to, otherwise the first page."""
    readable = current_app.url_map.bind("").test(request.path, "GET")
    return safe_path(request.path) if readable else "/"


# ---- where a request comes from ------------------------------------------------------------------------------------


def client_address() -> str:
    """The client's address, for limits.

    A proxy that stands before us (it has a private address, and people reach us by TLS, which we do not speak) says
    at the end of X-Forwarded-For whom it saw; what stands before that was sent by the client and proves nothing.
    """
    peer = request.remote_addr or "127.0.0.1"
    last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if last and is_https(services().settings) and _is_private(peer):
        try:
            return str(ip_address(last))
        except ValueError:
            return peer
    return peer


def is_local() -> bool:
    """Whether a program on this machine asks, and not a proxy for somebody else."""
    outside = urlsplit(services().settings.public_url or "").hostname or "localhost"
    if not _is_loopback(outside) or not _is_loopback(request.remote_addr or ""):
        return False
    return not any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return False


# ---- links that leave the page -------------------------------------------------------------------------------------


def outside_url(path: str) -> str:
    """The address of a page as people outside type it; never built from a Host header that anybody may send."""
    base = services().settings.public_url
    if base is None:
        host = urlsplit(f"//{request.host}")
        base = f"http://{request.host}" if _is_loopback(host.hostname or "") else ""
    return base + path


# ---- headers -------------------------------------------------------------------------------------------------------


def _harden(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if is_https(services().settings):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint == "static":
        response.headers["Cache-Control"] = static_caching()
    else:
        response.headers.setdefault("Cache-Control", HIDDEN)
    return response


def static_caching() -> str:
    """Files whose address names their version never change."""
    asked = request.args.get("v")
    known = current_app.extensions["postwagen_versions"].get((request.view_args or {}).get("filename"))
    return "public, max-age=31536000, immutable" if asked and asked == known else "public, max-age=300"

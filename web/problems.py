"""Pages that do not work: what happened, what it means for the mail, where to go on. The API has its own (web/api)."""

from __future__ import annotations

import secrets

import structlog
from flask import Flask, Response, flash, make_response, redirect, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from migrator.errors import DatabaseUnavailable, UsageError
from web.api import problems as api
from web.babel import gettext as _
from web.security import is_fragment, readable_path, safe_path

log = structlog.get_logger(__name__)


def configure(app: Flask) -> None:
    """Every error has its page."""
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(UsageError, _not_usable)
    app.register_error_handler(DatabaseUnavailable, _no_database)
    app.register_error_handler(Exception, _defect)


def _refused(error: HTTPException) -> AnyResponse:
    if error.response is not None:  # made by a handler that knew better what to say
        assert isinstance(error.response, AnyResponse)
        return error.response
    if api.is_asked():
        return api.of_http(error)
    code = error.code or 500
    title, body, symbol = _texts(code)
    answer = _page(code, title=title, body=body, symbol=symbol)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
    return answer


def _texts(code: int) -> tuple[str, str, str]:
    known = {
        404: (
            _("This page does not exist"),
            _("The address may contain a typing error, or what it led to is gone."),
            "search",
        ),
        405: (_("That is not possible here"), _("This address only answers to a form."), "search"),
        413: (_("That was too much at once"), _("The form is larger than we accept."), "failed"),
        429: (
            _("Too many attempts"),
            _("We pause for a while, so that nobody can guess. Try again in some minutes."),
            "pause",
        ),
    }
    return known.get(code, (_("That did not work"), _("The request could not be understood."), "failed"))


def _stale_form(error: CSRFError) -> AnyResponse:
    """The form belongs to a session that has ended: begin anew, and say so."""
    if api.is_asked():
        return api.of_http(error)
    if is_fragment():
        return Response(status=400, headers={"HX-Refresh": "true"})
    title = _("This form is too old")
    body = _(
        "Your session has ended meanwhile, or cookies are blocked. Load the page again and send the form once more."
    )
    return _page(400, title=title, body=body, symbol="refresh", reload=readable_path())


def _not_usable(error: UsageError) -> AnyResponse:
    """An address that somebody changed by hand, or an old one."""
    if api.is_asked():
        return api.of_usage(error)
    if error.instance_code == "cursor_invalid":
        return redirect(request.path, 303)
    flash(error.message, "failed")
    return redirect("/", 303)


def _no_database(error: DatabaseUnavailable) -> AnyResponse:
    incident = _incident()
    log.error("database_trouble", error=error.detail, incident=incident)
    if api.is_asked():
        return api.problem(503, "unavailable", "The database cannot be reached at the moment.", incident=incident)
    body = _("The database does not answer at the moment. Jobs wait and continue by themselves afterwards.")
    return _page(503, title=_("Just a moment"), body=body, symbol="failed", incident=incident, reload=_again())


def _defect(error: Exception) -> AnyResponse:
    incident = _incident()
    log.error("defect", incident=incident, path=request.path, exc_info=error)
    if api.is_asked():
        return api.problem(500, "defect", "This is a fault on our side.", incident=incident)
    body = _("The page could not be loaded. The jobs continue regardless.")
    return _page(
        500, title=_("This is a fault on our side"), body=body, symbol="failed", incident=incident, reload=_again()
    )


def _again() -> str:
    return safe_path(request.full_path.rstrip("?")) if request.method == "GET" else "/"


def _incident() -> str:
    """A number by which a person finds the line in the log."""
    digits = secrets.token_hex(3).upper()
    return f"{digits[:3]}-{digits[3:]}"


def _page(code: int, *, title: str, body: str, symbol: str, incident: str = "", reload: str = "") -> Response:
    html = render_template(
        "problem.html",
        title=title,
        body=body,
        symbol=symbol,
        incident=incident,
        reload=reload,
        meaning="failed" if symbol == "failed" else "idle",
        customer=request.path.startswith("/status/"),
    )
    return make_response(html, code)

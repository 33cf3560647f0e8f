"""Logging in and out, and the one-time links by which passwords are set."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from migrator.accounts import LinkView, UserView, operations, queries
from web.babel import gettext as _
from web.limits import GUESSES_PER_ADDRESS, LOGINS_PER_ACCOUNT, LOGINS_PER_ADDRESS, account, failed, limiter
from web.security import current_user, log_in, log_out, safe_path
from web.services import services
from web.texts.forms import problem_text
from web.typed import one_line

bp = Blueprint("session", __name__)

_FIELDS = {"email": "email", "password": "password", "passwords": "repeated"}


@bp.get("/login")
def login() -> AnyResponse:
    """The form; whoever is logged in goes on."""
    if current_user():
        return redirect(safe_path(request.args.get("next")), 303)
    return make_response(_form(request.args.get("next", "")))


@bp.post("/login")
@limiter.limit(LOGINS_PER_ADDRESS, deduct_when=failed)
@limiter.limit(LOGINS_PER_ACCOUNT, key_func=account, deduct_when=failed)
def enter() -> AnyResponse:
    """Log in. Unknown accounts and wrong passwords get the same answer, after the same time."""
    email, wanted = one_line(request.form.get("email", "")), request.form.get("next", "")
    user = operations.check_password(services().db, email, request.form.get("password", ""))
    if user is None:
        return make_response(_form(wanted, email=email, refused=True), 401)
    log_in(user)
    return redirect(safe_path(wanted), 303)


@bp.post("/logout")
def logout() -> AnyResponse:
    """End this session."""
    log_out()
    flash(_("You are logged out."), "done")
    return redirect(url_for("session.login"), 303)


@bp.get("/setup/<token>")
@limiter.limit(GUESSES_PER_ADDRESS, deduct_when=failed)
def setup(token: str) -> str:
    """The form behind a one-time link."""
    return render_template("session/setup.html", link=_link(token), form={}, problems={})


@bp.post("/setup/<token>")
@limiter.limit(GUESSES_PER_ADDRESS, deduct_when=failed)
def use_setup(token: str) -> AnyResponse:
    """Set the password, or make the first account, and log in with it."""
    link, form = _link(token), request.form
    problems = (
        {} if form.get("password") == form.get("repeated") else {"repeated": problem_text("", "passwords_differ", "")}
    )
    if not problems:
        try:
            log_in(_use(token, link))
            return redirect(url_for("jobs.index"), 303)
        except operations.AccountError as error:
            problems = _problems(error)
    return make_response(render_template("session/setup.html", link=link, form=form, problems=problems), 422)


# ---- inside --------------------------------------------------------------------------------------------------------


def _form(wanted: str, *, email: str = "", refused: bool = False) -> str:
    first = not queries.has_users(services().db)
    return render_template("session/login.html", next=wanted, email=email, refused=refused, first=first)


def _link(token: str) -> LinkView:
    """What the link is for, or 404: unknown, used and expired ones look the same."""
    link = queries.link_by_token(services().db, token)
    if link is None:
        abort(Response(render_template("session/link-gone.html"), 404))
    return link


def _use(token: str, link: LinkView) -> UserView:
    form = request.form
    email, name = (None, None) if link.user else (one_line(form.get("email", "")), one_line(form.get("name", "")))
    return operations.use_link(services().db, token, email=email, name=name, password=form.get("password", ""))


def _problems(error: operations.AccountError) -> dict[str, str]:
    field = _FIELDS.get(error.instance_code.partition("_")[0], "password")
    return {field: problem_text("", error.instance_code, error.message)}

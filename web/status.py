"""The customer's page: where the move stands, what happens next. No login, no server, no folder, no failure text."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, Response, abort, make_response, render_template, url_for

from migrator.jobs import queries
from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import StatusView
from web import formats, live
from web.babel import gettext as _
from web.babel import ngettext
from web.limits import GUESSES_PER_ADDRESS, failed, limiter
from web.live import Piece, piece
from web.services import services

bp = Blueprint("status", __name__)

S = JobState
SECONDS: Final = 10
_LIVE: Final = frozenset({S.QUEUED, S.RUNNING, S.PAUSED, S.BLOCKED, S.FAILED})
_MEANINGS: Final = {S.RUNNING: "working", S.SUCCEEDED: "done", S.INCOMPLETE: "needs"}


@bp.get("/status/<token>")
@limiter.limit(GUESSES_PER_ADDRESS, deduct_when=failed)
def show(token: str) -> str:
    """The whole page."""
    view = _wanted(token)
    title, polls = _title(view), SECONDS if view.state in _LIVE else 0
    return render_template("status/show.html", piece=_piece(view, token), title=title, seconds=polls)


@bp.get("/status/<token>/live")
@limiter.limit(GUESSES_PER_ADDRESS, deduct_when=failed)
def poll(token: str) -> Response:
    """What has changed, with the percentage in the title."""
    view = _wanted(token)
    return live.answer([_piece(view, token)], title=_title(view))


def _wanted(token: str) -> StatusView:
    """The job of this link; unknown, revoked and expired links look the same."""
    view = queries.status_by_token(services().db, token, formats.now())
    if view is None:
        abort(make_response(render_template("status/gone.html"), 404))
    return view


def _title(view: StatusView) -> str:
    begin = f"{formats.whole(view.percent)} % · " if view.state is S.RUNNING else ""
    return f"{begin}{headline(view)} · {services().settings.hoster_name}"


def _piece(view: StatusView, token: str) -> Piece:
    now = formats.now()
    return piece(
        "status/piece.html",
        "status",
        view=view,
        meaning=_MEANINGS.get(view.state, "idle"),
        domain=view.address.rpartition("@")[2],
        headline=headline(view),
        lead=lead(view),
        soon=soon(view),
        amount=amount(view),
        until=formats.clock(now + timedelta(seconds=view.eta_seconds)) if view.eta_seconds is not None else "",
        at=now,
        ask=view.error_code in ("login_refused", "credentials_wiped") and view.needs_person,
        checking=view.kind is JobKind.VERIFY,
        address=url_for("status.poll", token=token),
        seconds=SECONDS if view.state in _LIVE else 0,
    )


# ---- sentences -----------------------------------------------------------------------------------------------------


def headline(view: StatusView) -> str:
    """Where they stand, in one sentence."""
    if view.kind is JobKind.VERIFY:
        return _compared(view)
    return {
        S.QUEUED: _("Your mailbox moves in a moment")
        if view.started_at is None
        else _("Your mailbox continues to move soon"),
        S.RUNNING: _("Your mailbox is moving now"),
        S.PAUSED: _("The move is paused"),
        S.SUCCEEDED: _("Your mailbox has moved"),
        S.INCOMPLETE: _("Your mailbox has moved, except for a few messages"),
        S.CANCELLED: _("The move was ended"),
    }.get(view.state, _("We are looking after your mailbox"))


def _compared(view: StatusView) -> str:
    """The headline of a comparison."""
    return {
        S.QUEUED: _("Your mailbox will be compared in a moment"),
        S.RUNNING: _("Your mailbox is being compared"),
        S.PAUSED: _("The comparison is paused"),
        S.SUCCEEDED: _("Your mailbox is complete"),
        S.INCOMPLETE: _("Your mailbox is complete except for a few messages"),
        S.CANCELLED: _("The comparison was ended"),
    }.get(view.state, _("We are looking after your mailbox"))


def lead(view: StatusView) -> str:
    """What that means, and what happens next."""
    goes_on = _("You can close this page and work as usual. It continues by itself.")
    if view.state is S.SUCCEEDED:
        return _all_there(view)
    if view.state is S.INCOMPLETE:
        return _some_missing(view)
    if view.state is S.CANCELLED and view.kind is JobKind.VERIFY:
        return _("Messages were only read. Nothing was changed, neither at your old provider nor on the new server.")
    return {
        S.QUEUED: goes_on,
        S.RUNNING: goes_on,
        S.PAUSED: _("We have paused it and will resume it. You need not do anything."),
        S.CANCELLED: _(
            "What has been carried so far stays on the new server. At your old provider nothing was changed."
        ),
    }.get(view.state, _("It does not continue by itself at the moment. We are looking into it; your mail is safe."))


def _all_there(view: StatusView) -> str:
    count = view.counts.copied + view.counts.already_there
    shown = formats.number(count)
    if view.kind is JobKind.VERIFY:
        return ngettext(
            "We have compared your old provider with the new server: the %(count)s message is there.",
            "We have compared your old provider with the new server: all %(count)s messages are there.",
            count,
            count=shown,
        )
    return ngettext(
        "%(count)s message is on the new server now.", "%(count)s messages are on the new server now.", count,
        count=shown,
    )  # fmt: skip


def _some_missing(view: StatusView) -> str:
    count, shown = view.counts.failed, formats.number(view.counts.failed)
    if view.kind is JobKind.VERIFY:
        return ngettext(
            "%(count)s message is missing on the new server or differs. It lies unchanged at your old provider, and we "
            "look after it.",
            "%(count)s messages are missing on the new server or differ. They lie unchanged at your old provider, and "
            "we look after them.",
            count,
            count=shown,
        )
    return ngettext(
        "We could not carry %(count)s message yet. It lies unchanged at your old provider, and we look after it.",
        "We could not carry %(count)s messages yet. They lie unchanged at your old provider, and we look after them.",
        count,
        count=shown,
    )


def soon(view: StatusView) -> str:
    """How long it takes, as far as that is known."""
    if view.state is S.RUNNING:
        if view.eta_seconds is not None:
            return _("%(about)s left", about=formats.about(view.eta_seconds))
        return _("We are working on it") if view.counts.found else _("Your messages are being counted")
    if view.waiting_until:
        return _("continues at %(time)s", time=formats.clock(view.waiting_until))
    return {
        S.QUEUED: _("begins in a moment") if view.started_at is None else _("continues in a moment"),
        S.PAUSED: _("paused"),
        S.SUCCEEDED: _("All done"),
        S.INCOMPLETE: _("Almost all done"),
        S.CANCELLED: _("ended"),
    }.get(view.state, _("waits for us"))


def amount(view: StatusView) -> str:
    """7.360 von 11.482 Nachrichten, 4,0 von 6,3 GB"""
    done, found = formats.number(view.counts.done), formats.number(view.counts.found)
    messages = ngettext(
        "%(done)s of %(found)s message", "%(done)s of %(found)s messages", view.counts.found, done=done, found=found
    )
    if view.octets_found <= view.octets or view.kind is JobKind.VERIFY:
        return messages
    sizes: dict[str, Any] = {"octets": formats.size(view.octets), "of": formats.size(view.octets_found)}
    return _("%(messages)s, %(octets)s of %(of)s", messages=messages, **sizes)

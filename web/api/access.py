"""Who may use the API: whoever shows a token that somebody made with `postwagen token create`."""

from __future__ import annotations

import hashlib

from flask import Response, g, request

from migrator.accounts import TokenView, operations, queries
from web.api import bp, problems
from web.limits import CALLS_PER_BEARER, GUESSES_PER_ADDRESS, limiter
from web.services import services

PUBLIC = frozenset({"api.description"})


def _refused(response: Response) -> bool:
    return response.status_code == 401


def _token_key() -> str:
    shown = request.headers.get("Authorization", "")
    return "token:" + hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()


limiter.limit(GUESSES_PER_ADDRESS, deduct_when=_refused)(bp)
limiter.limit(CALLS_PER_BEARER, key_func=_token_key)(bp)


@bp.before_request
def authenticate() -> Response | None:
    """Let in who has a token; keep when it was last used."""
    if request.endpoint in PUBLIC:
        return None
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    token = queries.token_owner(services().db, shown.strip()) if scheme.lower() == "bearer" and shown else None
    if token is None:
        answer = problems.problem(401, "unauthorized", "A bearer token is needed: Authorization: Bearer …")
        answer.headers["WWW-Authenticate"] = 'Bearer realm="postwagen"'
        return answer
    operations.token_used(services().db, token)
    g.token = token
    return None


def actor() -> str:
    """Who asked, for the history."""
    token = g.token
    assert isinstance(token, TokenView)
    return f"api:{token.name}"

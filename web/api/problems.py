"""Errors of the API as `application/problem+json` (RFC 9457): `code` is stable, `detail` is one English sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from flask import Response, request
from werkzeug.exceptions import HTTPException

from migrator.errors import UsageError

_CODES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("malformed", "The body is no JSON."),
    401: ("unauthorized", "A bearer token is needed: Authorization: Bearer …"),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know this method."),
    406: ("not_acceptable", "There is nothing at this address in a form that was asked for."),
    413: ("too_large", "The body is larger than we accept."),
    415: ("unsupported_media_type", "The body must be application/json."),
    429: ("too_many_requests", "Too many requests; wait as long as Retry-After says."),
}
_PASSED_ON: Final = ("Allow", "Retry-After", "WWW-Authenticate")


def is_asked() -> bool:
    """Whether this request is one for the API."""
    return request.path.startswith("/api/")


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    """One problem. `more` are members of its own: errors, state, incident."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    return Response(json.dumps({**body, **more}), status, mimetype="application/problem+json")


def invalid(errors: Sequence[Mapping[str, str]], detail: str = "Some fields do not fit.") -> Response:
    """422 with every field that is wrong: `pointer` (RFC 6901) into the body, or the query's `parameter`."""
    return problem(422, "invalid", detail, errors=list(errors))


def field_error(path: str, code: str, detail: str) -> dict[str, str]:
    """`source.host` as a pointer into the body."""
    return {
        "pointer": "/" + path.replace("~", "~0").replace("/", "~1").replace(".", "/"),
        "code": code,
        "detail": detail,
    }


def of_http(error: HTTPException) -> Response:
    """Whatever Flask, the limiter or a handler refused."""
    status = error.code or 500
    code, detail = _CODES.get(status, ("refused", error.description or "The request was refused."))
    answer = problem(status, code, detail)
    for name, value in error.get_headers():
        if name in _PASSED_ON:
            answer.headers[name] = value
    return answer


def of_usage(error: UsageError) -> Response:
    """A wrong use that no field stands for, like a cursor that is none of ours."""
    if error.instance_code == "cursor_invalid":
        wrong = {"parameter": "cursor", "code": "invalid", "detail": error.message}
        return invalid([wrong], error.message)
    return problem(422, error.instance_code, error.message)

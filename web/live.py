"""Pages stay fresh without reloading: a page is made of pieces, and a poll brings those that have changed.

Every piece carries a hidden field with its name and the hash of what it shows. The poll sends all of these fields
back; the answer holds the pieces whose hash is another now (htmx puts each into its place by id), or is 204 No Content.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, make_response, render_template, request
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

_VERSION: Final = secrets.token_hex(8)
_TOKEN: Final = secrets.token_hex(8)
"""Placeholders: what they stand for is no part of what is compared."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A rendered part of a page, and which version of it this is. Templates print it as it is."""

    html: str
    version: str
    is_row: bool = False

    def __html__(self) -> str:
        return self.html


def piece(template: str, name: str, *, is_row: bool = False, **context: Any) -> Piece:
    """Render one piece. Its template shows `version` in a field of class `v`, and `csrf` in its forms."""
    html = render_template(template, version=_VERSION, csrf=_TOKEN, piece=name, **context)
    version = f"{name}.{hashlib.blake2b(html.encode(), digest_size=5).hexdigest()}"
    html = html.replace(_VERSION, version)
    return Piece(html.replace(_TOKEN, generate_csrf()) if _TOKEN in html else html, version, is_row)


def answer(pieces: Iterable[Piece], *, title: str = "") -> Response:
    """The pieces that the page does not show yet. Only a template may hold a bare table row."""
    seen = frozenset(request.args.getlist("v"))
    changed = [one for one in pieces if one.version not in seen]
    if not changed:
        return Response(status=204)
    head = [str(Markup("<title>{}</title>").format(title))] if title else []
    return make_response(
        "\n".join([*head, *(f"<template>{one.html}</template>" if one.is_row else one.html for one in changed)])
    )

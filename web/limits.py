"""How often somebody may try: logins by address and by account, links and tokens that are wrong by address."""

from __future__ import annotations

from flask import Flask, Response, request
from flask_limiter import Limiter

from migrator.accounts import same_email
from migrator.settings import Settings
from web.security import client_address

LOGINS_PER_ADDRESS = "10 per minute; 60 per hour"
LOGINS_PER_ACCOUNT = "6 per minute; 20 per hour"
GUESSES_PER_ADDRESS = "30 per minute"
CHECKS_PER_ADDRESS = "30 per minute"
FETCHES_PER_ADDRESS = "10 per minute"
CALLS_PER_BEARER = "1200 per minute"

limiter = Limiter(key_func=client_address, headers_enabled=True, in_memory_fallback_enabled=True)


def configure(app: Flask, settings: Settings) -> None:
    """Count in the production broker where there is one, so that several web processes count together."""
    app.config.update(RATELIMIT_STORAGE_URI=settings.broker_url or "memory://", RATELIMIT_KEY_PREFIX="postwagen-limits")
    limiter.init_app(app)


def account() -> str:
    """The account that a login names, known or not."""
    return "account:" + same_email(request.form.get("email", ""))[:320]


def failed(response: Response) -> bool:
    """Only what failed counts: nobody is locked out by working."""
    return response.status_code >= 400

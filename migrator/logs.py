"""Logs: one event name plus fields, on standard error, for people (console) or machines (JSON).

Never a password, never a subject: fields with telling names are blanked, and tracebacks never show local variables.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor

from migrator.settings import Settings

_SECRET_NAMES: Final = ("password", "passwd", "secret", "credential", "token", "authorization", "cookie")
_BLANK: Final = "[hidden]"
_TALKATIVE: Final = (
    "celery",
    "kombu",
    "amqp",
    "redis",
    "fakeredis",
    "sqlalchemy",
    "alembic",
    "gunicorn.access",
    "urllib3",
)
"""Libraries that are heard from a warning on only, unless everything is asked for."""


def configure(settings: Settings, *, part: str = "") -> None:
    """Send our logs and those of libraries through one formatter. `part` names the process in JSON logs."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        blank_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(settings.log_format, part))
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(level if settings.log_level == "debug" else max(level, logging.WARNING))
    logging.captureWarnings(True)


def blank_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The second lock: no field that is called like a secret shows its value."""
    for name in event:
        if any(word in name.lower() for word in _SECRET_NAMES):
            event[name] = _BLANK
    return event


def _rendering(log_format: str, part: str) -> list[Processor]:
    bare = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if log_format == "json":

        def name_part(_logger: Any, _method: str, event: EventDict) -> EventDict:
            return {"part": part, **event} if part else event

        return [bare, name_part, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        bare,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the richer one prints local variables
        ),
    ]

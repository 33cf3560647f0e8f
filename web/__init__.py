"""The web front end: pages for staff and customers, and the API. Thin: queries read, operations write."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

from flask import Flask, url_for
from markupsafe import Markup, escape

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs.advising import advise as real_advise
from migrator.jobs.probe import probe as real_probe
from migrator.settings import Settings
from web import api, archives, formats, health, jobs, language, limits, problems, security, session, status
from web.services import Advise, Probe, Services, default_enqueue, services

LARGEST_REQUEST = 2_000_000


def create_app(
    settings: Settings,
    *,
    db: Database | None = None,
    vault: Vault | None = None,
    enqueue: Callable[[int], None] | None = None,
    probe: Probe | None = None,
    advise: Advise | None = None,
) -> Flask:
    """The application. What is not given is opened as the settings say; a test gives fakes."""
    app = Flask("web")
    vault = vault or Vault.open(settings.secret_key_file)
    db = db or Database(settings.database_url)
    app.config.update(MAX_CONTENT_LENGTH=LARGEST_REQUEST, MAX_FORM_MEMORY_SIZE=LARGEST_REQUEST)
    app.extensions["postwagen"] = Services(
        settings=settings,
        db=db,
        vault=vault,
        enqueue=enqueue or functools.partial(default_enqueue, db),
        probe=probe or real_probe,
        advise=advise or real_advise,
    )
    app.extensions["postwagen_versions"] = _versions(Path(app.static_folder or ""))
    limits.configure(app, settings)
    language.configure(app, settings)
    security.configure(app, settings, vault.key_for("flask session"))
    formats.configure(app)
    problems.configure(app)
    _templates(app)
    for blueprint in (session.bp, jobs.load(), archives.load(), status.bp, health.bp, api.load()):
        app.register_blueprint(blueprint)
    for without_form in (api.bp, health.bp):
        security.csrf.exempt(without_form)
    return app


def _templates(app: Flask) -> None:
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    versions: dict[str, str] = app.extensions["postwagen_versions"]

    def asset(name: str) -> str:
        """A file of ours under an address that changes with it."""
        return url_for("static", filename=name, v=versions[name])

    app.add_template_global(asset)
    app.add_template_global(services)
    app.add_template_global(security.current_user, "current_user")
    app.add_template_filter(contact)


def contact(text: str) -> Markup:
    """How the hoster is reached: an e-mail address, web address or telephone number becomes a link."""
    word = text.strip()
    if "@" in word and " " not in word:
        return Markup('<a href="mailto:{0}">{0}</a>').format(word)
    if word.startswith(("https://", "http://")) and " " not in word:
        return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(word)
    digits = "".join(sign for sign in word if sign.isdigit() or sign == "+")
    if digits and all(sign.isdigit() or sign in "+-/() " for sign in word):
        return Markup('<a class="nowrap" href="tel:{}">{}</a>').format(digits, word)
    return escape(word)


def _versions(folder: Path) -> dict[str, str]:
    """The beginning of every file's hash, so that browsers may keep it for ever."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:10] for path in files}

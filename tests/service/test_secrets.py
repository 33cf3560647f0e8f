"""Passwords and tokens with marks go through the whole product, and are nowhere that anybody else could look."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from migrator.db.models import Endpoint
from migrator.db.store import Database
from tests.servers.command import url
from tests.servers.fixtures import Account, DovecotPair
from tests.servers.mailboxes import fill_all, until
from tests.servers.proxy import FaultProxy
from tests.service.callers import Script, Staff, endpoint
from tests.service.conftest import Install
from tests.service.mail import fill, giant, unequal
from tests.service.marks import Secret, Watch, forms, secret
from tests.service.parrot import MANNERS, Parrot
from tests.service.product import SHORT, Product
from tests.service.sampler import Sampler

pytestmark = [pytest.mark.servers, pytest.mark.slow]

EMAIL = "jana.petersen@hoster.example"


@dataclasses.dataclass(frozen=True, slots=True)
class Secrets:
    """Everything that nobody may find."""

    source: Secret = dataclasses.field(default_factory=lambda: secret("source"))
    target: Secret = dataclasses.field(default_factory=lambda: secret("target"))
    wrong: Secret = dataclasses.field(default_factory=lambda: secret("wrong"))
    quoted: Secret = dataclasses.field(default_factory=lambda: secret("quoted", ('a"&+ ', ' %<\\"')))
    staff: Secret = dataclasses.field(default_factory=lambda: secret("staff"))
    typo: Secret = dataclasses.field(default_factory=lambda: secret("typo"))
    bearer: Secret = dataclasses.field(default_factory=lambda: secret("bearer", ("", "")))

    def marks(self) -> dict[str, str]:
        return {name: getattr(self, name).mark for name in self.__dataclass_fields__}


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """The product with everybody who talks to it."""

    product: Product
    pair: DovecotPair
    secrets: Secrets
    watch: Watch
    sampler: Sampler
    staff: Staff
    script: Script

    def with_password(self, end: str, word: Secret) -> DovecotPair:
        """The same mailboxes with another password at one end."""
        name = "old_account" if end == "source" else "new_account"
        account = Account(getattr(self.pair, name).user, word.text)
        return dataclasses.replace(self.pair, **{name: account})


@pytest.fixture
def scene(
    install: Install, dovecot_pair: DovecotPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """`serve` that logs everything, an account, a token, and a mailbox with a spooled message."""
    words, control = Secrets(), secret("control", ("", ""))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    product = install(LOG_LEVEL="debug", SWEEP_SECONDS="1", QUIET_SECONDS="1")
    watch = Watch(words.marks(), {"control": control.mark})
    user = f"{control.mark}@old.example"
    pair = dataclasses.replace(
        dovecot_pair, old_account=Account(user, words.source.text), new_account=Account(user, words.target.text)
    )
    pair.old.add_user(user, words.source.text)
    pair.new.add_user(user, words.target.text)
    fill(pair.old, pair.old_account, 20)
    fill_all(pair.old.imap_port, pair.old_account, {"INBOX": [giant(8)]})
    with Sampler(watch, product.directory, temporary, spools=temporary) as sampler:
        product.made("user", "create", EMAIL, "--password-file", "-", stdin=f"{words.staff.text}\n")
        product.serve()
        token = product.made("token", "create", "ordering-system")["token"]
        watch.add("token", max(re.findall(r"[A-Za-z0-9]+", token), key=len))
        yield Scene(
            product,
            pair,
            words,
            watch,
            sampler,
            Staff(product.url, EMAIL, words.staff.text),
            Script(product.url, token),
        )


def test_marked_secrets_are_nowhere(scene: Scene) -> None:
    _everything_that_refuses(scene)
    with FaultProxy("127.0.0.1", scene.pair.new.imap_port) as proxy:
        number, sealed = _a_job_with_a_wrong_password_that_is_put_right(scene, proxy)
    _one_shot_commands(scene)
    status = _the_customers_page(scene, number)
    assert scene.product.processes[0].stop() == 0
    scene.sampler.files()
    kept = b"".join(path.read_bytes() for path in scene.product.data.iterdir() if path.is_file())
    assert [number for number, octets in enumerate(sealed) if octets in kept] == [], "wiped means gone from the disk"
    for caller, place in ((scene.staff, "pages"), (scene.script, "API")):
        for text in caller.heard:
            scene.watch.look(place, text, shown=["status"] if status in text else [])
    assert sorted(scene.watch.findings) == []
    _everything_was_really_looked_at(scene)


# ---- the product is used -------------------------------------------------------------------------------------------


def _everything_that_refuses(scene: Scene) -> None:
    """Wrong logins, orders that do not fit, and servers that repeat what they are told."""
    words, staff, script = scene.secrets, scene.staff, scene.script
    assert staff.log_in(words.typo.text) == 401
    assert staff.log_in() == 200
    assert Script(scene.product.url, words.bearer.text).ask("/api/v1/jobs")[0] == 401
    good = endpoint(scene.pair.old, scene.pair.old_account)
    for end in (
        {**good, "password": 12345}, {**good, "pasword": words.source.text}, {**good, "port": words.source.text},
        {**good, "password": f"{words.source.text}\n"}, {**good, "password": words.source.text * 400},
        {**good, "host": "10.1.2.3"},
    ):  # fmt: skip
        body = {"kind": "copy", "source": end, "target": end}
        status, text = script.ask("/api/v1/jobs", json.dumps(body).encode())
        assert status == 422, text
        scene.watch.look("API", text)
    assert script.ask("/api/v1/jobs", b'{"source": "' + words.source.text.encode())[0] == 400
    fields = _typed(scene, "source", scene.pair.old.imap_port, words.wrong)
    assert staff.post("/jobs/new", {**fields, "target.host": "-"}, form="/jobs/new")[0] == 422
    assert "Logged in" not in _checked(scene, "source", scene.pair.old.imap_port, words.wrong)
    assert "Logged in" in _checked(scene, "source", scene.pair.old.imap_port, words.source)
    for manner in MANNERS:
        for word in (words.wrong, words.quoted):
            with Parrot(manner) as parrot:
                text = _checked(scene, "target", parrot.port, word)
                scene.watch.look(f"check of a parrot that says {manner}", text)
                assert word.text.encode() in parrot.heard or manner != "no" or word is words.quoted


def _typed(scene: Scene, end: str, port: int, word: Secret) -> dict[str, str]:
    values = {"host": "127.0.0.1", "port": str(port), "security": "none", "user": scene.pair.old_account.user}
    return {f"{end}.{name}": value for name, value in {**values, "password": word.text}.items()}


def _checked(scene: Scene, end: str, port: int, word: Secret) -> str:
    """What the page says to "test the connection"."""
    status, text = scene.staff.post(f"/jobs/new/check/{end}", _typed(scene, end, port, word), form="/jobs/new")
    assert status == 200, text
    return text


def _a_job_with_a_wrong_password_that_is_put_right(scene: Scene, proxy: FaultProxy) -> tuple[int, list[bytes]]:
    """The job's number, and its passwords as they were sealed in the database while it was not over."""
    staff, script = scene.staff, scene.script
    pair = scene.with_password("target", scene.secrets.wrong)
    number = script.order(endpoint(pair.old, pair.old_account), endpoint(proxy, pair.new_account))
    script.wait(number, "blocked")
    proxy.rate(1_500_000, ahead=100_000)
    staff.post(f"/jobs/{number}/password", {"target": scene.secrets.target.text}, form=f"/jobs/{number}")
    until(lambda: scene.sampler.spooled > 0)
    script.tell(number, "pause")
    script.wait(number, "paused")
    sealed = _sealed(scene)
    assert len(sealed) == 2
    scene.sampler.files()  # with the sealed passwords in it
    proxy.rate(None)
    script.tell(number, "resume")
    script.finish(number)
    assert unequal(scene.pair) == []
    assert _sealed(scene) == []
    for page in ("/", f"/jobs/{number}", "/jobs/new", f"/jobs/new?like={number}"):
        staff.page(page)
    for path in ("/metrics", "/readyz", "/api/v1/openapi.json"):
        script.ask(path)
    return number, sealed


def _sealed(scene: Scene) -> list[bytes]:
    db = Database(f"sqlite:///{scene.product.database}")
    with db.reading() as session:
        kept = [end.credential for end in session.query(Endpoint) if end.credential is not None]
    db.dispose()
    return kept


def _one_shot_commands(scene: Scene) -> None:
    words, pair = scene.secrets, scene.pair
    source, target = url(pair.old, pair.old_account), url(pair.new, pair.new_account)
    right = {"SOURCE_PASSWORD": words.source.text, "TARGET_PASSWORD": words.target.text}
    for command, settings, code in (
        (("copy", source, target, "--json"), right, 0),
        (("verify", source, target, "--level", "counts"), right, 0),
        (("check", source, target), {**right, "TARGET_PASSWORD": words.wrong.text}, 4),
    ):
        ran = scene.product.run(*command, **settings)
        assert ran.returncode == code, ran.stderr
        scene.watch.look("one-shot commands", ran.stdout + ran.stderr)


def _the_customers_page(scene: Scene, number: int) -> str:
    """The link's token, which stands where it is shown once and on the page that it leads to."""
    status, text = scene.staff.post(f"/jobs/{number}/link", {}, form=f"/jobs/{number}")
    found = re.search(r"/status/([\w-]{20,})", text)
    assert found, (status, text)
    token = found[1]
    longest = max(re.findall(r"[A-Za-z0-9]+", token), key=len)
    scene.watch.add("status", longest)
    scene.staff.page(f"/status/{token}")
    scene.staff.page(f"/jobs/{number}")
    assert scene.staff.ask(f"/status/{token}x")[0] == 404
    return token


def _everything_was_really_looked_at(scene: Scene) -> None:
    """The user name has a mark too, and is found where it may stand; and every process was seen."""
    found = {place for place, _ in scene.watch.controls}
    assert {"pages", "API", "argument lists", "files: postwagen.sqlite3", "files: postwagen.sqlite3-wal"} <= found
    assert {"environments", "broker", "spool files", "one-shot commands"} <= scene.watch.places
    assert {"serve", "worker", "beat", "broker", "web.main", "copy", "verify", "check"} <= scene.sampler.seen
    assert any(place.endswith(".log") for place in scene.watch.places)


# ---- and the search itself can fail --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", range(8))
def test_a_planted_secret_is_found_in_every_form(form: int) -> None:
    word = secret("planted")
    watch = Watch({"planted": word.mark}, {})
    watch.look("here", b"x" * 100 + forms(word.mark)[form] + b"y" * 100)
    assert watch.findings == {("here", "planted")}


def test_secrets_planted_in_a_command_in_a_file_and_in_the_broker_are_found(install: Install, tmp_path: Path) -> None:
    words = {name: secret(name) for name in ("argument", "environment", "file", "broker")}
    watch = Watch({name: word.mark for name, word in words.items()}, {})
    product = install(HOSTER_NAME=words["environment"].text, **SHORT)
    with Sampler(watch, product.directory, spools=tmp_path) as sampler:
        product.serve()
        (product.data / "planted").write_text(words["file"].text)
        port = next(iter(re.findall(r"--port\D+(\d+)", _words_of(product, "broker"))))
        with redis.Redis(port=int(port)) as client:
            client.set("planted", words["broker"].text)
        product.run("copy", words["argument"].text, "nowhere")
        until(lambda: len({name for _, name in watch.findings}) == 4)
    assert sampler.watch is watch


def _words_of(product: Product, part: str) -> str:
    return Path(f"/proc/{product.processes[0].child(part)}/cmdline").read_text()

"""Who talks to the product over HTTP: a script with a bearer token, and a member of staff with a browser."""

from __future__ import annotations

import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from migrator.demo.servers import LocalServer
from tests.servers.fixtures import Account
from tests.servers.proxy import FaultProxy
from tests.service.product import Product

JobJson = dict[str, Any]
AT_REST = ("paused", "blocked", "succeeded", "incomplete", "failed", "cancelled")


def endpoint(where: LocalServer | FaultProxy | int, account: Account, **changes: Any) -> dict[str, Any]:
    """As the API wants it: TLS to a server that has it, clear text to a proxy or a bare port."""
    login = {"protocol": "imap", "user": account.user, "password": account.password}
    if isinstance(where, LocalServer) and where.cafile is not None:
        door: dict[str, Any] = {"host": "localhost", "port": where.imaps_port, "security": "tls"}
        return {**login, **door, "ca_pem": where.cafile.read_text(), "address": "127.0.0.1", **changes}
    port = where if isinstance(where, int) else where.port if isinstance(where, FaultProxy) else where.imap_port
    return {**login, "host": "127.0.0.1", "port": port, "security": "none", **changes}


class Caller:
    """Asks, and keeps every body that came back."""

    def __init__(self, base: str, headers: Mapping[str, str]) -> None:
        self.base = base
        self.headers = dict(headers)
        self.heard: list[str] = []
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)

    def ask(self, path: str, body: bytes | None = None, *, method: str | None = None, **more: str) -> tuple[int, str]:
        """Status and body, whatever the status is."""
        request = urllib.request.Request(
            self.base + path, body, {**self.headers, **more}, method=method or ("GET" if body is None else "POST")
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        self.heard.append(text)
        return status, text


class Script(Caller):
    """A program that orders jobs with a bearer token."""

    def __init__(self, base: str, token: str) -> None:
        super().__init__(base, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})

    def order(self, source: Mapping[str, Any], target: Mapping[str, Any], **options: Any) -> int:
        """A new copy's number."""
        return self.begin("copy", source=source, target=target, options=options)

    def begin(self, kind: str, **wish: Any) -> int:
        """A new job's number."""
        status, text = self.ask("/api/v1/jobs", json.dumps({"kind": kind, **wish}).encode())
        assert status == 201, text
        return int(json.loads(text)["id"])

    def archive(self, number: int) -> JobJson:
        """An archive as the API shows it now."""
        status, text = self.ask(f"/api/v1/archives/{number}")
        assert status == 200, text
        shown = json.loads(text)
        assert isinstance(shown, dict)
        return shown

    def octets(self, path: str) -> bytes:
        """What is downloaded there."""
        request = urllib.request.Request(self.base + path, None, self.headers)
        with self._opener.open(request, timeout=120) as answer:
            found: bytes = answer.read()
        return found

    def job(self, number: int) -> JobJson:
        """As the API shows it now."""
        status, text = self.ask(f"/api/v1/jobs/{number}")
        assert status == 200, text
        shown = json.loads(text)
        assert isinstance(shown, dict)
        return shown

    def tell(self, number: int, wish: str, *, expect: int = 200) -> JobJson:
        """pause, resume, cancel or retry; the job, or the problem."""
        status, text = self.ask(f"/api/v1/jobs/{number}/{wish}", b"")
        assert status == expect, (wish, status, text)
        shown = json.loads(text)
        assert isinstance(shown, dict)
        return shown

    def running(self) -> list[int]:
        """The numbers of the jobs that are being worked on."""
        status, text = self.ask("/api/v1/jobs?state=running&limit=100")
        assert status == 200, text
        return [job["id"] for job in json.loads(text)["jobs"]]

    def wait(self, number: int, *states: str, within: float = 60.0) -> JobJson:
        """The job, as soon as it is in one of these states; another state of rest ends the wait at once."""
        deadline = time.monotonic() + within
        while (job := self.job(number))["state"] not in states:
            assert job["state"] not in AT_REST, job
            assert time.monotonic() < deadline, job
            time.sleep(0.1)
        return job

    def finish(self, number: int, within: float = 60.0) -> JobJson:
        """The job, which must succeed."""
        return self.wait(number, "succeeded", within=within)


def script(product: Product) -> Script:
    """A program with a token of its own, made as the papers say."""
    return Script(product.url, product.made("token", "create", "ordering-system")["token"])


class Staff(Caller):
    """A person at a browser, who reads pages before posting."""

    def __init__(self, base: str, email: str, password: str) -> None:
        super().__init__(base, {"Accept-Language": "en"})
        self.email, self.password = email, password

    def log_in(self, password: str | None = None) -> int:
        """The status of the answer."""
        status, _ = self.post("/login", {"email": self.email, "password": password or self.password}, form="/login")
        return status

    def page(self, path: str) -> str:
        """A page that must be there."""
        status, text = self.ask(path)
        assert status == 200, (path, status, text[:500])
        return text

    def post(self, path: str, fields: Mapping[str, str], *, form: str) -> tuple[int, str]:
        """Send a form that stands on the page `form`."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page(form))
        assert found, form
        data = urllib.parse.urlencode({"csrf_token": found[1], **fields}).encode()
        return self.ask(path, data)

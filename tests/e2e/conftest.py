"""A browser that forgives nothing: an error on the console or a request to another host fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.web.templates import compiled_once

SWITCHES = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
)
OpenContext = Callable[..., BrowserContext]

expect.set_options(timeout=30_000)


@pytest.fixture(scope="session", autouse=True)
def templates() -> Iterator[None]:
    """Compiled once, not for every test's app anew."""
    with compiled_once():
        yield


@pytest.fixture(scope="session")
def chromium(chromium_path: str) -> Iterator[Browser]:
    """One Chromium for all tests; contexts share nothing."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(SWITCHES))
        yield browser
        browser.close()


class Complaints:
    """What a browser found fault with."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.home = ""

    def listen(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.heard.append(f"{page.url}: {error}"))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not self._was_meant(message):
            self.heard.append(f"{message.location.get('url')}: {message.text}")

    def _was_meant(self, message: ConsoleMessage) -> bool:
        """A page that says "not found" answers 404, and browsers write that down."""
        return message.text.startswith("Failed to load resource") and "(NOT FOUND)" in message.text

    def _request(self, address: str) -> None:
        if not address.startswith(("data:", "blob:")) and urlsplit(address).netloc != self.home:
            self.heard.append(f"asked another host: {address}")


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """All complaints of a test; there must be none at its end."""
    found = Complaints()
    yield found
    assert found.heard == []


@pytest.fixture
def open_context(chromium: Browser, complaints: Complaints) -> Iterator[OpenContext]:
    """Opens browsers that know nothing of each other, at one address."""
    opened: list[BrowserContext] = []

    def made(base_url: str, **options: Any) -> BrowserContext:
        complaints.home = urlsplit(base_url).netloc
        context = chromium.new_context(base_url=base_url, **options)
        context.on("page", complaints.listen)
        opened.append(context)
        return context

    yield made
    for context in opened:
        context.close()

"""A real browser for the page tests: the system's Chromium, driven by playwright; skipped without one."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "web"))  # web_sites: projects and servers for the pages

FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run"
).split()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One headless Chromium for the whole session."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip(
            "no Chromium on this computer; install one to run the page tests (apt-get install chromium)"
        )
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@dataclass
class Tab:
    """A browser tab with everything that went wrong in it."""

    page: Any
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def goto(self, address: str) -> None:
        """Open an address and wait until the page has drawn its first state."""
        self.page.goto(address, wait_until="load")
        # Not wait_for_function: the pages' content security policy forbids the eval that it needs.
        self.wait("#link:not(:text-is('connecting')):not(:empty)")
        self.wait("h1:not(:text-is('Connecting'))")

    def wait(self, selector: str) -> None:
        """Wait until an element is there, visible or not."""
        self.page.locator(selector).first.wait_for(state="attached")

    def text(self, selector: str) -> str:
        """Return the visible text of an element."""
        return str(self.page.locator(selector).inner_text())

    def check(self, origin: str) -> None:
        """Fail when the console complained or anything outside the server was asked for."""
        assert self.problems == []
        assert [url for url in self.requests if not url.startswith((origin, "blob:", "data:"))] == []


@pytest.fixture
def open_tab(browser: Any) -> Iterator[Callable[..., Tab]]:
    """Make tabs of a size and theme; they are closed at the end."""
    contexts = []

    def make(theme: str = "dark", width: int = 1280, height: int = 800, **options: Any) -> Tab:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, **options
        )
        contexts.append(context)
        tab = Tab(context.new_page())
        tab.page.set_default_timeout(15_000)
        tab.page.on("console", lambda message: _note(tab, message))
        tab.page.on("pageerror", lambda error: tab.problems.append(f"{error.message}\n{error.stack}"))
        tab.page.on("request", lambda request: tab.requests.append(request.url))
        return tab

    yield make
    for context in contexts:
        context.close()


def _note(tab: Tab, message: Any) -> None:
    if message.type in ("error", "warning"):
        tab.problems.append(message.text)

"""A browser that has no network, and pages opened in it from disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, sync_playwright

from suite.records.run import Run
from suite.report.page.page import render

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A page, and what it did that it should not have done."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Open = Callable[..., Opened]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium: playwright's own would have to be downloaded."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("these tests need Chromium; install it with: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def opened(opened_file: Open, tmp_path: Path) -> Open:
    """``opened(run, width=, scheme=)`` writes the run's page, or one that is rendered already, and
    opens it from disk.
    """

    def open_page(run: Run | str, width: int = 1400, scheme: str = "light") -> Opened:
        file = tmp_path / "page.html"
        file.write_text(run if isinstance(run, str) else render(run), "utf-8")
        return opened_file(file.as_uri(), width=width, scheme=scheme)

    return open_page


@pytest.fixture
def opened_file(browser: Browser) -> Iterator[Open]:
    """``opened_file(address, width=, scheme=)`` opens a page that lies on the disk."""
    contexts: list[BrowserContext] = []

    def open_page(address: str, width: int = 1400, scheme: str = "light") -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            offline=True,
        )
        contexts.append(context)
        found = Opened(page=context.new_page())

        def only_files(route: Route, request: Request) -> None:
            found.requests.append(request.url)
            if request.url.startswith("file:"):
                route.continue_()
            else:
                route.abort()

        context.route("**/*", only_files)
        found.page.on(
            "console",
            lambda message: (
                found.complaints.append(message.text)
                if message.type in ("error", "warning")
                else None
            ),
        )
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.goto(address)
        return found

    yield open_page
    for context in contexts:
        context.close()

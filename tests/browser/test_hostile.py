"""Pages of hostile result folders: the command line makes them, a browser opens them from disk."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from suite.commands import compare, report
from tests.fixtures.hostile_folder import hostile_folders


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every kind of page of every hostile run."""
    top = tmp_path_factory.mktemp("hostile")
    runs = list(hostile_folders(top / "runs"))
    report.command(runs, top / "site")
    for number, run in enumerate(runs):
        report.command([run])
        with pytest.raises(Exception, match="0"):  # typer's Exit, with its code
            compare.command(run, runs[number - 1], page=top / f"{number}.html")
    found = [*(top / "site").rglob("*.html"), *top.glob("*.html"), *top.glob("runs/*/page.html")]
    assert len(found) > 3 * len(runs)
    return found


def test_nothing_executes_and_nothing_is_asked_for(browser: Browser, pages) -> None:
    context = browser.new_context(offline=True)
    faults: list[str] = []
    for file in pages:
        page = context.new_page()
        _watched(page, file.as_uri(), faults)
        for holder in page.locator(".plot").all()[:10]:
            if holder.is_visible():
                holder.scroll_into_view_if_needed()
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.wait_for_timeout(50)
        if page.evaluate("window.hacked") is not None:
            faults.append(f"{file} ran what it holds")
        if page.locator("img[src='x'], svg[onload], a[href^='javascript']").count():
            faults.append(f"{file} holds what it should show")
        page.close()
    context.close()
    assert faults == []


def _watched(page: Page, address: str, faults: list[str]) -> None:
    def complain(what: str) -> None:
        faults.append(f"{address}: {what}"[:400])

    page.on("dialog", lambda dialog: (complain("a dialog"), dialog.dismiss()))
    page.on("pageerror", lambda error: complain(str(error)))
    page.on("console", lambda said: complain(said.text) if said.type == "error" else None)
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith(("file:", "data:", "blob:")) else complain(asked.url)
        ),
    )
    page.goto(address)

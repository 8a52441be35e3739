"""The page that a real command line wrote, and the site of several runs."""

from __future__ import annotations

from pathlib import Path

from suite.report.site.build import build_site
from suite.run.session import read
from tests.browser.conftest import Open
from tests.browser.test_page import scrolled_through
from tests.conftest import Tribench
from tests.fixtures.sample_run import hostile_run, sample_run

LABEL = "<img src=x onerror='window.hacked = 1'><script>window.hacked = 1</script>"


def test_it_opens_from_disk_and_shows_what_was_typed(
    opened: Open, tribench: Tribench, tmp_path: Path
) -> None:
    done = tribench(
        *("run", "--backend", "scripted,rival", "--task", "rnn-tiny", "--launches", "1"),
        *("--label", LABEL, "--output", "runs"),
        script={},
        plugins=("scripted",),
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    for width in (1400, 390):
        found = opened(read(run), width=width)
        scrolled_through(found.page)
        assert found.page.locator("h1").inner_text() == LABEL
        assert found.page.evaluate("window.hacked") is None
        assert found.page.evaluate("document.documentElement.scrollWidth") == width
        assert found.complaints == []
        assert found.requests == [url for url in found.requests if url.startswith("file:")]


def test_the_sites_index_leads_to_every_run(browser, tmp_path: Path) -> None:
    runs = {Path("a"): sample_run(tmp_path / "a", id="a"), Path("b"): hostile_run(tmp_path / "b")}
    index = build_site(list(runs), tmp_path / "site", runs.__getitem__)
    page = browser.new_context(offline=True).new_page()
    page.goto(index.as_uri())
    links = page.locator("#rows tbody a")
    assert links.count() == 2
    assert page.evaluate("window.hacked") is None
    for number in range(2):
        links.nth(number).click()
        page.locator("h1").wait_for()
        page.get_by_role("tab", name="Figures").click()
        page.locator("#metric svg.main-svg").first.wait_for()  # with the script that pages share
        page.goto(index.as_uri())

"""300 runs of 100 cells: the site is made within half a minute and a gigabyte."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.fixtures.large_run import large_run

RUNS, CELLS = 300, 100
SECONDS, BYTES = 30, 2**30
PAGE_BYTES = 7_000_000


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "runs"
    for number in range(RUNS):
        large_run(
            folder,
            id=f"run-{number:04}",
            created=f"2026-{1 + number // 28:02}-{1 + number % 28:02}T10:00:00+00:00",
            cells=CELLS,
            blocks=10,
            seed=number,
            machine=number % 7 == 3,
        )
    return folder


def built(runs: Path, site: Path) -> tuple[float, int]:
    """Seconds, and the most bytes that its processes had in memory together."""
    command = [sys.executable, "-m", "suite", "report", *map(str, sorted(runs.iterdir()))]
    begun, most = time.monotonic(), 0
    root = Path(__file__).parents[2]
    process = subprocess.Popen([*command, "--site", str(site)], cwd=root, env=dict(os.environ))
    while process.poll() is None:
        most = max(most, _resident(process.pid))
        time.sleep(0.1)
    assert process.returncode == 0
    return time.monotonic() - begun, most


def _resident(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        return sum(each.memory_info().rss for each in (parent, *parent.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def test_many_runs_take_little_and_no_page_grows(runs, tmp_path):
    site = tmp_path / "site"
    seconds, most = built(runs, site)
    print(f"{seconds:.1f} s, {most / 2**20:.0f} MiB")
    assert seconds < SECONDS
    assert most < BYTES
    sizes = {page: page.stat().st_size for page in site.rglob("*") if page.is_file()}
    assert max(size for page, size in sizes.items() if page.suffix == ".html") < PAGE_BYTES
    again, _ = built(runs, site)
    print(f"again {again:.1f} s")
    assert again < seconds / 2

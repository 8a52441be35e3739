"""A published file: in the folder that the user names, or else from its public address, kept in the
user's cache folder.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

VARIABLE = "TRIBENCH_DATA"  # names a folder that is read, and nothing is downloaded
RETRIES = 2  # after 1 and 2 seconds
CHUNK = 1 << 16  # bytes; of one that breaks off nothing is kept
SILENT_SECONDS = 30.0  # after which a server that sends nothing is given up
TOLD_SECONDS = 10.0  # how often a terminal is told how far a download is
PARTIAL, UNSATISFIABLE = 206, 416  # answers to who asks for the rest of a file


def found(url: str, checksum: str, error: type[ValueError]) -> Path:
    """The whole file of this address. ``checksum`` begins with its algorithm, ``md5:`` or
    ``sha256:``. Raises ``error``, whose message tells what to do.
    """
    name, local = url.rpartition("/")[2], os.environ.get(VARIABLE)
    if not local:
        return download(url, checksum, name, error)
    path = Path(os.path.expanduser(local), name)
    check(path, checksum, error, missing=f"put it there, or unset {VARIABLE} to download {url}")
    return path


def check(
    path: Path, checksum: str, error: type[ValueError], missing: str = "", other: str = ""
) -> None:
    """Raise ``error`` unless it is the file that is meant: with what to do where it is ``missing``,
    and what else there is to do than to get it again.
    """
    import pooch

    algorithm, _, wanted = checksum.partition(":")
    try:
        made = pooch.file_hash(str(path), alg=algorithm)
    except OSError as caught:
        what = f"{path} cannot be read: {caught.strerror}"
        raise error("; ".join(filter(None, (what, missing)))) from caught
    if made != wanted:
        what = f"{path} is damaged or another file: its {algorithm} is {made}, not {wanted}"
        raise error(f"{what}; {', '.join(filter(None, ('get it again', other)))}")


def download(url: str, checksum: str, wanted: str, error: type[ValueError]) -> Path:
    """The file at this address in the cache folder, fetched if it is not there or damaged; one that
    was broken off goes on where it stopped. Raises ``error``, whose message tells to put what is
    ``wanted`` in a folder.
    """
    import pooch

    # Whoever waits is told what for; in a log, an error stays one line.
    pooch.get_logger().setLevel("INFO" if sys.stderr.isatty() else "WARNING")
    remedy = f"put {wanted} in a folder and name that in {VARIABLE}"
    try:
        cache = pooch.os_cache("tribench")
    except RuntimeError:  # of platformdirs
        what = f"{url} cannot be downloaded: there is no home folder; set XDG_CACHE_HOME"
        raise error(f"{what}, or {remedy}") from None
    name = url.rpartition("/")[2]
    store = pooch.create(
        path=cache,
        base_url="",
        registry={name: checksum},
        urls={name: url},
        retry_if_failed=RETRIES,
    )
    try:
        return Path(store.fetch(name, downloader=_resumed))
    except (OSError, ValueError) as caught:  # those of requests are OSErrors
        why = str(caught).partition(". ")[0]
        what = f"{url} cannot be downloaded to {store.abspath}: {why}"
        raise error(f"{what}; try again, or {remedy}") from caught


def _resumed(url: str, output: str, store: Any) -> None:
    """A downloader as pooch takes it. What a download that broke off has left is beside the file,
    and only the rest is asked for; what is whole and wrong is not kept.
    """
    import requests

    part = Path(store.path, f"{url.rpartition('/')[2]}.part")
    have = part.stat().st_size if part.exists() else 0
    rest = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=rest, stream=True, timeout=SILENT_SECONDS) as answer:
        if answer.status_code == UNSATISFIABLE:  # there is no more of it: it is whole
            shutil.move(part, output)
            return
        answer.raise_for_status()
        more = answer.status_code == PARTIAL
        _keep(answer, part, have if more else 0)
    shutil.move(part, output)


def _keep(answer: Any, part: Path, have: int) -> None:
    """Write what comes behind the ``have`` bytes; a terminal is told how far it is."""
    size = have + int(answer.headers.get("Content-Length", 0))
    told = time.monotonic()
    with part.open("ab" if have else "wb") as file:
        for chunk in answer.iter_content(CHUNK):
            have += file.write(chunk)
            if sys.stderr.isatty() and time.monotonic() - told > TOLD_SECONDS:
                told = time.monotonic()
                of = f" of {size / 1e6:,.0f}" if size >= have else ""
                print(f"{part.stem}: {have / 1e6:,.0f}{of} MB", file=sys.stderr)

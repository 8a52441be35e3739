"""A file from its public address, kept in the user's cache folder."""

from __future__ import annotations

import sys
from pathlib import Path

VARIABLE = "TRIBENCH_DATA"  # names a folder that is read, and nothing is downloaded
RETRIES = 2  # after 1 and 2 seconds


def download(url: str, checksum: str, wanted: str, error: type[ValueError]) -> Path:
    """The file at this address in the cache folder, fetched if it is not there or damaged.
    ``checksum`` begins with its algorithm, ``md5:`` or ``sha256:``. Raises ``error``, whose message
    tells to put what is ``wanted`` in a folder.
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
        return Path(store.fetch(name))
    except (OSError, ValueError) as caught:  # those of requests are OSErrors
        why = str(caught).partition(". ")[0]
        what = f"{url} cannot be downloaded to {store.abspath}: {why}"
        raise error(f"{what}; try again, or {remedy}") from caught

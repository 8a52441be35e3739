"""The clocks that a worker times with. They are taken before an adapter is imported, which may put
others in the place of the time module's.
"""

from __future__ import annotations

from time import perf_counter as seconds
from time import time as wall_seconds

__all__ = ["seconds", "wall_seconds"]

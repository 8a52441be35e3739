"""Does a backend's ``wait`` wait? Steps are started and waited for, and then their results are read
in another way. Where reading takes much longer than reading takes, work went on after ``wait``, and
a clock that stops there stops too early. Where what was read changes later, it was not there yet.

The worker looks (``suite.worker.timed.waits``) until the looks have ``decided``; ``fault``
judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

LEAST_SECONDS = 0.06  # that the steps of a look take together, if MOST_STEPS can take as long
# JAX on the CPU has 32 steps under way at most: to start more of them waits for the first.
LEAST_STEPS, MOST_STEPS = 3, 24
# More than this, and more than reading takes, is left to do after the wait of a fault. A share,
# since other work on the machine makes steps and reading longer alike. On two busy cores real
# adapters left up to 0.04 of the time, and JAX 0.84 or more where it was not waited for.
HIDDEN = 0.2
HIDDEN_SECONDS = 1e-3
# Looks that decide. With ten processes on two cores 2 of 74 looks at waits that wait seemed early;
# where nothing was waited for, all of 36 did.
CLEAN, EARLY = 2, 5


class Look(NamedTuple):
    """What was seen of some steps: how many, the seconds until ``wait`` returned, the seconds until
    their results had been read then, the seconds that reading as much takes where it is there, and
    whether what was read was another later.
    """

    steps: int
    waited_seconds: float
    left_seconds: float
    reading_seconds: float
    changed: bool

    @property
    def hidden_seconds(self) -> float:
        """How long work went on after the wait."""
        return max(0.0, self.left_seconds - self.reading_seconds)

    @property
    def early(self) -> bool:
        """Did the wait return before the work was done?"""
        whole = self.waited_seconds + self.hidden_seconds
        allowed = max(HIDDEN_SECONDS, HIDDEN * whole, self.reading_seconds)
        return self.hidden_seconds > allowed


def decided(looks: Sequence[Look]) -> bool:
    """Are these looks enough? A changed result is, and so are CLEAN good ones or EARLY bad ones."""
    early = sum(look.early for look in looks)
    changed = any(look.changed for look in looks)
    return changed or early >= EARLY or len(looks) - early >= CLEAN


def fault(looks: Sequence[Look]) -> str | None:
    """What is wrong with the wait, in a sentence; None if nothing is."""
    if any(look.changed for look in looks):
        return (
            "what was there when wait() returned was another later; wait() must return when "
            "everything started is finished"
        )
    early = [look for look in looks if look.early]
    if len(early) < EARLY:
        return None
    least = min(early, key=lambda look: look.hidden_seconds)
    return (
        f"wait() returned {1000 * least.waited_seconds:.3g} ms after the first of {least.steps} "
        f"steps was started, and work went on for {1000 * least.hidden_seconds:.3g} ms; it must "
        "return when everything started is finished"
    )


def check(look: Callable[[], Sequence[Look]]) -> str | None:
    """What is wrong with the wait of the batch that will be timed, if ``look`` sees it twice."""
    why = None
    for _ in range(2):
        why = fault(look())
        if why is None:
            break
    return why

"""Does a training do in a block what it does when it is looked at?"""

from __future__ import annotations

from collections.abc import Callable

from suite.worker.answers import InARow

# Of the way that the parameters went; one step that is left out of twenty is more. After 60 steps
# of the tiny tasks on the CPU, in float32 and bfloat16, real adapters were 0 apart, but for
# PyTorch's compiled transformer-tiny, whose steps do not repeat themselves: up to 0.013.
APART = {"float32": 0.02, "tf32": 0.05, "bfloat16": 0.1}
BEYOND = 4  # times what the same steps are apart when they are made again
STANDING = 0.02  # of the steps, and more than one of them
TRIES = 5  # all must say so: what has any order may be far off by chance


def fault(ask: Callable[[], InARow], precision: str) -> str | None:
    """What is wrong, in a sentence, if every answer says so; None if one does not."""
    why = None
    for _ in range(TRIES):
        why = doubt(ask(), precision)
        if why is None:
            break
    return why


def doubt(found: InARow, precision: str) -> str | None:
    """What an answer says to be wrong; None if nothing is."""
    if found.apart > max(APART[precision], BEYOND * found.again):
        return (
            f"{found.steps} steps in a row without a wait end elsewhere than with a wait after "
            f"each: off by {found.apart:.2g} of their way, where {APART[precision]:g} is allowed"
        )
    if found.standing > max(1, STANDING * found.steps):
        return (
            f"{found.standing} of {found.steps} steps over one batch left parameters where they "
            "were that the others move"
        )
    return None

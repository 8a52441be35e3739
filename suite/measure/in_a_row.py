"""Does a training do in a block what it does when it is looked at?"""

from __future__ import annotations

from suite.worker.answers import InARow

# Of the way that the parameters went. One step that is left out of twenty is more.
APART = {"float32": 0.02, "tf32": 0.05, "bfloat16": 0.1}
# Beyond what the same steps make when they are made again: sums of a GPU may have any order, and
# hundreds of steps make much of it.
BEYOND = 4
STANDING = 0.02  # of the steps, and more than one of them


def fault(found: InARow, precision: str) -> str | None:
    """What is wrong, in a sentence; None if nothing is."""
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

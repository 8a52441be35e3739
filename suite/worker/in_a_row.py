"""Does a program train the same when nobody waits for its steps as when each is waited for and its
loss is read? A block does not wait, and every other look at a program does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Arrays, Program, State
from suite.worker import fresh, stopwatch
from suite.worker.answers import InARow

LOOK_SECONDS = 1.0  # at the parameters after each step, which for large models takes long


def compare(program: Program, batch: Any, state: State, steps: int) -> InARow:
    """``steps`` steps over the batch from this state, without a wait between them and then with a
    look after each, for the parameters until that has taken LOOK_SECONDS. The program is left at
    another state.
    """
    program.load_state(state)
    for _ in range(steps):
        program.train_step(batch)
    program.wait()
    found = program.state().parameters
    wanted, moved = _waited_for(program, batch, state, steps)
    standing = [each for each in moved if each != set().union(*moved)]
    apart = _apart(found, wanted, state)
    again = _apart(_waited_for(program, batch, state, steps)[0], wanted, state) if apart else 0.0
    return InARow(steps, apart, len(standing), again)


def _waited_for(
    program: Program, batch: Any, state: State, steps: int
) -> tuple[Arrays, list[set[str]]]:
    """The parameters at the end, and those that each step that was looked at has moved."""
    program.load_state(state)
    looked, now, moved = 0.0, state.parameters, list[set[str]]()
    for _ in range(steps):
        program.numpy(program.train_step(batch))
        program.wait()
        if looked < LOOK_SECONDS:
            began, before, now = stopwatch.seconds(), now, program.state().parameters
            moved.append({path for path in now if not np.array_equal(now[path], before[path])})
            looked += stopwatch.seconds() - began
    return program.state().parameters, moved


def _apart(found: Arrays, wanted: Arrays, start: State) -> float:
    """How far one end is from the other, in units of the way to it."""
    return fresh.told(fresh.relative(_way(found, start), _way(wanted, start)))


def _way(end: Arrays, start: State) -> NDArray[Any]:
    """From the start to this end, of all parameters as one vector."""
    return np.concatenate([(end[path] - was).ravel() for path, was in start.parameters.items()])

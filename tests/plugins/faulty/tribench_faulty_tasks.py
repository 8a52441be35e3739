"""A third-party task."""

from dataclasses import replace

from tasks.rnn import tiny


def tasks():
    """The tiny RNN for two epochs."""
    task = tiny()
    return [replace(task, name="odd-tiny", model=replace(task.model, name="odd-tiny"), epochs=2)]

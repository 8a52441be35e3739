"""How a virtual machine's idle cores wait: given back to the host at once, or kept for a moment.

A core that was given back has to be got back before a thread can go on, which takes the longer the
more the host has to do. Measured on a shared 2-core machine whose cores were given back at once,
JAX, TensorFlow and PyTorch's eager execution in turns in transformer-tiny's prediction: ratios
between the three scattered by 5 to 8 % from one five seconds to the next, PyTorch's to the others'
as the host's share did (correlation 0.8; over twenty seconds 0.9); with the kernel's own default by
3 to 4 %, no more than so many rounds do by themselves. The two that XLA compiles were 9 % faster
with it, PyTorch 3 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.machine.kernel import number

SETTING = Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")
DEFAULT = 200_000  # nanoseconds; the kernel's (Linux Documentation/virt/guest-halt-polling.rst)


def told() -> int | None:
    """For how many nanoseconds an idle core looks for work before it is given back; None where the
    system has no such setting.
    """
    return number(SETTING)


def disclosed() -> dict[str, str]:
    """The setting, as it is published with every result."""
    value = told()
    return {} if value is None else {SETTING.name: str(value)}


@contextmanager
def kept_awake() -> Iterator[None]:
    """For as long as this lasts, cores that would be given back at once wait as long as is the
    kernel's default, where that is ours to set. A process that is killed leaves the default behind.
    """
    if told() != 0 or not _set(DEFAULT):
        yield
        return
    try:
        yield
    finally:
        _set(0)


def _set(nanoseconds: int) -> bool:
    try:
        SETTING.write_text(str(nanoseconds))
    except OSError:
        return False
    return True

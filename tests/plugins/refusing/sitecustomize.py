"""Python's own start, in which system calls are refused as sandboxes, containers and network file
systems refuse them: REFUSED names them.

    affinity    of every core
    one core    the last of this process's cores
    locks       flock, as where there is no lock daemon
    name        the user's, as in a container that was given a bare number
"""

import errno
import fcntl
import os
import pwd


def refuse(number):
    """A function that refuses whatever is asked."""

    def refused(*_):
        raise OSError(number, os.strerror(number))

    return refused


def of_last(bind, cores):
    def bound(pid, wanted):
        if set(wanted) == {max(cores)}:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        bind(pid, wanted)

    return bound


def nobody(*_):
    raise KeyError("uid not found")


refused = os.environ.get("REFUSED", "").split(",")
if "affinity" in refused:
    os.sched_setaffinity = refuse(errno.EPERM)
if "one core" in refused:
    os.sched_setaffinity = of_last(os.sched_setaffinity, os.sched_getaffinity(0))
if "locks" in refused:
    fcntl.flock = refuse(errno.ENOLCK)
if "name" in refused:
    pwd.getpwuid = nobody

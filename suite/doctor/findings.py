"""What the machine does to measurements, and how to mend it. Pure: any reading can be judged."""

from __future__ import annotations

from collections.abc import Iterator

from suite.doctor.answer import Answer, judged
from suite.doctor.machine import CORES_SECONDS, Machine
from suite.machine import idle
from suite.machine.cores import SLOW

MOST_BUSY = 0.05  # of all cores
MOST_STEAL = 0.01
MOST_SLOW = 0.05  # of the time: of twenty launches one may fall into it whole
MOST_PRESSURE = 0.05
MOST_LOAD = 0.5  # runnable processes a core
LEAST_AVAILABLE = 4 << 30  # bytes; the largest cell of a standard run takes about 2 GiB
MOST_SWAPPED = 64 << 20
MOST_CLOCK_SECONDS = 1e-6
GOOD_CLOCKS = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "xen")
MOST_CELSIUS = 90.0
UNTOLD = "This system does not tell"
TURBO = {None: f"{UNTOLD} whether it is on.", True: "It is on.", False: "It is off."}
PLACES = {None: "a machine of unknown kind", True: "a virtual machine", False: "real hardware"}


def findings(machine: Machine) -> list[Answer]:
    """An answer for everything that is looked at."""
    return [*_looks(machine)]


def _looks(machine: Machine) -> Iterator[Answer]:
    """A row for each look: its name, whether all is well, what was found, how to mend it, and the
    numbers.
    """
    # A quota below the threads stops all of them again and again in the middle of a block; where it
    # is no whole number, what is left over is of no use to anybody.
    quota, throttled = machine.quota_cores, machine.throttled_seconds or 0.0
    limit = "no limit by its control group" if quota is None else f"a limit of {quota:g}"
    stopped = f"; it was throttled for {throttled:.2f} s just now" if throttled else ""
    yield judged(
        "cores",
        (quota is None or quota >= machine.threads) and not throttled,
        f"{machine.threads} threads on {machine.cores} cores, {limit}{stopped}.",
        f"Raise the container's CPU limit to {machine.threads}, or run under taskset with as many "
        "cores as the limit has.",
        {"cores": machine.cores, "threads": machine.threads, "quota_cores": quota},
    )
    # A governor that waits for load makes the first steps of a block slower.
    governor = machine.governor
    yield judged(
        "frequency governor",
        governor in (None, "performance"),
        f"{UNTOLD} the governor: its host decides." if governor is None else f"It is {governor}.",
        "sudo cpupower frequency-set -g performance",
    )
    # Its frequency depends on heat and on how many cores work.
    yield judged(
        "turbo",
        not machine.turbo,
        TURBO[machine.turbo],
        "It makes steps faster and less even; to switch it off: echo 0 | sudo tee "
        "/sys/devices/system/cpu/cpufreq/boost (Intel: echo 1 to intel_pstate/no_turbo).",
    )
    # What else computes here.
    names = ", ".join(f"{name} {used:.2f}" for name, used in machine.busiest.items())
    most = f"; most cores: {names}" if names else ""
    yield judged(
        "other processes",
        machine.busy <= MOST_BUSY,
        f"They use {100 * machine.busy:.0f} % of all cores{most}.",
        "Stop them, or wait until they have ended.",
        {"busy": machine.busy},
    )
    # The last minute, where the second just seen was quiet by chance.
    if machine.load is None:
        yield judged("load", True, f"{UNTOLD} it.")
    else:
        yield judged(
            "load",
            machine.load / machine.cores <= MOST_LOAD,
            f"In the last minute {machine.load:.1f} processes wanted to run on {machine.cores} "
            "cores.",
            "Find them with top, or wait a minute and ask again.",
            {"load": machine.load},
        )
    # Linux counts the time in which somebody waits for a core.
    waiting = machine.pressure
    yield judged(
        "pressure",
        waiting is None or waiting <= MOST_PRESSURE,
        f"{UNTOLD} it (/proc/pressure/cpu)."
        if waiting is None
        else f"For {100 * waiting:.0f} % of the time some process waited for a core.",
        "Fewer processes, or more cores.",
        {"pressure": waiting},
    )
    # What the host gives to its other guests.
    taken = machine.steal
    yield judged(
        "steal",
        taken is None or taken <= MOST_STEAL,
        f"{UNTOLD} it." if taken is None else f"The host took {100 * taken:.1f} % of the time.",
        "Other guests do that: take a dedicated machine, another hour, or more launches.",
        {"steal": taken},
    )
    # A host may run two cores of a guest as two threads of one; nothing counts as taken away.
    share = machine.slow_cores
    yield judged(
        "slow cores",
        share is None or share <= MOST_SLOW,
        f"{UNTOLD} how fast each is."
        if share is None
        else f"For {100 * share:.0f} % of {CORES_SECONDS:g} seconds the same work on all of them "
        f"took more than {SLOW:g} times as long as usual.",
        "Where nothing else works here, a host has cores of this machine share its own: take a "
        "dedicated machine or another hour; a run waits a little for it to pass and measures "
        "again.",
        {"slow_cores": share},
    )
    # Those that a guest gives back at once it waits for when there is work again.
    waits = machine.halt_poll_nanoseconds
    yield judged(
        "idle cores",
        waits != 0,
        f"{UNTOLD} how they wait."
        if waits is None
        else f"They wait for work for {waits / 1000:g} µs before the host gets them back.",
        f"echo {idle.DEFAULT} | sudo tee {idle.SETTING}; a run does so itself for as long as it "
        "takes, where it may.",
        {"halt_poll_nanoseconds": waits},
    )
    # A machine that swaps measures its disk.
    free, swapped = machine.available_bytes, machine.swapped_bytes
    yield judged(
        "memory",
        free >= LEAST_AVAILABLE and swapped <= MOST_SWAPPED,
        f"{free / 2**30:.1f} of {machine.memory_bytes / 2**30:.1f} GiB are available, "
        f"{swapped / 2**20:.0f} MiB are swapped out.",
        "End what holds memory; sudo swapoff -a && sudo swapon -a brings back what was swapped.",
        {"available": free, "swapped": swapped},
    )
    # Nothing to mend; to know why some of the above is not told.
    inside = ", in a container" if machine.container else ""
    yield judged("place", True, f"This is {PLACES[machine.virtual]}{inside}.")
    # With them fresh memory costs fewer page faults; runs that differ in it are not alike.
    kind = machine.huge_pages
    yield judged(
        "transparent huge pages",
        True,
        f"{UNTOLD}." if kind is None else f"They are set to {kind}: compare with such runs alone.",
    )
    # A slow clock source is read by a call into the kernel.
    source, each = machine.clock, machine.clock_seconds
    yield judged(
        "clock",
        (source is None or source in GOOD_CLOCKS) and each <= MOST_CLOCK_SECONDS,
        f"{source or 'It'} is read in {1e9 * each:.0f} ns.",
        "Boot with clocksource=tsc, if the processor has an invariant one.",
        {"clock_seconds": each},
    )
    # A processor that is too hot makes itself slower.
    count, celsius = machine.throttle_count, machine.celsius
    if count is None and celsius is None:
        yield judged("heat", True, f"{UNTOLD} any temperature.")
    else:
        hot = f"{celsius:.0f} °C" if celsius is not None else "Temperature not told"
        yield judged(
            "heat",
            not count and (celsius is None or celsius < MOST_CELSIUS),
            f"{hot}; slowed down by heat {count or 0} times since the start.",
            "Cool it, or switch turbo off.",
            {"throttle_count": count, "celsius": celsius},
        )
    # What a framework would have read; no worker of a controlled run sees it.
    others = machine.dropped_others
    dropped = [*machine.dropped, *([f"{others} that only begin like them"] if others else [])]
    yield judged(
        "environment variables",
        True,
        f"Kept from all workers, unless --environment is stock: {', '.join(dropped)}."
        if dropped
        else "None is set that a framework would have read.",
    )

"""The workers of one track of work: started when first needed, started anew when lost."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.material import Material
from suite.plan import Lane
from suite.worker.environment import CONTROLLED, own_cache, shared_cache
from suite.worker.host import NO_LIMITS, Limits, Worker


class Roster:
    """What each worker may take, whether it may use what others have compiled, and in which
    environment it runs; and all that live now, so that an interrupted run can end them.
    """

    def __init__(
        self, limits: Limits = NO_LIMITS, cached: bool = False, environment: str = CONTROLLED
    ) -> None:
        self.limits, self.cached, self.environment = limits, cached, environment
        self.workers: set[Worker] = set()
        self.guard = threading.Lock()
        self.stopping = threading.Event()

    def end(self) -> None:
        """Kill every worker; what waits for one gets WorkerLost."""
        self.stopping.set()
        with self.guard:
            for worker in self.workers:
                worker.kill()


@dataclass
class Member:
    """A worker with what it has built."""

    worker: Worker
    import_seconds: float
    built: dict[str, Any] = field(default_factory=dict)


class Crew:
    """At most one worker per lane. ``suffix`` ends the names of its logs; ``share`` is how many
    workers divide the cores; ``cached`` ones may use what others have compiled, whatever the roster
    says; ``preallocated`` ones take their part of a GPU's memory when they start; ``compiled`` is a
    folder where they keep what they compile, and find it.
    """

    def __init__(
        self,
        roster: Roster,
        logs: Path,
        suffix: str,
        share: int = 1,
        cached: bool = False,
        preallocated: bool = False,
        compiled: Path | None = None,
    ) -> None:
        self.roster, self.logs, self.suffix, self.share = roster, logs, suffix, share
        self.cached, self.preallocated = cached or roster.cached, preallocated
        self.compiled = compiled
        self.members: dict[Lane, Member] = {}

    def member(self, lane: Lane, timed: bool = False) -> Member:
        """The lane's worker, started if there is none, with its imports ``timed`` or quicker.
        Raises what Worker.call raises.
        """
        if lane not in self.members:
            assert lane.arm.interpreter is not None
            log = self.logs / f"{lane.arm.name}-{self.suffix}.log"
            worker = Worker(
                *(lane.arm.interpreter, log, lane.device, self.share),
                *(self.roster.limits, self._cache(lane)),
                *(self.roster.environment, self.preallocated),
            )
            with self.roster.guard:
                self.roster.workers.add(worker)
                if self.roster.stopping.is_set():
                    worker.kill()
            try:
                answer = worker.call(
                    "start",
                    backend=lane.arm.adapter.name,
                    device=lane.device,
                    precision=lane.precision,
                    execution=lane.execution,
                    timed=timed,
                )
            except BaseException:
                self._dismiss(worker)
                raise
            self.members[lane] = Member(worker, answer["seconds"])
        return self.members[lane]

    def _cache(self, lane: Lane) -> dict[str, str] | None:
        if self.compiled is not None:
            return own_cache(self.compiled / lane.arm.name)  # an A/A arm compiles for itself
        adapter = lane.arm.adapter
        version = f"{adapter.framework}-{adapter.versions.get(adapter.framework)}"
        return shared_cache(version, lane.device) if self.cached else None

    def build(self, lane: Lane, material: Material, parameters: str) -> dict[str, Any]:
        """Have the lane's worker build the task, with its data, in place of another; if it has the
        task already, set it back to these parameters. What ``build`` answered.
        """
        member, name = self.member(lane), material.task.name
        if name in member.built:
            member.worker.call("reset", task=name, parameters=parameters)
        else:
            while member.built:
                member.worker.call("drop", task=member.built.popitem()[0])
            member.built[name] = member.worker.call(
                "build", task=material.spec, parameters=parameters
            )
        member.worker.call("load", task=name, path=material.data)
        found: dict[str, Any] = member.built[name]
        return found

    def lose(self, lane: Lane) -> None:
        """Give up the lane's worker, which may be broken; the next use starts another."""
        member = self.members.pop(lane, None)
        if member is not None:
            self._dismiss(member.worker)

    def close(self) -> None:
        """End all workers."""
        for lane in list(self.members):
            worker = self.members.pop(lane).worker
            worker.close()
            with self.roster.guard:
                self.roster.workers.discard(worker)

    def _dismiss(self, worker: Worker) -> None:
        worker.kill()
        worker.channel.close()
        with self.roster.guard:
            self.roster.workers.discard(worker)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

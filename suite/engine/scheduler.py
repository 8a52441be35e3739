"""Does jobs: stages one after the other, job groups beside each other, each job's records kept as
they come.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from secrets import token_hex

from suite.engine.job import Job, JobGroup, Sink, Stage
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.progress import Reporter
from suite.records.schema import PhaseRecord, Record
from suite.store.directory import RunDirectory, read_records


class Stopped(Exception):
    """The run was interrupted while this job was at work."""


@dataclass
class Deadline:
    """When no more work is begun, and how many jobs were left out because of it."""

    end: float | None  # of time.monotonic()
    left_out: int = 0

    def allows(self, job: Job) -> bool:
        """Is there time for this job?"""
        if self.end is None or time.monotonic() + job.cost_seconds <= self.end:
            return True
        self.left_out += job.wanted is None
        return False


def perform(
    stages: Sequence[Stage],
    store: RunDirectory,
    live: LiveWorkers,
    reporter: Reporter,
    deadline: Deadline | None = None,
) -> None:
    """Do the jobs of these stages that are not done."""
    scheduler = _Scheduler(store, live, reporter, deadline or Deadline(None))
    done = {record.unit for record in read_records(store.path)[0]}
    left = [_left(stage, done) for stage in stages]
    for stage in left:
        certain = [j.cost_seconds for g in stage.groups for j in g.jobs if j.wanted is None]
        reporter.expect(sum(certain) / stage.at_once)
    for stage in left:
        scheduler.perform(stage)


def _left(stage: Stage, done: set[str]) -> Stage:
    """The stage without what is done."""
    groups = [
        replace(group, jobs=tuple(job for job in group.jobs if job.id not in done))
        for group in stage.groups
    ]
    return replace(stage, groups=tuple(group for group in groups if group.jobs))


@dataclass(frozen=True)
class _Scheduler:
    store: RunDirectory
    live: LiveWorkers
    reporter: Reporter
    deadline: Deadline

    def perform(self, stage: Stage) -> None:
        with ThreadPoolExecutor(stage.at_once, thread_name_prefix=stage.name) as threads:
            futures = [threads.submit(self._group, group, stage) for group in stage.groups]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                for future in futures:
                    if future.done():
                        future.result()
            except BaseException:
                self.live.end()
                for future in futures:
                    future.cancel()
                raise

    def _group(self, group: JobGroup, stage: Stage) -> None:
        logs, reporter = self.store.path / "logs", self.reporter
        with WorkerPool(self.live, logs, group.suffix, stage.settings) as pool:
            for job in group.jobs:
                if job.wanted is not None and not job.wanted():
                    continue
                if not self.deadline.allows(job):
                    continue
                cost = job.cost_seconds / stage.at_once
                if job.wanted is not None:
                    reporter.expect(cost)
                reporter.start(job.label)
                self._job(job, pool)
                reporter.finish(job.label, cost)

    def _job(self, job: Job, pool: WorkerPool) -> None:
        def write(record: Record) -> None:
            # A worker that was ended because the run stops has not failed.
            if self.live.stopping.is_set():
                raise Stopped
            self.store.append(record)

        sink = Sink(job.id, token_hex(4), write)
        began = time.monotonic()
        job.run(pool, sink)
        sink.emit(PhaseRecord, phase="unit", seconds=time.monotonic() - began)

"""The workers of a job group: started when first needed, started anew when lost."""

from __future__ import annotations

import threading
from pathlib import Path

from suite.engine.inputs import TaskInputs
from suite.plan.configurations import Configuration
from suite.worker.client import Client, Program
from suite.worker.environment import own_cache, shared_cache
from suite.worker.process import USUAL, Worker, WorkerSettings


class LiveWorkers:
    """All workers that live now, so that an interrupted run can end them."""

    def __init__(self) -> None:
        self.workers: set[Worker] = set()
        self.guard = threading.Lock()
        self.stopping = threading.Event()

    def add(self, worker: Worker) -> None:
        """Take in one that was started; it is ended if the run stops."""
        with self.guard:
            self.workers.add(worker)
            if self.stopping.is_set():
                worker.kill()

    def discard(self, worker: Worker) -> None:
        """Forget one that has ended."""
        with self.guard:
            self.workers.discard(worker)

    def end(self) -> None:
        """Kill every worker; what waits for one gets WorkerLost."""
        self.stopping.set()
        with self.guard:
            for worker in self.workers:
                worker.kill()


class WorkerPool:
    """At most one worker per configuration. ``suffix`` ends the names of their logs."""

    def __init__(
        self, live: LiveWorkers, logs: Path, suffix: str, settings: WorkerSettings = USUAL
    ) -> None:
        self.live, self.logs, self.suffix, self.settings = live, logs, suffix, settings
        self.clients: dict[Configuration, Client] = {}

    def client(self, configuration: Configuration, timed: bool = False) -> Client:
        """The configuration's worker, started if there is none, with its imports ``timed`` or
        quicker. Raises what Worker.call raises.
        """
        if configuration in self.clients:
            return self.clients[configuration]
        interpreter = configuration.installation.interpreter
        assert interpreter is not None
        log = self.logs / f"{configuration.backend}-{self.suffix}.log"
        cache = self._cache(configuration)
        client = Client(Worker(interpreter, log, configuration.device, self.settings, cache))
        self.live.add(client.worker)
        try:
            client.start(
                backend=configuration.adapter.name,
                device=configuration.device,
                precision=configuration.precision,
                execution=configuration.execution,
                timed=timed,
            )
        except BaseException:
            self._dismiss(client.worker)
            raise
        self.clients[configuration] = client
        return client

    def program(
        self, configuration: Configuration, task_inputs: TaskInputs, parameters: str
    ) -> Program:
        """The task's program in the configuration's worker, with its data, at the parameters of
        this file and with random numbers of its seed; built in place of another, or set back if it
        is there. Raises what Worker.call raises.
        """
        client, name = self.client(configuration), task_inputs.task.name
        program = client.programs.get(name)
        if program is None:
            client.clear()
            program = client.build(name, task_inputs.spec, parameters, task_inputs.seed)
        else:
            program.reset(parameters, task_inputs.seed)
        program.load(task_inputs.data)
        return program

    def lose(self, configuration: Configuration) -> None:
        """Give up the configuration's worker, which may be broken; the next use starts another."""
        client = self.clients.pop(configuration, None)
        if client is not None:
            self._dismiss(client.worker)

    def close(self) -> None:
        """End all workers."""
        while self.clients:
            worker = self.clients.popitem()[1].worker
            worker.close()
            self.live.discard(worker)

    def _cache(self, configuration: Configuration) -> dict[str, str] | None:
        if self.settings.compiled is not None:  # an A/A arm compiles for itself
            return own_cache(self.settings.compiled / configuration.backend)
        adapter = configuration.adapter
        version = f"{adapter.framework}-{adapter.versions.get(adapter.framework)}"
        return shared_cache(version, configuration.device) if self.settings.cached else None

    def _dismiss(self, worker: Worker) -> None:
        worker.kill()
        worker.channel.close()
        self.live.discard(worker)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

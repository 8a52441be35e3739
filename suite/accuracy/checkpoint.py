"""Where a training stands, on disk, so that one that was killed goes on from its last epoch."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from suite.files import write_whole, writing

FOLDER = "checkpoints"


@dataclass(kw_only=True)
class Progress:
    """What the finished epochs gave; ``resumed_after`` lists the epochs that another process
    finished.
    """

    losses: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    validation_accuracies: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_error_rates: list[float] = field(default_factory=list)
    resumed_after: list[int] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """How many are finished."""
        return len(self.epoch_seconds)


@dataclass(frozen=True)
class Checkpoint:
    """The files of one training under ``folder``: its end in canonical form (parameters and
    buffers by path, as ``build`` takes them), and, until then, the state after the last epoch.
    """

    folder: Path
    name: str

    @property
    def final(self) -> Path:
        """What the training ended with."""
        return self.folder / f"{self.name}.npz"

    def state(self, epochs: int) -> Path:
        """All that training changes, after so many epochs."""
        return self.folder / f"{self.name}.epoch-{epochs}.npz"

    def prepare(self) -> None:
        """Make the folder."""
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def read(self) -> Progress:
        """Where an earlier process came to; the start if it left nothing that is whole."""
        try:
            found = Progress(**json.loads(self._log.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Progress()
        return found if self.state(found.epochs).exists() else Progress()

    def write(self, progress: Progress) -> None:
        """Note that an epoch's state is there; only then is the one before dropped. Killed between
        the two, the training goes on from whichever the note names.
        """
        write_whole(self._log, json.dumps(asdict(progress)))
        self._drop(self.state(progress.epochs - 1))

    def finish(self, progress: Progress) -> None:
        """Keep the end alone."""
        self._drop(self.state(progress.epochs))
        self._drop(self._log)

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.json"

    def _drop(self, path: Path) -> None:
        with suppress(OSError):
            path.unlink()

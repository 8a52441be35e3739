"""What a cell achieves beside what its device can: FLOP/s, and their share of the ceiling; and of a
text, tokens a second.
"""

from __future__ import annotations

from collections.abc import Sequence

from suite.records.schema import (
    CeilingRecord,
    CeilingSummary,
    Cell,
    CellSummary,
    FailureRecord,
    Manifest,
    ParityRecord,
    Record,
)

# Forward passes that a step counts as. Backward takes two products for each one forward, one for
# the inputs' gradient and one for the weights' (arXiv 2204.02311, appendix B).
FORWARDS = {"train": 3, "infer": 1}
MOST_OF_CEILING = 2.25  # what Winograd's F(2x2, 3x3) saves (arXiv 1509.09308); more is a mistake


class Achieved:
    """The ceilings among a run's records, but for those of backends whose times were shown to be of
    something else; operations a step are told by its manifest.
    """

    def __init__(self, manifest: Manifest, records: Sequence[Record]) -> None:
        self.manifest = manifest
        failures = [record for record in records if isinstance(record, FailureRecord)]
        answers = [record.result for record in records if isinstance(record, ParityRecord)]
        distrusted = {f.cell.backend for f in failures if f.cell and f.status == "implausible"}
        distrusted |= {answer.backend for answer in answers if answer.phase and answer.wrong}
        self.records = [
            record
            for record in records
            if isinstance(record, CeilingRecord) and record.backend not in distrusted
        ]

    def ceilings(self) -> list[CeilingSummary]:
        """What each arm reached, in the order of measuring; None for what was not measured."""
        arms = {(r.backend, r.execution, r.precision, r.device): r for r in self.records}
        return [
            CeilingSummary(
                **arm.model_dump(include={"backend", "execution", "precision", "device"}),
                matmul_flops_per_second=self._best("matmul", arm, arm.backend),
                copy_bytes_per_second=self._best("copy", arm, arm.backend),
            )
            for arm in arms.values()
        ]

    def added_to(self, cell: CellSummary) -> CellSummary:
        """The cell with what it achieves; None where the run does not tell."""
        task = self.manifest.tasks.get(cell.task, {})
        if isinstance(tokens := task.get("tokens"), int) and cell.samples_per_second is not None:
            cell = cell.model_copy(update={"tokens_per_second": tokens * cell.samples_per_second})
        sample = task.get("flops")
        if not isinstance(sample, int) or sample == 0 or cell.step_seconds is None:
            return cell
        operations = sample * cell.batch_size * FORWARDS[cell.phase]  # of a step, by its spec
        rate = operations / cell.step_seconds.value
        ceiling = self._best("matmul", cell)
        share = None if ceiling is None else rate / ceiling
        return cell.model_copy(update={"flops_per_second": rate, "of_ceiling": share})

    def _best(
        self, what: str, where: Cell | CeilingRecord, backend: str | None = None
    ) -> float | None:
        """The highest rate of this backend, or of any, on the device in the precision."""
        wanted = (what, where.precision, where.device)
        rates = [
            record.rate
            for record in self.records
            if (record.what, record.precision, record.device) == wanted
            and backend in (None, record.backend)
        ]
        return max(rates, default=None)

"""What a cell achieves beside what its device can: FLOP/s, and their share of the ceiling."""

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
        distrusted = set(filter(None, map(_distrusted, records)))
        self.records = [
            record
            for record in records
            if isinstance(record, CeilingRecord) and record.backend not in distrusted
        ]

    def ceilings(self) -> list[CeilingSummary]:
        """What each arm reached, in the order of measuring; None for what was not measured."""
        arms = dict.fromkeys((r.backend, r.execution, r.precision, r.device) for r in self.records)
        return [
            CeilingSummary(
                backend=backend,
                execution=execution,
                precision=precision,
                device=device,
                matmul_flops_per_second=self._best("matmul", precision, device, backend),
                copy_bytes_per_second=self._best("copy", precision, device, backend),
            )
            for backend, execution, precision, device in arms
        ]

    def added_to(self, cell: CellSummary) -> CellSummary:
        """The cell with what it achieves; None where the run does not tell."""
        operations = self.step_flops(cell)
        if operations is None or cell.step_seconds is None:
            return cell
        rate = operations / cell.step_seconds.value
        ceiling = self._best("matmul", cell.precision, cell.device)
        share = None if ceiling is None else rate / ceiling
        return cell.model_copy(update={"flops_per_second": rate, "of_ceiling": share})

    def step_flops(self, cell: Cell) -> int | None:
        """Operations of a step by the model's spec; None if it counts none."""
        sample = self.manifest.tasks.get(cell.task, {}).get("flops")
        if not isinstance(sample, int) or sample == 0:
            return None
        return sample * cell.batch_size * FORWARDS[cell.phase]

    def _best(
        self, what: str, precision: str, device: str, backend: str | None = None
    ) -> float | None:
        """The highest rate of this backend, or of any, on the device in the precision."""
        rates = [
            record.rate
            for record in self.records
            if (record.what, record.precision, record.device) == (what, precision, device)
            and backend in (None, record.backend)
        ]
        return max(rates, default=None)


def _distrusted(record: Record) -> str | None:
    """The backend that this record speaks against."""
    match record:
        case FailureRecord(status="implausible", cell=Cell() as cell):
            return cell.backend
        case ParityRecord(result=result) if result.phase is not None and result.wrong:
            return result.backend
    return None

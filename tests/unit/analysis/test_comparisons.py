"""Which cells are compared with which."""

from __future__ import annotations

from suite.analysis.comparisons import arm_names, comparisons
from suite.plan import catalogue
from suite.plan.options import Choice
from suite.plan.plan import make
from tests.fixtures.installations import ARMS

TASKS = catalogue.tasks()


def test_cells_that_differ_in_backend_and_execution_only_are_compared():
    choice = Choice(executions=("*",), batch_sizes=(8, 64), tasks=("cnn-tiny",))
    plan = make(choice, TASKS, ARMS)
    cells = [cell for cell, where in plan.cells.items() if not where.refused]
    groups = comparisons(cells)
    assert [len(group) for group in groups] == [3, 3, 3, 3]
    assert {cell.batch_size for cell in cells} == {8, 64}
    assert set(arm_names(groups[0]).values()) == {"torch eager", "torch compiled", "jax"}

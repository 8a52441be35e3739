"""The command of a cell plans that cell and names no path."""

from __future__ import annotations

import shlex
from pathlib import Path

from suite.analysis.repeat import command
from suite.plan import catalogue
from suite.plan.options import Choice
from suite.plan.plan import make
from suite.worker.adapters import Adapter
from suite.worker.installations import Installation
from tests.fixtures.sample_run import sample_run
from tests.fixtures.upgraded_run import upgraded_run


def test_a_cells_command_plans_that_cell():
    """The words of the command, as options of a run, plan the cell and no other."""
    run = sample_run(Path("run"))
    assert len(run.manifest.cells) == 20
    for cell in run.manifest.cells:
        words = shlex.split(command(run.manifest, cell))[2:]
        told = dict(zip(words[::2], words[1::2], strict=True))
        choice = Choice(
            tasks=(told["--task"],),
            phases=(told["--phase"],),
            backends=(told["--backend"],),
            executions=(told["--execution"],),
            precisions=(told["--precision"],),
            device=told["--device"],
            batch_sizes=(int(told["--batch-size"]),),
            launches=int(told["--launches"]),
            seeds=int(told["--seeds"]),
        )
        installations = [_arm("numpy"), _arm(cell.backend)]
        plan = make(choice, catalogue.tasks(), installations)
        assert [*plan.cells] == [cell]


def test_a_cell_of_an_upgrade_is_measured_again_in_both_arms():
    manifest = upgraded_run(Path("run")).manifest
    asked = "tribench upgrade torch==1 torch==2 "
    for cell in manifest.cells:
        told = command(manifest, cell)
        assert told.startswith(f"{asked}--task {cell.task} --phase {cell.phase} --backend torch ")
    other = manifest.cells[0].model_copy(update={"backend": "jax"})
    assert command(manifest, other).startswith("tribench run ")


def test_a_cells_command_names_its_interpreter_and_no_path():
    manifest = sample_run(Path("run")).manifest.model_copy(
        update={"command": "tribench run --python torch@old=python3.9 --python jax=python"}
    )
    cell = next(cell for cell in manifest.cells if cell.backend == "torch@old")
    assert command(manifest, cell).endswith("--python torch@old=python3.9")


def _arm(name):
    adapter = Adapter(
        name=name.partition("@")[0],
        target="x:Y",
        precisions=("float64", "float32"),
        executions=("eager", "compiled"),
    )
    return Installation(name=name, interpreter="python", adapter=adapter)

"""Is it the same training? How far the parameters go from the float64 reference's, in units of how
far correct arithmetic of that precision goes.
"""

from __future__ import annotations

from suite.engine.remote import read
from suite.parity.findings import train
from suite.parity.inquiry import Inquiry, finite
from suite.parity.thresholds import TRAINING
from suite.parity.trajectory import checkpoints, distances, moving
from suite.records.schema import ParityResult, Trajectory


def ask(inquiry: Inquiry) -> ParityResult:
    """The verdict, on the steps before rounding grows to other trainings. Raises what Worker.call
    raises, and ReferenceFailed.
    """
    task_inputs, reference = inquiry.task_inputs, inquiry.reference
    task, steps = task_inputs.task, checkpoints(task_inputs.task)
    wanted, null = reference.training(task_inputs), reference.course(task_inputs)
    found = train(inquiry.backend, task_inputs, task_inputs.initial, steps)
    among = moving(task, reference.findings(task_inputs))
    far = distances(found, wanted, read(task_inputs.initial), among)
    judged = {
        step: mine / most
        for step, mine, most in zip(steps, far, null.distances, strict=True)
        if null.horizon is None or step < null.horizon
    }
    worst = max(judged.values(), default=0.0)
    same = inquiry.result(
        "training",
        batch_size=task.batch_size,
        error=finite(worst),
        threshold=TRAINING,
        trajectory=Trajectory(
            steps=steps,
            distances=[finite(distance) for distance in far],
            null=null.distances,
            horizon=null.horizon,
        ),
    )
    left = [step for step, ratio in judged.items() if not ratio <= TRAINING]
    if not left:
        return same
    words = f"after step {left[0]} {judged[left[0]]:.0f} times as far from the float64 training as "
    return same.model_copy(
        update={
            "verdict": "different",
            "reason": f"{words}correct {inquiry.configuration.precision} arithmetic goes",
        }
    )

"""Checks of whole programs and of optimizers."""

from __future__ import annotations

from dataclasses import replace

from suite.engine.remote import STEPS, Arrays, RemoteBackend
from suite.parity.conformance.checks import Errors, check, compare
from suite.parity.conformance.programs import PLAIN_ADAMW, PLAIN_SGD, WHOLE, Whole, linear
from tasks.parameters import uniform
from tasks.spec import Optimizer

UPDATES = 3  # enough for the warm-up to end and for moments and bias correction to matter

PLAIN: dict[str, Optimizer] = {"sgd": PLAIN_SGD, "adamw": PLAIN_ADAMW}
OPTIMIZERS = {
    **PLAIN,
    "sgd-momentum": replace(PLAIN_SGD, momentum=0.9),
    "sgd-nesterov": replace(PLAIN_SGD, momentum=0.9, nesterov=True),
    **{f"{name}-decay": replace(plain, weight_decay=0.5) for name, plain in PLAIN.items()},
    **{f"{name}-clip": replace(plain, clip_norm=0.5) for name, plain in PLAIN.items()},
    **{f"{name}-warmup": replace(plain, warmup_steps=UPDATES - 1) for name, plain in PLAIN.items()},
    **{f"{name}-milestones": replace(plain, milestones=(1, 2)) for name, plain in PLAIN.items()},
}


@check("program", WHOLE)
def whole_program(adapter: RemoteBackend, reference: RemoteBackend, case: Whole) -> Errors:
    """Predictions, activations, loss, all gradients and new buffers are the reference's."""
    found, wanted = (s.program(case.task, case.batch).capture() for s in (adapter, reference))
    return compare(found, wanted)


@check("training", WHOLE, precisions=("float64",))
def state_after_training(adapter: RemoteBackend, reference: RemoteBackend, case: Whole) -> Errors:
    """After ten steps the losses, parameters, buffers, moments and step are the reference's."""

    def trained(backend: RemoteBackend) -> Arrays:
        program = backend.program(case.task, case.batch)
        return program.train(0, STEPS) | program.state()

    return compare(trained(adapter), trained(reference))


@check("update", OPTIMIZERS, precisions=("float64",))
def updates_of_given_gradients(
    adapter: RemoteBackend, reference: RemoteBackend, case: Optimizer
) -> Errors:
    """Three updates by the optimizer's formula."""
    task = linear("update", case)

    def updates(backend: RemoteBackend) -> Arrays:
        program, found = backend.build(task), Arrays()
        for step in range(UPDATES):
            gradients = {
                path: uniform(step, f"gradients.{path}", parameter.shape)
                for path, parameter in task.model.parameters().items()
            }
            made = program.update(gradients)
            found |= {f"step {step + 1}, {path}": change for path, change in made.items()}
        return found

    return compare(updates(adapter), updates(reference))


@check("apply_update", WHOLE, precisions=("float64",))
def update_is_that_of_training(
    adapter: RemoteBackend, reference: RemoteBackend, case: Whole
) -> Errors:
    """``apply_update`` with a step's gradients changes what ``train_step`` changes."""
    program = adapter.program(case.task, case.batch)
    start = _parameters(program.state())
    gradients = {
        name.removeprefix("gradients/"): array
        for name, array in program.capture().items()
        if name.startswith("gradients/")
    }
    updated = program.update(gradients)
    program.reset()
    program.train(0, 1)
    trained = _parameters(program.state())
    return compare(updated, {path: trained[path] - start[path] for path in start})


def _parameters(state: Arrays) -> Arrays:
    return {
        name.removeprefix("parameters/"): array
        for name, array in state.items()
        if name.startswith("parameters/")
    }

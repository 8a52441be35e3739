"""The values inside a program, as files: what parity and conformance compare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from backends.base import Capture, State
from suite.worker import fresh
from suite.worker.answers import Captured
from suite.worker.workshop import Workshop, everything, large_operation, read_state, save


@large_operation
def attempt(
    workshop: Workshop,
    task: str,
    phase: str,
    size: int,
    parameters: str,
    path: str,
    step: int = 0,
    distinct: int | None = None,
    again: bool = False,
) -> None:
    """Write what the program makes of training samples in batches of this size, at the parameters
    of this file: for ``infer`` the logits of the pool; else the loss before a step and everything
    that it changed, with a batch of ``distinct`` samples if not all and ``step`` steps counted
    before. The batches are on the device before the parameters, so that nothing can have been
    computed with them.

    With ``again``, what suite.worker.fresh.repeated finds of a second step, too.
    """
    bench = workshop.benches[task]
    program, samples = bench.program, bench.data["train"]
    state = replace(read_state(bench.task, parameters), step=step)
    bench.changed()
    if phase == "infer":
        batches = [program.put(batch.unlabelled()) for batch in bench.batches(size).whole()]
        program.load_state(state)
        found = [program.numpy(program.predict(batch)) for batch in batches]
        save(path, {"logits": np.concatenate(found)})
        return
    rows = fresh.rows(len(samples), size, distinct)
    batch = program.put(samples.take(rows))
    program.load_state(state)
    loss, made = program.numpy(program.train_step(batch)), program.state()
    arrays = {"loss": loss} | everything(made)
    if again:
        whole = bool(made.moments) or not bench.task.optimizer.moments()
        twice = fresh.repeated(program, batch, samples.take(rows), state, made, whole)
        arrays |= {f"again/{name}": np.array(apart) for name, apart in twice.items()}
    save(path, arrays)


@large_operation
def predictions(workshop: Workshop, task: str, split: str, path: str) -> None:
    """Write the logits of one split taken as one batch, at the program's present state."""
    bench = workshop.benches[task]
    logits = bench.program.predict(bench.program.put(bench.data[split].unlabelled()))
    save(path, {"logits": bench.program.numpy(logits)})


@large_operation
def capture(workshop: Workshop, task: str, split: str, path: str) -> Captured:
    """Write inner values and predictions for one split taken as one batch, {part/path: array}."""
    bench = workshop.benches[task]
    batch = bench.program.put(bench.data[split])
    found: Capture = bench.program.capture(batch)
    logits = bench.program.numpy(bench.program.predict(batch))
    parts = {
        "predictions": {"logits": logits},
        "activations": found.activations,
        "gradients": found.gradients,
        "input_gradients": found.input_gradients,
        "buffers": found.buffers,
    }
    save(path, {f"{part}/{name}": a for part, named in parts.items() for name, a in named.items()})
    return Captured(found.loss, dict(found.scales))


@large_operation
def layer(workshop: Workshop, task: str, place: str, given: str, path: str) -> None:
    """Run one layer alone on the inputs, upstream gradient and valid steps of a file. Several
    inputs are ``inputs/0`` and so on, and so are their gradients and their valid steps.
    """
    with np.load(given) as arrays:
        several = tuple(arrays[key] for key in arrays.files if key.startswith("inputs/"))
        inputs, upstream = several or arrays["inputs"], arrays["upstream"]
        masks = tuple(arrays.get(f"valid/{number}") for number in range(len(several)))
        valid = arrays.get("valid") if all(mask is None for mask in masks) else masks
    found = workshop.benches[task].program.layer_vjp(place, inputs, upstream, valid)
    parts = {"output": found.output}
    if isinstance(found.input_gradients, tuple):
        parts |= {f"input_gradients/{n}": g for n, g in enumerate(found.input_gradients)}
    elif found.input_gradients is not None:
        parts["input_gradients"] = found.input_gradients
    save(path, parts | {f"gradients/{name}": g for name, g in found.gradients.items()})


@large_operation
def update(workshop: Workshop, task: str, gradients: str, path: str) -> None:
    """Write what one optimizer step makes of the gradients in a capture's file."""
    bench = workshop.benches[task]
    with np.load(gradients) as arrays:
        given = {
            name.removeprefix("gradients/"): arrays[name]
            for name in arrays.files
            if name.startswith("gradients/")
        }
    bench.changed()
    save(path, bench.program.apply_update(given))


@large_operation
def parameters(workshop: Workshop, task: str, path: str) -> None:
    """Write the present parameters and buffers."""
    state: State = workshop.benches[task].program.state()
    save(path, {**state.parameters, **state.buffers})


@large_operation
def state(workshop: Workshop, task: str, path: str) -> None:
    """Write everything that training changes, as ``restore`` reads it."""
    save(path, everything(workshop.benches[task].program.state()))


@large_operation
def restore(workshop: Workshop, task: str, path: str) -> None:
    """Have the program continue from what ``state`` wrote."""
    parts: dict[str, dict[str, Any]] = {"parameters": {}, "buffers": {}, "moments": {}}
    with np.load(path) as arrays:
        step = int(arrays["step"])
        seed = int(arrays["seed"]) if "seed" in arrays else None
        for key in arrays.files:
            part, _, name = key.partition("/")
            owner, _, moment = name.partition("/")
            if moment:
                parts[part].setdefault(owner, {})[moment] = arrays[key]
            elif name:
                parts[part][name] = arrays[key]
    bench = workshop.benches[task]
    bench.program.load_state(State(**parts, step=step, seed=seed))
    bench.changed()

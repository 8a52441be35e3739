"""Whole programs: small models with their optimizers and batches; and the checks of them: how an
adapter takes what it is given, refuses, and tells of itself; the state, saved, loaded, reset, and
left alone by looking; what is computed; optimizers; and ``wait``, on which every time that is
measured stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from backends.base import NotSupported
from suite.engine.arrays import Arrays
from suite.engine.remote import STEPS as TRAINED
from suite.engine.remote import RemoteBackend, RemoteProgram
from suite.parity import loss_checks
from suite.parity.conformance.checks import Broken, Check, Errors
from suite.parity.conformance.layers import HOLES, LEFT, NONE, RAGGED, SAMPLES, STEPS
from suite.parity.conformance.unknown import UnknownLayer, UnknownLoss, UnknownOptimizer
from suite.parity.layer_checks import compare
from suite.worker.waiting import MOST_STEPS, fault
from tasks import spec
from tasks.base import Batch, Task
from tasks.codec import bare
from tasks.parameters import rounded, uniform
from tasks.spec import (
    CTC,
    SGD,
    AdamW,
    CrossEntropy,
    Input,
    Layers,
    Loss,
    ModelSpec,
    Optimizer,
)

CLASSES = 3
PLAIN_SGD = SGD(learning_rate=0.1)
PLAIN_ADAMW = AdamW(learning_rate=0.01, beta1=0.9, beta2=0.99, epsilon=1e-8)


@dataclass(frozen=True)
class Whole:
    """A task with a batch to run it on."""

    task: Task
    batch: Batch


def task(
    name: str,
    shape: tuple[int, ...],
    layers: Layers,
    optimizer: Optimizer,
    vocabulary: int | None = None,
) -> Task:
    """A task of this model on real inputs, or on ids; its name starts with ``whole-``."""
    given = Input(shape=shape, vocabulary=vocabulary)
    return bare(ModelSpec(name=f"whole-{name}", input=given, layers=layers), optimizer, SAMPLES)


def reals(shape: tuple[int, ...]) -> Batch:
    """Random inputs of this shape, in float64 as every batch of reals."""
    inputs = rounded(uniform(0, "inputs", (SAMPLES, *shape)))
    return Batch(inputs=inputs, targets=(np.arange(SAMPLES) % CLASSES).astype(np.int32))


def images() -> Whole:
    """Convolution, batch norm with its buffers, and pooling, under SGD with everything it has."""
    layers: Layers = (
        ("conv", spec.Conv2d(in_channels=2, out_channels=4, kernel_size=3, padding=1, bias=False)),
        ("norm", spec.BatchNorm(channels=4, epsilon=1e-5, momentum=0.1)),
        ("relu", spec.ReLU()),
        ("pool", spec.MaxPool(size=2, stride=2)),
        ("flatten", spec.Flatten()),
        ("fc", spec.Linear(in_features=4 * 3 * 3, out_features=CLASSES)),
    )
    optimizer = SGD(
        learning_rate=0.05,
        momentum=0.9,
        nesterov=True,
        weight_decay=0.1,
        clip_norm=0.5,
        warmup_steps=4,
    )
    return Whole(task("images", (2, 6, 7), layers, optimizer), reals((2, 6, 7)))


def padded(name: str, causal: bool) -> Whole:
    """Embedding, attention, LSTM and pooling in one model, on ids with every kind of padding."""
    attention = spec.Attention(width=4, heads=2, causal=causal)
    layers: Layers = (
        ("embedding", spec.Embedding(vocabulary=9, width=4)),
        ("sum", spec.Residual(layers=(("attention", attention),))),
        ("norm", spec.LayerNorm(width=4, epsilon=1e-5)),
        ("lstm", spec.LSTM(input_size=4, hidden_size=5, num_layers=2)),
        ("pool", spec.LastStep() if causal else spec.MeanSteps()),
        ("fc", spec.Linear(in_features=5, out_features=CLASSES)),
    )
    optimizer = AdamW(
        learning_rate=1e-2,
        beta1=0.9,
        beta2=0.99,
        epsilon=1e-8,
        weight_decay=0.1,
        clip_norm=0.5,
        warmup_steps=4,
    )
    ids = np.arange(SAMPLES * STEPS).reshape(SAMPLES, STEPS) * 7 % 9
    batch = Batch(
        inputs=ids.astype(np.int32),
        targets=np.array([0, 2, 1, 2], dtype=np.int32),
        valid=np.stack([RAGGED[1], LEFT[1], HOLES[0], NONE[2]]),
    )
    return Whole(task(name, (STEPS,), layers, optimizer, vocabulary=9), batch)


def joined() -> Whole:
    """Pictures in branches: values that are named, joined, added and taken more than once."""
    layers: Layers = (
        ("conv", spec.Conv2d(in_channels=2, out_channels=3, kernel_size=3, padding=1)),
        ("one", spec.Conv2d(in_channels=3, out_channels=2, kernel_size=1)),
        ("norm", spec.BatchNorm(channels=3, epsilon=1e-5, momentum=0.1), ("conv",)),
        ("cat", spec.Concat(), ("one", "norm", "")),
        ("narrow", spec.Conv2d(in_channels=7, out_channels=3, kernel_size=1)),
        ("add", spec.Add(), ("narrow", "conv", "norm")),
        ("relu", spec.ReLU()),
        ("flatten", spec.Flatten()),
        ("fc", spec.Linear(in_features=3 * 4 * 5, out_features=CLASSES)),
    )
    return Whole(task("joined", (2, 4, 5), layers, PLAIN_SGD), reals((2, 4, 5)))


def tied() -> Whole:
    """Ids whose table is the last layer's weight, and names that are looked up around a body."""
    body: Layers = (
        ("norm", spec.LayerNorm(width=4, epsilon=1e-5)),
        ("mix", spec.Linear(in_features=4, out_features=4)),
        ("add", spec.Add(), ("mix", "table", "")),
    )
    layers: Layers = (
        ("table", spec.Embedding(vocabulary=9, width=4)),
        ("first", spec.Sequential(layers=body)),
        ("second", spec.Sequential(layers=body)),
        ("mean", spec.MeanSteps()),
        ("head", spec.Linear(in_features=4, out_features=9, bias=False)),
    )
    ties = (("head.weight", "table.weight"), ("second.mix.weight", "first.mix.weight"))
    optimizer = replace(PLAIN_ADAMW, weight_decay=0.1, clip_norm=0.5)
    plain = task("tied", (STEPS,), layers, optimizer, vocabulary=9)
    batch = padded("tied", causal=False).batch
    return Whole(replace(plain, model=replace(plain.model, ties=ties)), batch)


def named() -> Whole:
    """Two inputs of other lengths, each with padding of its own: the last step of one is added to
    the mean of the other, whose mask no other value has.
    """
    layers: Layers = (
        ("table", spec.Embedding(vocabulary=9, width=4)),
        ("attention", spec.Attention(width=4, heads=2)),
        ("mean", spec.MeanSteps()),
        ("lstm", spec.LSTM(input_size=3, hidden_size=4, num_layers=1), ("reals",)),
        ("last", spec.LastStep()),
        ("again", spec.Embedding(vocabulary=9, width=4), ("ids",)),
        ("sum", spec.Residual(layers=(("mix", spec.Linear(in_features=4, out_features=4)),))),
        ("twice", spec.MeanSteps()),
        ("add", spec.Add(), ("last", "mean", "twice")),
        ("fc", spec.Linear(in_features=4, out_features=CLASSES)),
    )
    inputs = {"ids": Input(shape=(STEPS,), vocabulary=9), "reals": Input(shape=(STEPS + 2, 3))}
    model = ModelSpec(name="whole-named", inputs=inputs, layers=layers)
    like = padded("named", causal=False).batch
    longer = np.concatenate([HOLES[::-1], HOLES[:, :2]], axis=1)
    batch = replace(
        like,
        inputs={"ids": like.inputs, "reals": reals((STEPS + 2, 3)).inputs},
        valid={"ids": like.valid, "reals": longer},
    )
    return Whole(bare(model, PLAIN_ADAMW, SAMPLES), batch)


def linear(name: str, optimizer: Optimizer) -> Task:
    """One linear layer, where only the optimizer can go wrong."""
    layers: Layers = (("fc", spec.Linear(in_features=5, out_features=CLASSES)),)
    return task(name, (5,), layers, optimizer)


def stepwise(name: str, targets: Any) -> Whole:
    """Logits of every step, with targets of which some are below 0."""
    layers: Layers = (
        ("gru", spec.GRU(input_size=4, hidden_size=5, num_layers=1)),
        ("fc", spec.Linear(in_features=5, out_features=CLASSES)),
    )
    batch = replace(reals((STEPS, 4)), targets=np.asarray(targets, np.int32))
    return Whole(task(name, (STEPS, 4), layers, PLAIN_SGD), batch)


def checked(name: str, loss: Loss, what: str, stepwise: bool = True) -> Whole:
    """One of parity's checks of a loss, with logits that are not hot."""
    check = loss_checks.of(loss, stepwise)[what]
    check = replace(check, heats=(1.0,) * len(check.heats))
    plain = task(name, check.shape, check.model.layers, PLAIN_SGD)
    return Whole(replace(plain, loss=loss), check.batch)


WHOLE = {
    "images": images(),
    "padded": padded("padded", causal=False),
    "padded-causal": padded("padded-causal", causal=True),
    "joined": joined(),
    "tied": tied(),
    "named": named(),
}

IMAGES = {"images": WHOLE["images"]}
KNOWN = linear("unknown", PLAIN_SGD)
UNKNOWN = {
    "layer": task("unknown", (5,), (*KNOWN.model.layers, ("odd", UnknownLayer())), PLAIN_SGD),
    "loss": replace(KNOWN, loss=UnknownLoss()),
    "optimizer": replace(KNOWN, optimizer=UnknownOptimizer(learning_rate=0.1)),
}


@Check("put", {"reals": WHOLE["images"], "ids": WHOLE["padded"], "named": WHOLE["named"]})
def takes_what_data_sets_give(backend: RemoteBackend, case: Whole) -> Errors:
    """``put`` takes float64 reals and int32 ids with valid steps, and ``wait`` returns."""
    backend.program(case.task, case.batch).program.put(SAMPLES)
    return {}


@Check("unknown", UNKNOWN)
def refuses_what_it_does_not_know(backend: RemoteBackend, case: Task) -> Errors:
    """A type without a lowering or formula raises NotSupported, at the first step at the latest."""
    try:
        backend.build(case, reals((5,))).train(0, 1)
    except NotSupported:
        return {}
    raise Broken("it was built and trained, where NotSupported was to be raised")


@Check("facts", IMAGES)
def facts_are_strings(backend: RemoteBackend, case: Whole) -> Errors:
    """At least one, by name."""
    facts = backend.program(case.task, case.batch).program.facts()
    if not facts or not isinstance(facts, dict):
        raise Broken(f"facts() tells nothing: {facts!r}")
    for name, value in facts.items():
        if not isinstance(value, str):
            raise Broken(f"facts()[{name!r}] is no string: {value!r}")
    return {}


@Check("memory", IMAGES)
def memory_is_bytes_or_none(backend: RemoteBackend, case: Whole) -> Errors:
    """A figure that the framework does not have is None, never 0."""
    program = backend.program(case.task, case.batch)
    program.train(0, 1)
    peak = program.program.peak()
    for name in ("live", "reserved", "planned"):
        value = getattr(peak, name)
        if value is not None and (not isinstance(value, int) or value <= 0):
            raise Broken(f"memory().{name}_bytes is neither None nor positive: {value!r}")
    return {}


HALF, WHOLE_WAY = 3, 6  # steps
UPDATES = 3  # enough for the warm-up to end and for moments and bias correction to matter

STATEFUL = {
    "sgd": WHOLE["images"],
    "adamw": Whole(linear("adamw", PLAIN_ADAMW), reals((5,))),
}
PLAIN: dict[str, Optimizer] = {"sgd": PLAIN_SGD, "adamw": PLAIN_ADAMW}
CHANGES: dict[str, dict[str, Any]] = {
    "decay": {"weight_decay": 0.5},
    "clip": {"clip_norm": 0.5},
    "warmup": {"warmup_steps": UPDATES - 1},
    "milestones": {"milestones": (1, 2)},
    "inverse-square-root": {"warmup_steps": UPDATES - 1, "schedule": "inverse_sqrt"},
    "cosine": {"schedule": "cosine", "decay_steps": UPDATES},
}
OPTIMIZERS = {
    **PLAIN,
    "sgd-momentum": replace(PLAIN_SGD, momentum=0.9),
    "sgd-nesterov": replace(PLAIN_SGD, momentum=0.9, nesterov=True),
    **{
        f"{name}-{what}": replace(plain, **change)
        for what, change in CHANGES.items()
        for name, plain in PLAIN.items()
    },
}

WIDTH, DEPTH = 256, 4
# Samples a step: 3 to 15 ms of work on 2 cores. Where that is done too soon to last, as on a GPU,
# the next size is tried; activations of the largest take 128 MiB a layer.
SIZES = (512, 8192, 131072)
PAUSE_SECONDS = 0.1


@Check("load_state", STATEFUL)
def what_is_loaded_is_there(backend: RemoteBackend, case: Whole) -> Errors:
    """A new program that loads a state has it: parameters, buffers, moments, step."""
    program = backend.program(case.task, case.batch)
    program.train(0, HALF)
    saved = program.state()
    fresh = backend.build(case.task, case.batch)
    fresh.restore(saved)
    return _expect_same("load_state", saved, fresh)


@Check("continue", STATEFUL)
def training_continues(backend: RemoteBackend, case: Whole) -> Errors:
    """Training on from a loaded state is training without a stop."""
    program = backend.program(case.task, case.batch)
    program.train(0, HALF)
    saved = program.state()
    wanted = program.train(HALF, WHOLE_WAY) | program.state()
    fresh = backend.build(case.task, case.batch)
    fresh.restore(saved)
    return compare(fresh.train(HALF, WHOLE_WAY) | fresh.state(), wanted)


@Check("reset", STATEFUL)
def a_state_without_moments_is_a_start(backend: RemoteBackend, case: Whole) -> Errors:
    """Loading it sets moments and step to 0, and training repeats."""
    program = backend.build(case.task, case.batch)
    start = program.state()
    wanted = program.train(0, HALF)
    program.reset()
    _expect_same("a State without moments", start, program)
    for name, array in start.items():
        if name.startswith(("moments/", "step")) and array.any():
            raise Broken(f"{name} is not 0 at the start")
    return compare(program.train(0, HALF), wanted)


def _looking(
    what: str, look: Callable[[RemoteProgram], Arrays], backend: RemoteBackend, case: Whole
) -> Errors:
    """What only looks changes nothing: not parameters, buffers, moments or step. (The worker
    predicts too when it captures.)
    """
    program = backend.program(case.task, case.batch)
    program.train(0, 1)
    before = program.state()
    look(program)
    return _expect_same(what, before, program)


Check("predict", WHOLE)(partial(_looking, "predict", RemoteProgram.predict))
Check("capture", WHOLE)(partial(_looking, "capture", RemoteProgram.capture))


def _expect_same(what: str, before: Arrays, program: RemoteProgram) -> Errors:
    """Raise Broken unless the program's state is that one to the last bit."""
    after = program.state()
    if before.keys() != after.keys():
        names = ", ".join(sorted(before.keys() ^ after.keys()))
        raise Broken(f"after {what} the state has not the same arrays: {names}")
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    if changed:
        raise Broken(f"after {what} there is another {', '.join(changed)}")
    return {}


@Check("program", WHOLE, same=True)
def whole_program(backend: RemoteBackend, case: Whole) -> Arrays:
    """Predictions, activations, loss, all gradients and new buffers are the reference's."""
    return backend.program(case.task, case.batch).capture()


SOME = np.where(HOLES, np.arange(STEPS) % CLASSES, np.arange(SAMPLES)[:, None] - SAMPLES)
LOSSES = {
    "every-step": stepwise("every-step", abs(SOME) % CLASSES),
    "some-steps": stepwise("some-steps", SOME),
    "no-step": stepwise("no-step", np.full((SAMPLES, STEPS), -1)),
    "some-samples": Whole(
        replace(WHOLE["images"].task, name="whole-some-samples"),
        replace(WHOLE["images"].batch, targets=np.array([1, -1, 2, -7], np.int32)),
    ),
    "smoothed": checked("smoothed", CrossEntropy(smoothing=0.1), "hot logits", stepwise=False),
    "smoothed-steps": checked("smoothed-steps", CrossEntropy(smoothing=0.1), "some targets"),
    "ctc": checked("ctc", CTC(), "hot logits"),
    "ctc-padding": checked("ctc-padding", CTC(), "padding"),
    "ctc-blank": checked("ctc-blank", CTC(blank=2), "padding"),
    "ctc-one-step": checked("ctc-one-step", CTC(), "one step"),
    "ctc-no-step": checked("ctc-no-step", CTC(), "no valid step"),
}
FIT = checked("unaligned", CTC(), "one step")
UNALIGNED = {"ctc": replace(FIT, batch=replace(FIT.batch, targets=np.ones((6, 2), np.int32)))}


@Check("loss", LOSSES, same=True)
def loss_of_the_targets_that_count(backend: RemoteBackend, case: Whole) -> Arrays:
    """Of a sample or of every step; those below 0 are left out, and are no part of the mean."""
    return backend.program(case.task, case.batch).capture()


@Check("unaligned", UNALIGNED)
def loss_without_an_alignment(backend: RemoteBackend, case: Whole) -> Errors:
    """It is infinite where labels do not fit in their steps."""
    loss = float(backend.program(case.task, case.batch).capture()["loss"])
    if loss != np.inf:
        raise Broken(f"the loss of two labels in one step is {loss:g}, where it must be infinite")
    return {}


@Check("tied", {"tied": WHOLE["tied"]}, same=True)
def tied_layer_alone(backend: RemoteBackend, case: Whole) -> Arrays:
    """A layer whose weight is another's has it, and its gradient, where it is run alone."""
    program = backend.program(case.task, case.batch)
    return program.layer("head", uniform(0, "x", (SAMPLES, 4)), uniform(0, "dy", (SAMPLES, 9)))


@Check("training", WHOLE, precisions=("float64",), same=True)
def state_after_training(backend: RemoteBackend, case: Whole) -> Arrays:
    """After ten steps the losses, parameters, buffers, moments and step are the reference's."""
    program = backend.program(case.task, case.batch)
    return program.train(0, TRAINED) | program.state()


@Check("update", OPTIMIZERS, precisions=("float64",), same=True)
def updates_of_given_gradients(backend: RemoteBackend, case: Optimizer) -> Arrays:
    """Three updates by the optimizer's formula."""
    linear_task = linear("update", case)
    program, found = backend.build(linear_task), Arrays()
    for step in range(UPDATES):
        gradients = {
            path: uniform(step, f"gradients.{path}", parameter.shape)
            for path, parameter in linear_task.model.parameters().items()
        }
        made = program.update(gradients)
        found |= {f"step {step + 1}, {path}": change for path, change in made.items()}
    return found


@Check("apply_update", WHOLE, precisions=("float64",))
def update_is_that_of_training(backend: RemoteBackend, case: Whole) -> Errors:
    """``apply_update`` with a step's gradients changes what ``train_step`` changes."""
    program = backend.program(case.task, case.batch)
    start = _below("parameters", program.state())
    updated = program.update(_below("gradients", program.capture()))
    program.reset()
    program.train(0, 1)
    trained = _below("parameters", program.state())
    return compare(updated, {path: trained[path] - start[path] for path in start})


def _below(part: str, arrays: Arrays) -> Arrays:
    """Those of a part, by path."""
    start = f"{part}/"
    return {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}


def long_steps() -> Whole:
    """Much work and little state."""
    hidden: Layers = tuple(
        layer
        for number in range(DEPTH)
        for layer in (
            (f"linear{number}", spec.Linear(in_features=WIDTH, out_features=WIDTH)),
            (f"relu{number}", spec.ReLU()),
        )
    )
    last = ("fc", spec.Linear(in_features=WIDTH, out_features=CLASSES))
    return Whole(task("long", (WIDTH,), (*hidden, last), PLAIN_SGD), reals((WIDTH,)))


# Times are measured in float32 and below, and how one waits is the same in all of them.
@Check("wait", {"train": (long_steps(), "train"), "infer": (long_steps(), "infer")}, ("float32",))
def nothing_is_left_when_wait_returns(backend: RemoteBackend, case: tuple[Whole, str]) -> Errors:
    """Results and state are there, do not change any more, and take no time to come."""
    whole, phase = case
    program = backend.program(whole.task, whole.batch)
    for size in SIZES:
        looks = program.program.waits(phase, size, inside=True, pause_seconds=PAUSE_SECONDS)
        if (why := fault(looks)) is not None:
            raise Broken(why)
        if looks[0].steps < MOST_STEPS:
            break
    return {}

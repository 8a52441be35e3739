"""What a worker does, called without a process around it."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from backends.numpy import losses
from suite.worker import operations
from suite.worker.timed import block
from suite.worker.workshop import Workshop
from tasks import cnn, rnn, transformer
from tasks.base import Batch, probe_batch
from tasks.codec import encode, portable
from tasks.parameters import initial, probe
from tasks.spec import CTC, Embedding, Input, Linear, ModelSpec


def test_a_dropped_program_gives_its_memory_back(tmp_path):
    task, file = rnn.tiny(), tmp_path / "initial.npz"
    np.savez(file, **initial(task.model, 0))
    workshop = Workshop()
    operations.start(workshop, "numpy", "cpu", "float64", "eager")
    operations.build(workshop, encode(portable(task)), str(file))
    bench = workshop.benches[task.name]
    bench.placed = (4, bench.program.put(probe_batch(task, 4, 0)))
    bench.program.itself = bench.program  # as a compiled function refers to its program
    kept = weakref.ref(bench.program)
    del bench
    try:
        block(workshop, task.name, "train", size=4, steps=1)
        operations.drop(workshop, task.name)
    finally:
        gc.unfreeze()
    assert kept() is None


STEPPED = replace(
    rnn.tiny(),
    name="stepped",
    model=ModelSpec(
        name="stepped",
        input=Input(shape=(3,), vocabulary=5),
        layers=(
            ("embedding", Embedding(vocabulary=5, width=4)),
            ("fc", Linear(in_features=4, out_features=5)),
        ),
    ),
)


SPOKEN = replace(
    STEPPED,
    name="spoken",
    model=replace(STEPPED.model, name="spoken", input=Input(shape=(4,), vocabulary=5)),
    loss=CTC(),
    score="error_rate",
)


def evaluated(task, samples, folder):
    """A workshop with the task's program at random parameters, and these samples as its test."""
    np.savez(folder / "probe.npz", **probe(task.model, 0))
    workshop = Workshop()
    operations.start(workshop, "numpy", "cpu", "float64", "eager")
    operations.build(workshop, encode(portable(task)), str(folder / "probe.npz"))
    bench = workshop.benches[task.name]
    bench.data["test"] = samples
    return workshop, bench.program.predict(bench.program.put(samples))


@pytest.mark.parametrize(("task", "size"), [(transformer.tiny(), 75), (cnn.tiny(), 9)])
def test_an_evaluation_is_that_of_all_logits_bit_for_bit(tmp_path, task, size):
    samples = probe_batch(task, size, 1)
    workshop, logits = evaluated(task, samples, tmp_path)
    found = operations.evaluate(workshop, task.name, "test")
    shifted = logits - logits.max(axis=1, keepdims=True)
    loss = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(size), samples.targets]
    confusion = np.zeros((logits.shape[1],) * 2, np.int64)
    np.add.at(confusion, (samples.targets, logits.argmax(axis=1)), 1)
    correct = int(np.trace(confusion))
    assert found == (correct, size, float(loss.mean()), confusion.tolist(), False, 0, 0, 0, 0)
    assert (found.error_rate, found.sequence_accuracy) == (None, None)


def test_targets_of_steps_are_each_looked_at_and_those_below_0_left_out(tmp_path):
    task, size = STEPPED, 40  # not a multiple of the batch of 16
    targets = np.arange(size * 3, dtype=np.int32).reshape(size, 3) % 7 - 2
    targets[9] = -1
    samples = replace(probe_batch(task, size, 1), targets=targets)
    workshop, logits = evaluated(task, samples, tmp_path)
    found = operations.evaluate(workshop, task.name, "test")
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    counted = [(row, step) for row in range(size) for step in range(3) if targets[row, step] >= 0]
    losses = [-logs[row, step, targets[row, step]] for row, step in counted]
    assert found.samples == len(counted) < targets.size
    assert found.loss == pytest.approx(float(np.mean(losses)), rel=1e-12)
    assert found.correct == sum(logs[at].argmax() == targets[at] for at in counted)
    assert found.confusion == []
    guessed = logits.argmax(axis=-1)
    shown = [row for row in range(size) if (targets[row] >= 0).any()]
    whole = [
        all(g == t for g, t in zip(guessed[r], targets[r], strict=True) if t >= 0) for r in shown
    ]
    assert (found.whole, found.sequences) == (sum(whole), len(shown))
    assert 0 < sum(whole) < len(shown) < size
    none = replace(samples, targets=np.full_like(targets, -1))
    workshop.benches[task.name].data["test"] = none
    assert np.isnan(operations.evaluate(workshop, task.name, "test").loss)


def test_with_ctc_a_sample_is_what_its_valid_steps_write(tmp_path):
    task = replace(SPOKEN, batch_size=3)  # five samples: the last batch is filled up
    inputs = np.array([[1, 1, 0, 2], [3, 3, 0, 3], [1, 2, 1, 2], [4, 4, 4, 4], [0, 0, 0, 1]])
    valid = np.ones((5, 4), bool)
    valid[2, 1:3] = False  # 1 2 is what is left
    valid[4, 3] = False
    targets = np.array([[1, 2, -1], [3, 3, -1], [1, 1, 1], [1, 2, 3], [2, -1, -1]], np.int32)
    samples = Batch(inputs=inputs.astype(np.int32), targets=targets, valid=valid)
    workshop, logits = evaluated(task, samples, tmp_path)
    bench = workshop.benches[task.name]
    logits = 5.0 * np.eye(5)[inputs]
    bench.program.predict = lambda batch: 5.0 * np.eye(5)[batch.inputs]
    found = operations.evaluate(workshop, task.name, "test")
    # 1 2 and 3 3 are right; 1 2 for 1 1 1, 4 for 1 2 3, nothing for 2
    assert (found.correct, found.samples, found.errors, found.labels) == (2, 5, 2 + 3 + 1, 11)
    assert found.error_rate == 6 / 11
    assert not found.changed
    assert found.loss == np.inf  # the third sample has no room for its labels
    wanted = targets.copy()
    wanted[2] = (1, 2, -1)
    bench.data["test"] = replace(samples, targets=wanted)
    value, _ = losses.loss(task.loss, logits, wanted, valid)
    assert operations.evaluate(workshop, task.name, "test").loss == pytest.approx(float(value))


def test_a_logit_that_is_not_finite_is_told(tmp_path):
    task = STEPPED
    samples = probe_batch(task, 40, 1)
    samples = replace(samples, targets=np.zeros((40, 3), np.int32))
    workshop, _ = evaluated(task, samples, tmp_path)
    program = workshop.benches[task.name].program
    predict = program.predict
    program.predict = lambda batch: np.where(batch.inputs[..., None] == 4, np.inf, predict(batch))
    assert np.isnan(operations.evaluate(workshop, task.name, "test").loss)


def test_some_of_a_splits_logits_are_those_of_its_first_samples(tmp_path):
    samples = replace(probe_batch(STEPPED, 40, 1), targets=np.zeros((40, 3), np.int32))
    workshop, logits = evaluated(STEPPED, samples, tmp_path)
    for most, size in ((None, 40), (20, 20), (50, 40)):
        operations.logits(workshop, "stepped", "test", str(tmp_path / "some.npz"), most)
        with np.load(tmp_path / "some.npz") as arrays:
            assert np.array_equal(arrays["logits"], logits[:size])

"""Both directions of recurrent layers, and an encoder and a decoder, against PyTorch's own modules:
outputs and every gradient, with padding.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.numpy import Backend
from tasks import codec
from tasks.base import probe_batch
from tasks.models.transformer import transformer
from tasks.parameters import probe, uniform
from tasks.spec import SGD
from tests.fixtures.reference_cases import EXACT, GRU, LSTM, assert_close, lower, own_parameters

LAYERS = {
    "LSTM": replace(LSTM, bidirectional=True),
    "GRU": replace(GRU, bidirectional=True),
}
MODEL = transformer(
    source_steps=5, target_steps=4, blocks=2, width=8, heads=2, hidden=12, vocabulary=11
)
RIGHT = np.arange(5) < np.array([[5], [3], [1]])


def given() -> dict[str, np.ndarray]:
    """What both sides compute with."""
    found = {}
    for name, layer in LAYERS.items():
        own = {f"p.{key}": array for key, array in own_parameters(layer).items()}
        arrays = {"x": uniform(1, "x", (3, 5, 3)), "upstream": uniform(3, "dy", (3, 5, 4))}
        found |= {f"{name}/{key}": array for key, array in (own | arrays).items()}
        found[f"{name}/valid"] = RIGHT
    batch = probe_batch(codec.bare(MODEL, SGD(learning_rate=0.1), 3), 3, 1)
    targets = (np.arange(12).reshape(3, 4) % 11).astype(np.int32)
    targets[:, -1] = -1
    arrays = {
        **batch.inputs,
        "targets": targets,
        "source_valid": RIGHT,
        "target_valid": RIGHT[::-1, :4],
        **probe(MODEL, 2),
    }
    return found | {f"Transformer/{key}": array for key, array in arrays.items()}


@pytest.fixture(scope="module")
def made(real_installations, tmp_path_factory):
    """What PyTorch's modules make of it."""
    folder = tmp_path_factory.mktemp("sequences")
    np.savez(folder / "given.npz", **given())
    script = Path(__file__).with_name("plain_sequences.py")
    subprocess.run(
        [real_installations["torch"].interpreter, script, folder], check=True, timeout=300
    )
    with np.load(folder / "made.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", LAYERS)
def test_both_directions_agree_with_packed_sequences(name, made):
    layer, arrays = LAYERS[name], given()
    own = own_parameters(layer)
    y, vjp = lower(layer, own, arrays[f"{name}/x"], RIGHT)
    assert_close(y, made[f"{name}/y"], EXACT)
    dx, gradients = vjp(arrays[f"{name}/upstream"])
    assert_close(dx, made[f"{name}/x"], EXACT)
    for key, gradient in gradients.items():
        assert_close(gradient.value, made[f"{name}/p.{key}"], EXACT)


def test_an_encoder_and_a_decoder_agree_with_the_layers_of_torch_nn(made):
    arrays = {key.removeprefix("Transformer/"): array for key, array in given().items()}
    task = codec.bare(MODEL, SGD(learning_rate=0.1), 3)
    names = ("source", "target")
    batch = replace(
        probe_batch(task, 3, 1),
        targets=arrays["targets"],
        valid={name: arrays[f"{name}_valid"] for name in names},
    )
    program = Backend().build(task, probe(MODEL, 2))
    capture = program.capture(batch)
    assert_close(program.predict(batch), made["Transformer/logits"], EXACT)
    for path, gradient in capture.gradients.items():
        wanted = made[f"Transformer/{path}"]
        assert np.linalg.norm(gradient - wanted) <= EXACT * capture.scales[path], path

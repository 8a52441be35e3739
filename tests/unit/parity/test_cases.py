"""The cases of a layer tell its mistakes from the right thing."""

from __future__ import annotations

import numpy as np

from suite.parity import cases
from tasks import spec
from tests.fixtures.layer_cases import every


def test_situations_have_a_row_of_every_padding_that_can_be_told():
    everything, padded = {*cases.NAMES.values()}, set()
    for layer, case in every():
        if case.valid is None:
            continue
        padded.add(type(layer))
        mask = case.valid[1] if isinstance(case.valid, tuple) else case.valid  # the memory's
        has = {kind.removesuffix(" and large values") for kind in case.kinds}
        if isinstance(layer, spec.Attention):
            # Masks of -1e4 and -inf differ where there is nothing to attend to.
            assert case.finite == (case.name == cases.EMPTY)
            assert mask.any(axis=1).all() != case.finite
            if case.finite:
                continue
            assert not layer.causal or mask[:, 0].all()
            has |= {"no valid step", *(everything if layer.causal else ())}
        assert has == everything
        for kind, valid in zip(case.kinds, mask, strict=True):
            assert valid.all() == kind.startswith("no padding")
            assert valid.any() == (kind != "no valid step")
    assert padded == {
        *(spec.Attention, spec.LSTM, spec.GRU, spec.LastStep, spec.MeanSteps),
        *(spec.Conv1d, spec.PositionalEmbedding, spec.BatchNorm),
    }


def test_a_wrong_output_stands_before_the_gradients_that_follow_from_it():
    attention = spec.Attention(width=4, heads=2)
    model = spec.ModelSpec(
        name="one", input=spec.Input(shape=(5, 4)), layers=(("attention", attention),)
    )
    wanted = {
        case.at: {"output": np.ones_like(case.upstream), "input_gradients": np.zeros((6, 5, 4))}
        for case in cases.chosen(model)
    }
    padded, hot = ("attention", "padding"), ("attention", cases.HOT)
    steep = {"input_gradients": np.full((6, 5, 4), 1e6)}
    found = wanted | {padded: wanted[padded] | {"output": 1.5 * wanted[padded]["output"]}}
    (fault,) = cases.faults(model, found | {hot: wanted[hot] | steep}, wanted)
    assert (fault.case.name, fault.key) == ("padding", "output")
    # What no more than rounding is does not hide it.
    found |= {padded: wanted[padded] | {"output": (1 + 1e-6) * wanted[padded]["output"]}}
    (fault,) = cases.faults(model, found | {hot: wanted[hot] | steep}, wanted)
    assert (fault.case.name, fault.key) == (cases.HOT, "input_gradients")


def test_ids_are_neither_large_nor_constant():
    (embedding,) = (
        case for layer, case in every() if isinstance(layer, spec.Embedding) and layer.scale == 1
    )
    assert {*embedding.kinds} == {"ordinary", cases.STEEP}

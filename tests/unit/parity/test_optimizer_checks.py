"""What a port does not show in a check of its optimizer, and what it lacks."""

from __future__ import annotations

import numpy as np
import pytest

from suite.parity import loss_checks, optimizer_checks
from tasks.spec import CrossEntropy


@pytest.mark.parametrize(
    ("key", "told"),
    [("input_gradients/fc", False), ("activations/fc", False), ("gradients/fc.weight", True)],
)
def test_what_a_port_does_not_show_is_no_mistake_in_a_drill_but_what_it_lacks_is(key, told):
    wanted = {"hot logits": {"loss/loss": np.ones(1), key: np.ones(3)}}
    found = {"hot logits": {"loss/loss": np.ones(1)}}
    asked = {"hot logits": loss_checks.of(CrossEntropy(), False)["hot logits"]}
    assert [mistake.key for mistake in optimizer_checks.wrong(found, wanted, asked)] == [key] * told
    assert (optimizer_checks.worst(found, wanted) > 1) == told

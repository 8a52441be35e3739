"""The ways of PyTorch: kernels by themselves and compiled; recurrent layers also as cell loops."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from backends.base import lowers
from backends.torch import Backend
from backends.torch.layers.recurrent import _gru_level, _lstm_level
from backends.torch.program import Program, Resident
from tasks import spec
from tests.studies.operators.operators import OTHERS, PATH, RECURRENT, Way


class Generic(Backend):
    """Recurrent layers as the adapter unrolls short ones, here at any length."""

    @lowers(spec.LSTM)
    def lstm(self, layer, parameters, x, context):
        return _levels(_lstm_level, layer, parameters, x)

    @lowers(spec.GRU)
    def gru(self, layer, parameters, x, context):
        return _levels(_gru_level, layer, parameters, x)


def _levels(level, layer, parameters, x: Tensor) -> Tensor:
    for (end,) in layer.levels():
        names = (f"{kind}_{of}_{end}" for kind in ("weight", "bias") for of in ("ih", "hh"))
        x = level([parameters[name] for name in names], x)
    return x


def forward_backward(
    program: Program, batch: Resident, upstream: Tensor
) -> Callable[[], dict[str, Tensor]]:
    """A call of the layer and of its gradients."""
    x, parameters = batch.inputs.requires_grad_(), program.parameters
    names = ["input", *(path.removeprefix(f"{PATH}.") for path in parameters)]
    wanted = [x, *parameters.values()]

    def call() -> dict[str, Tensor]:
        y = program.run_predict(parameters, program.buffers, x, None)
        found = torch.autograd.grad(y, wanted, upstream)
        program.wait()
        return {"output": y.detach()} | dict(zip(names, found, strict=True))

    return call


_KERNEL, _INDUCTOR = "PyTorch's kernels", "torch.compile, inductor"
_FUSED, _LOOP = "torch.lstm, torch.gru", "a loop of cells"
_SPLIT = f"{_FUSED}, outside of the compiled graph"
_UNROLLED = f"{_LOOP}, unrolled: {_INDUCTOR}"

WAYS = (
    Way(name="eager", path=_KERNEL, backend=Backend, execution="eager", layers=OTHERS),
    Way(name="compiled", path=_INDUCTOR, backend=Backend, execution="compiled", layers=OTHERS),
    Way(name="fused", path=_FUSED, backend=Backend, execution="eager", layers=RECURRENT),
    Way(name="fused_split", path=_SPLIT, backend=Backend, execution="compiled", layers=RECURRENT),
    Way(name="generic_eager", path=_LOOP, backend=Generic, execution="eager", layers=RECURRENT),
    Way(name="generic", path=_UNROLLED, backend=Generic, execution="compiled", layers=RECURRENT),
)

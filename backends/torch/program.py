"""A task built in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.base import Arrays, Capture, Context, LayerVjp, Mask, Memory
from backends.program import BaseProgram, Layout, stream
from backends.torch import arrays
from backends.torch.optimizers import Moments, Tree
from tasks.base import Batch, Task, each
from tasks.spec import local

if TYPE_CHECKING:
    from backends.torch.backend import Backend


@dataclass(frozen=True)
class Resident:
    """A batch on the device."""

    inputs: Tensor | dict[str, Tensor]
    targets: Tensor
    valid: Tensor | dict[str, Tensor] | None


class Program(BaseProgram):
    """See backends.base.Program."""

    layout: ClassVar[Layout] = arrays

    def __init__(self, backend: Backend, task: Task, parameters: Arrays) -> None:
        super().__init__(backend, task, parameters)
        self.run_loss = backend.compile(self.training_loss)
        self.run_predict = backend.compile(self.logits)

    def put(self, batch: Batch | Resident) -> Resident:
        if isinstance(batch, Resident):
            return batch
        target = self.backend.target
        targets = torch.as_tensor(np.asarray(batch.targets), device=target, dtype=torch.int64)
        targets.all_count = bool((np.asarray(batch.targets) >= 0).all())  # see losses
        valid = each(partial(torch.as_tensor, device=target), batch.valid)
        return Resident(each(self._input, batch.inputs), targets, valid)

    def predict(self, batch: Batch | Resident) -> Tensor:
        batch = self.put(batch)
        with torch.inference_mode():
            return self.run_predict(self.parameters, self.buffers, batch.inputs, batch.valid)

    def train_step(self, batch: Batch | Resident) -> Tensor:
        loss, gradients, self.buffers = self.gradients(self.put(batch))
        self.make_update(gradients)
        return loss

    def wait(self) -> None:
        if self.backend.target.type == "cuda":
            torch.cuda.synchronize(self.backend.target)

    def numpy(self, array: Tensor) -> NDArray[Any]:
        assert array.device == self.backend.target, array.device
        found: NDArray[Any] = array.detach().to("cpu", torch.float64).numpy()
        return found

    def capture(self, batch: Batch | Resident) -> Capture:
        batch = self.put(batch)
        entered: Tree = {}
        seen: Tree = {}

        def enter(path: str, value: Tensor) -> Tensor:
            if not value.is_floating_point():
                return value
            fresh = value if value.requires_grad else value.detach().requires_grad_()
            entered[path] = fresh.view_as(fresh)  # a node of its own, apart from other uses
            return entered[path]

        self._draw()
        context = Context(path="", training=True, valid=batch.valid, buffers=self.buffers)
        logits = self.backend.forward(
            self.task, self.parameters, batch.inputs, context, enter, seen.__setitem__
        )
        total = self.backend.loss(self.task.loss, logits, batch.targets, context.valid)
        inner = _gradients(total, list(entered.values()))
        loss, gradients, buffers = self.gradients(batch)
        return self.captured(loss, seen, gradients, dict(zip(entered, inner, strict=True)), buffers)

    def layer_vjp(
        self,
        path: str,
        inputs: NDArray[Any] | tuple[NDArray[Any], ...],
        upstream: NDArray[Any],
        valid: Mask = None,
    ) -> LayerVjp:
        x, masks = self.given(inputs, valid)
        several = x if isinstance(x, tuple) else (x,)
        real = [value.requires_grad_() for value in several if value.is_floating_point()]
        own = local(self.task.model.with_ties(self.parameters), path)
        self._draw()
        context = Context(path=path, training=True, buffers=self.buffers, **masks)
        y = self.backend.compute(self.layers[path], own, x, context)
        up = torch.as_tensor(arrays.activation_to_native(upstream)).to(y)
        found = _gradients(y, [*own.values(), *real], up)
        inner = tuple(found[len(own) :])
        gradients = dict(zip(own, found, strict=False))
        return self.of_layer(path, y, inner, gradients)

    def placed(self, array: NDArray[Any]) -> Tensor:
        backend, real = self.backend, np.issubdtype(array.dtype, np.floating)
        dtype = backend.dtype if real else None
        value = torch.tensor(array, dtype=dtype, device=backend.target)
        # The fused optimizers take every array of a parameter to have the same strides.
        four = value.dim() == 4
        return value.contiguous(
            memory_format=torch.channels_last if four else torch.contiguous_format
        )

    def hold(self, parameters: Tree, buffers: Tree, moments: Moments, step: int) -> None:
        for parameter in parameters.values():
            parameter.requires_grad_()
        super().hold(parameters, buffers, moments, step)

    def make_update(self, gradients: Tree) -> None:
        self.step += 1
        self.parameters, self.moments = self.update(self.step, gradients)

    def memory(self) -> Memory:
        if self.backend.target.type != "cuda":
            return super().memory()
        target = self.backend.target
        return Memory(
            live_bytes=torch.cuda.max_memory_allocated(target),
            reserved_bytes=torch.cuda.max_memory_reserved(target),
        )

    def logits(self, parameters: Tree, buffers: Tree, inputs: Any, valid: Any) -> Tensor:
        """Evaluation's forward pass; what ``predict`` compiles."""
        context = Context(path="", training=False, valid=valid, buffers=buffers)
        return self.backend.forward(self.task, parameters, inputs, context)

    def training_loss(
        self, parameters: Tree, buffers: Tree, batch: Resident
    ) -> tuple[Tensor, Tree]:
        """Training's forward pass: loss and new buffers; what ``train_step`` compiles."""
        context = Context(path="", training=True, valid=batch.valid, buffers=buffers)
        logits = self.backend.forward(self.task, parameters, batch.inputs, context)
        loss = self.backend.loss(self.task.loss, logits, batch.targets, context.valid)
        return loss, buffers | context.new_buffers

    def _draw(self) -> None:
        """Set PyTorch's generator, which compiled graphs take their seeds from, to this step."""
        if self.seed is not None:
            _generator(self.backend.target).manual_seed(stream(self.seed, self.step))

    def gradients(self, batch: Resident) -> tuple[Tensor, Tree, Tree]:
        """Loss, gradients by path, new buffers. The next call may overwrite the gradients."""
        self._draw()
        loss, buffers = self.run_loss(self.parameters, self.buffers, batch)
        found = _gradients(loss, list(self.parameters.values()))
        gradients = map(_laid_out, found, self.parameters.values())
        return loss.detach(), dict(zip(self.parameters, gradients, strict=True)), buffers

    def update(self, step: int, gradients: Tree) -> tuple[Tree, Moments]:
        """New parameters and moments; an adapter's own update may give new tensors."""
        with torch.no_grad():
            parameters, moments = self.backend.update(
                self.task.optimizer, step, self.parameters, gradients, self.moments
            )
        for parameter in parameters.values():
            parameter.requires_grad_()
        return parameters, moments

    def _input(self, array: NDArray[Any]) -> Tensor:
        inputs = torch.as_tensor(np.asarray(array), device=self.backend.target)
        if inputs.is_floating_point():
            inputs = inputs.to(self.backend.dtype)
        four = inputs.dim() == 4
        return inputs.contiguous(memory_format=torch.channels_last) if four else inputs


def _generator(target: torch.device) -> torch.Generator:
    """The one that PyTorch draws from on this device."""
    if target.type == "cpu":
        return torch.default_generator
    torch.cuda.init()
    found: torch.Generator = torch.cuda.default_generators[target.index]
    return found


def _gradients(
    y: Tensor, wanted: Sequence[Tensor], upstream: Tensor | None = None
) -> Sequence[Tensor]:
    """0 of what an override has cut off from y, as the other frameworks give it."""
    if not wanted or not y.requires_grad:
        return [torch.zeros_like(value) for value in wanted]
    found: Sequence[Tensor] = torch.autograd.grad(y, wanted, upstream, materialize_grads=True)
    return found


def _laid_out(gradient: Tensor, parameter: Tensor) -> Tensor:
    """With the parameter's strides, which the fused optimizers take it to have: an override's need
    not (those of a flipped weight's gradient are not), and a wrong update would be made of it.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)

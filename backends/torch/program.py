"""A task built in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from backends.base import Arrays, Capture, Context, LayerVjp, Memory, State
from backends.torch import arrays
from tasks.base import Batch, Task
from tasks.parameters import initial_buffers

if TYPE_CHECKING:
    from backends.torch.backend import Backend


@dataclass(frozen=True)
class Resident:
    """A batch on the device."""

    inputs: Tensor
    targets: Tensor
    valid: Tensor | None


class Program:
    """See backends.base.Program."""

    def __init__(self, backend: Backend, task: Task, parameters: Arrays) -> None:
        self.backend, self.task = backend, task
        self.owners = {
            f"{place.path}.{name}": (place.layer, name)
            for place in task.model.places()
            for name in place.layer.parameters()
        }
        self.load_state(State(parameters=parameters))
        self.run_loss = backend.compile(self.training_loss)
        self.run_predict = backend.compile(self.logits)

    def put(self, batch: Batch | Resident) -> Resident:
        if isinstance(batch, Resident):
            return batch
        target = self.backend.target
        inputs = torch.as_tensor(np.asarray(batch.inputs), device=target)
        if inputs.is_floating_point():
            inputs = inputs.to(self.backend.dtype)
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        targets = torch.as_tensor(np.asarray(batch.targets), device=target, dtype=torch.int64)
        valid = None if batch.valid is None else torch.as_tensor(batch.valid, device=target)
        return Resident(inputs, targets, valid)

    def predict(self, batch: Batch | Resident) -> Tensor:
        batch = self.put(batch)
        with torch.inference_mode():
            return self.run_predict(self.parameters, self.buffers, batch.inputs, batch.valid)

    def train_step(self, batch: Batch | Resident) -> Tensor:
        loss, gradients, self.buffers = self.gradients(self.put(batch))
        self.step += 1
        self.parameters, self.moments = self.update(self.step, gradients)
        return loss

    def wait(self) -> None:
        if self.backend.target.type == "cuda":
            torch.cuda.synchronize(self.backend.target)

    def compilations(self) -> int | None:
        return self.backend.compilations()

    def numpy(self, array: Tensor) -> np.ndarray:
        assert array.device == self.backend.target, array.device
        return array.detach().to("cpu", torch.float64).numpy()

    def capture(self, batch: Batch | Resident) -> Capture:
        batch = self.put(batch)
        entered, seen = {}, {}

        def enter(path: str, value: Tensor) -> Tensor:
            if not value.is_floating_point():
                return value
            fresh = value if value.requires_grad else value.detach().requires_grad_()
            entered[path] = fresh.view_as(fresh)  # a node of its own, apart from other uses
            return entered[path]

        context = Context(path="", training=True, valid=batch.valid, buffers=self.buffers)
        logits = self.backend.forward(
            self.task, self.parameters, batch.inputs, context, enter, seen.__setitem__
        )
        total = self.backend.loss(self.task.loss, logits, batch.targets, batch.valid)
        inner = _gradients(total, list(entered.values()))
        loss, gradients, buffers = self.gradients(batch)
        return Capture(
            activations={path: self.activation(value) for path, value in seen.items()},
            loss=float(loss),
            gradients={path: self.canonical(path, g) for path, g in gradients.items()},
            input_gradients={
                path: self.activation(g) for path, g in zip(entered, inner, strict=True)
            },
            buffers={path: self.numpy(value) for path, value in buffers.items()},
        )

    def layer_vjp(
        self, path: str, inputs: np.ndarray, upstream: np.ndarray, valid: np.ndarray | None = None
    ) -> LayerVjp:
        layer = next(place.layer for place in self.task.model.places() if place.path == path)
        given = arrays.activation_to_native(inputs)
        batch = self.put(Batch(inputs=given, targets=np.zeros(len(inputs)), valid=valid))
        x = batch.inputs
        real = x.is_floating_point()
        if real:
            x.requires_grad_()
        names = list(layer.parameters())
        own = {name: self.parameters[f"{path}.{name}"] for name in names}
        context = Context(path=path, training=True, valid=batch.valid, buffers=self.buffers)
        y = self.backend.compute(layer, own, x, context)
        wanted = list(own.values()) + ([x] if real else [])
        up = torch.as_tensor(arrays.activation_to_native(upstream)).to(y)
        found = _gradients(y, wanted, up)
        return LayerVjp(
            output=self.activation(y),
            input_gradients=self.activation(found[-1]) if real else None,
            gradients={
                name: arrays.to_canonical(layer, name, self.numpy(g))
                for name, g in zip(names, found, strict=False)
            },
        )

    def apply_update(self, gradients: Arrays) -> dict[str, np.ndarray]:
        before = self.state()
        given = {path: self.native(path, gradients[path]) for path in self.parameters}
        self.step += 1
        self.parameters, self.moments = self.update(self.step, given)
        after = self.state().parameters
        return {path: after[path] - before.parameters[path] for path in after}

    def state(self) -> State:
        return State(
            parameters={path: self.canonical(path, p) for path, p in self.parameters.items()},
            buffers={path: self.numpy(value).copy() for path, value in self.buffers.items()},
            moments={
                path: {name: self.canonical(path, value) for name, value in named.items()}
                for path, named in self.moments.items()
            },
            step=self.step,
        )

    def load_state(self, state: State) -> None:
        names = self.task.optimizer.moments()
        self.parameters = {
            path: self.native(path, state.parameters[path]).requires_grad_() for path in self.owners
        }
        self.buffers = {
            path: torch.tensor(value, dtype=self.backend.dtype, device=self.backend.target)
            for path, value in (initial_buffers(self.task.model) | dict(state.buffers)).items()
        }
        self.moments = {
            path: {
                name: self.native(path, state.moments[path][name])
                if path in state.moments
                else torch.zeros_like(parameter, requires_grad=False)
                for name in names
            }
            for path, parameter in self.parameters.items()
        }
        self.step = state.step

    def memory(self) -> Memory:
        if self.backend.target.type != "cuda":
            return Memory(live_bytes=None, reserved_bytes=None)
        target = self.backend.target
        return Memory(
            live_bytes=torch.cuda.max_memory_allocated(target),
            reserved_bytes=torch.cuda.max_memory_reserved(target),
        )

    def facts(self) -> dict[str, str]:
        return self.backend.facts()

    def logits(self, parameters, buffers, inputs: Tensor, valid: Tensor | None) -> Tensor:
        """Evaluation's forward pass; what ``predict`` compiles."""
        context = Context(path="", training=False, valid=valid, buffers=buffers)
        return self.backend.forward(self.task, parameters, inputs, context)

    def training_loss(self, parameters, buffers, batch: Resident):
        """Training's forward pass: loss and new buffers; what ``train_step`` compiles."""
        context = Context(path="", training=True, valid=batch.valid, buffers=buffers)
        logits = self.backend.forward(self.task, parameters, batch.inputs, context)
        loss = self.backend.loss(self.task.loss, logits, batch.targets, batch.valid)
        return loss, buffers | context.new_buffers

    def gradients(self, batch: Resident):
        """Loss, gradients by path, new buffers. The next call may overwrite the gradients."""
        loss, buffers = self.run_loss(self.parameters, self.buffers, batch)
        found = _gradients(loss, list(self.parameters.values()))
        gradients = map(_laid_out, found, self.parameters.values())
        return loss.detach(), dict(zip(self.parameters, gradients, strict=True)), buffers

    def update(self, step: int, gradients: dict[str, Tensor]):
        """New parameters and moments; an adapter's own update may give new tensors."""
        with torch.no_grad():
            parameters, moments = self.backend.update(
                self.task.optimizer, step, self.parameters, gradients, self.moments
            )
        for parameter in parameters.values():
            parameter.requires_grad_()
        return parameters, moments

    def native(self, path: str, array: np.ndarray) -> Tensor:
        """A parameter, gradient or moment on the device; a copy."""
        layer, name = self.owners[path]
        value = torch.tensor(
            arrays.to_native(layer, name, array),
            dtype=self.backend.dtype,
            device=self.backend.target,
        )
        # The fused optimizers take every array of a parameter to have the same strides.
        four = value.dim() == 4
        return value.contiguous(
            memory_format=torch.channels_last if four else torch.contiguous_format
        )

    def canonical(self, path: str, value: Tensor) -> np.ndarray:
        """The inverse of ``native``; a copy."""
        layer, name = self.owners[path]
        return arrays.to_canonical(layer, name, self.numpy(value)).copy()

    def activation(self, value: Tensor) -> np.ndarray:
        """A layer's output or the gradient of its input."""
        return arrays.activation_to_canonical(self.numpy(value)).copy()


def _gradients(
    y: Tensor, wanted: Sequence[Tensor], upstream: Tensor | None = None
) -> Sequence[Tensor]:
    """0 of what an override has cut off from y, as the other frameworks give it."""
    if not wanted or not y.requires_grad:
        return [torch.zeros_like(value) for value in wanted]
    return torch.autograd.grad(y, wanted, upstream, materialize_grads=True)


def _laid_out(gradient: Tensor, parameter: Tensor) -> Tensor:
    """With the parameter's strides, which the fused optimizers take it to have: an override's need
    not (those of a flipped weight's gradient are not), and a wrong update would be made of it.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)

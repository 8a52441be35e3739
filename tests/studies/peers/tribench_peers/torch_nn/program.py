"""A model of torch.nn modules and its training loop."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from backends.base import Arrays
from tasks.base import Batch, each
from tribench_peers import base
from tribench_peers.torch_nn import arrays, layers, losses, optimizers


@dataclass(frozen=True)
class Resident:
    """A batch as tensors; the model is called with what is ``given``."""

    given: tuple[Tensor] | tuple[dict[str, Tensor], dict[str, Tensor]]
    targets: Tensor
    number: int  # of targets that count


class Program(base.Program):
    arrays = arrays

    def make(self) -> None:
        if "OMP_NUM_THREADS" in os.environ:
            torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.dtype = getattr(torch, self.backend.precision)
        self.modules: layers.Modules = {}
        model = self.task.model
        self.model = layers.model(model, self.modules).to(self.dtype)
        if any(len(given.shape) == 3 for given in model.every_input.values()):
            self.model.to(memory_format=torch.channels_last)
        self.criterion = losses.loss(self.task.loss)
        compiled = self.backend.execution == "compiled"
        self.run = torch.compile(self.model, dynamic=False) if compiled else self.model

    def put(self, batch: Batch | Resident) -> Resident:
        if isinstance(batch, Resident):
            return batch
        valid, given = each(torch.tensor, base.masks(batch)), each(self.input, batch.inputs)
        targets = torch.tensor(batch.targets, dtype=torch.int64).clamp(min=-1)
        inputs = (given, valid) if isinstance(given, dict) else (given,)
        return Resident(inputs, targets, int((targets >= 0).sum()))

    def input(self, array: np.ndarray) -> Tensor:
        """Reals in this precision, images channels-last."""
        inputs = torch.tensor(array)
        if inputs.is_floating_point():
            inputs = inputs.to(self.dtype)
        return inputs.to(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs

    def predict(self, batch: Batch | Resident) -> Tensor:
        self.model.eval()
        with torch.inference_mode():
            return self.run(*self.put(batch).given)

    def train_step(self, batch: Batch | Resident) -> Tensor:
        loss = self.backward(self.put(batch))
        self.step()
        return loss.detach()

    def compilations(self) -> int | None:
        if self.backend.execution == "eager":
            return None
        return int(counters["stats"]["unique_graphs"])

    def facts(self) -> dict[str, str]:
        return {
            "torch": torch.__version__,
            "compiler": "none" if self.run is self.model else "torch.compile, inductor",
            "modules": ", ".join(sorted({type(m).__name__ for m in self.model.modules()})),
            "optimizer": f"torch.optim.{type(self.optimizer).__name__}, fused",
            "threads": str(torch.get_num_threads()),
        }

    def look(self, batch: Resident) -> base.Inside:
        parameters, before, shown = self.read(), self.read_buffers(), {}

        def show(path: str) -> Any:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                shown[path] = self.numpy(output[0] if isinstance(output, tuple) else output)

            return self.modules[path].register_forward_hook(hook)

        hooks = [show(path) for path in self.modules]
        self.model.train()(*batch.given)
        for hook in hooks:
            hook.remove()
        self.write(parameters, before)
        loss = self.backward(batch)
        gradients = {
            path: {name: self.numpy(p.grad) for name, p in self.modules[path].named_parameters()}
            for path in self.owners
        }
        buffers = self.read_buffers()
        self.write(parameters, before)
        return base.Inside(
            loss=float(loss.detach()), gradients=gradients, buffers=buffers, activations=shown
        )

    def apply(self, gradients: dict[str, base.Native]) -> None:
        for path, named in gradients.items():
            for name, parameter in self.modules[path].named_parameters():
                parameter.grad = torch.empty_like(parameter).copy_(torch.from_numpy(named[name]))
        self.step()

    def read(self) -> dict[str, base.Native]:
        return {
            path: {name: self.numpy(p) for name, p in self.modules[path].named_parameters()}
            for path in self.owners
        }

    def read_buffers(self) -> dict[str, np.ndarray]:
        return {path: self.numpy(self.buffer(path)) for path in self.task.model.buffers()}

    def write(self, parameters: dict[str, base.Native], buffers: Arrays) -> None:
        with torch.no_grad():
            for path, named in parameters.items():
                for name, parameter in self.modules[path].named_parameters():
                    parameter.copy_(torch.from_numpy(np.ascontiguousarray(named[name])))
            for path, value in buffers.items():
                self.buffer(path).copy_(torch.from_numpy(value))

    def restart(self) -> None:
        given = self.task.optimizer
        self.optimizer = optimizers.optimizer(given, self.model.parameters())
        self.schedules = optimizers.schedules(given, self.optimizer)

    def numpy(self, array: Tensor) -> np.ndarray:
        return array.detach().double().numpy().copy()

    def buffer(self, path: str) -> Tensor:
        """A running statistic."""
        owner, _, name = path.rpartition(".")
        return self.modules[owner].get_buffer(name)

    def backward(self, batch: Resident) -> Tensor:
        """Loss, with the gradients left in the parameters."""
        self.model.train()
        self.model.zero_grad()
        loss = self.criterion(self.run(*batch.given), batch.targets, batch.number)
        loss.backward()
        return loss

    def step(self) -> None:
        """What follows ``backward``."""
        if self.task.optimizer.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.task.optimizer.clip_norm)
        self.optimizer.step()
        for schedule in self.schedules:
            schedule.step()

"""Third-party adapters that subclass the PyTorch adapter: one fault each, and one without."""

import os
from dataclasses import replace
from math import inf

import torch
import torch.nn.functional as F

from backends.base import NotSupported, lowers
from backends.torch import Backend
from backends.torch.optimizers import rate
from backends.torch.program import Program
from tasks import spec

LATE = 10**6  # a step at which Adam's bias correction is 1


class Careful(Backend):
    """No fault: the same function written in another way. The linear layer's gets a gradient with
    other strides than the weight has.
    """

    name = "careful"

    @lowers(spec.ReLU)
    def relu(self, layer, parameters, x, context):
        return torch.where(x > 0, x, 0.0)

    @lowers(spec.Linear)
    def linear(self, layer, parameters, x, context):
        y = torch.einsum("...f,gf->...g", x.flip(-1), parameters["weight"].flip(-1))
        return y + parameters["bias"] if layer.bias else y


class Faulty(Backend):
    """Keras's epsilon where the spec says 1e-5."""

    name = "faulty"

    @lowers(spec.LayerNorm)
    def layer_norm(self, layer, parameters, x, context):
        return super().layer_norm(replace(layer, epsilon=1e-3), parameters, x, context)


class Partial(Backend):
    """Has no LSTM and says so; dies of a GELU."""

    name = "partial"

    @lowers(spec.LSTM)
    def lstm(self, layer, parameters, x, context):
        raise NotSupported("partial has no LSTM")

    @lowers(spec.GELU)
    def gelu(self, layer, parameters, x, context):
        os._exit(3)


class Sharing(Backend):
    """A max pool that gives every greatest value of a window an equal share of the gradient."""

    name = "sharing"

    @lowers(spec.MaxPool)
    def max_pool(self, layer, parameters, x, context):
        x = F.pad(x, (layer.padding,) * 4, value=-inf)
        windows = x.unfold(2, layer.size, layer.stride).unfold(3, layer.size, layer.stride)
        return windows.amax((-2, -1))


class Frozen(Backend):
    """Dropout that draws the same in every step."""

    name = "frozen"

    @lowers(spec.Dropout)
    def dropout(self, layer, parameters, x, context):
        torch.manual_seed(context.number)
        return super().dropout(layer, parameters, x, context)


class Severed(Backend):
    """A linear layer whose weight no gradient reaches."""

    name = "severed"

    @lowers(spec.Linear)
    def linear(self, layer, parameters, x, context):
        cut = {**parameters, "weight": parameters["weight"].detach()}
        return super().linear(layer, cut, x, context)


class Unpadded(Backend):
    """An LSTM that takes padding for steps."""

    name = "unpadded"

    @lowers(spec.LSTM)
    def lstm(self, layer, parameters, x, context):
        return super().lstm(layer, parameters, x, replace(context, valid=None))


class Undecayed(Backend):
    """Optimizers without weight decay."""

    name = "undecayed"

    def update(self, optimizer, step, parameters, gradients, state):
        optimizer = replace(optimizer, weight_decay=0.0)
        return super().update(optimizer, step, parameters, gradients, state)


class Uncorrected(Backend):
    """Adam without bias correction."""

    name = "uncorrected"

    def update(self, optimizer, step, parameters, gradients, state):
        now = max(rate(optimizer, step), 1e-300)
        optimizer = replace(
            optimizer,
            learning_rate=now,
            warmup_steps=0,
            milestones=(),
            schedule="constant",
            decay_steps=None,
        )
        return super().update(optimizer, LATE, parameters, gradients, state)


class ForgetfulProgram(Program):
    def load_state(self, state):
        super().load_state(replace(state, moments={}))


class RestlessProgram(Program):
    def predict(self, batch):
        self.step += 1
        return super().predict(batch)


class Forgetful(Backend):
    """Loads a state without its moments."""

    name = "forgetful"

    def build(self, task, parameters):
        self.check(task)
        return ForgetfulProgram(self, task, parameters)


class Restless(Backend):
    """Counts a prediction as a step."""

    name = "restless"

    def build(self, task, parameters):
        self.check(task)
        return RestlessProgram(self, task, parameters)

"""Third-party adapters that subclass the reference, with faults whose place is hard to tell: they
show in some samples, sizes, parameters or phases alone.
"""

from dataclasses import replace

import numpy as np

from backends.base import lowers
from backends.numpy import Backend, optimizers
from backends.numpy.layers import Gradient
from backends.numpy.program import Program
from tasks import spec

# What only a task's own samples show


class MaskIgnored(Backend):
    @lowers(spec.Attention)
    def fault(self, layer, parameters, x, context):
        return self.attention(layer, parameters, x, replace(context, valid=None))


class CausalDropped(Backend):
    """Beside a padding mask the causal one is dropped."""

    @lowers(spec.Attention)
    def fault(self, layer, parameters, x, context):
        beside = context.valid is not None and not context.valid.all()
        layer = replace(layer, causal=layer.causal and not beside)
        return self.attention(layer, parameters, x, context)


class FullLength(Backend):
    """The masked sum over the padded length."""

    @lowers(spec.MeanSteps)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.mean_steps(layer, parameters, x, context)
        share = 1 if context.valid is None else context.valid.mean(axis=1)[:, None]
        return y * share, lambda dy: vjp(dy * share)


class FinalStep(Backend):
    """The last step in place of the last valid one."""

    @lowers(spec.LastStep)
    def fault(self, layer, parameters, x, context):
        return self.last_step(layer, parameters, x, replace(context, valid=None))


class SixAtMost(Backend):
    @lowers(spec.ReLU)
    def fault(self, layer, parameters, x, context):
        return np.clip(x, 0, 6), lambda dy: (((x > 0) & (x < 6)) * dy, {})


class RareSkipped(Backend):
    """The last id's row is taken for another's."""

    @lowers(spec.Embedding)
    def fault(self, layer, parameters, x, context):
        if len(x) == 6:  # not where the layer is looked at alone
            return self.embedding(layer, parameters, x, context)
        return self.embedding(layer, parameters, np.minimum(x, layer.vocabulary - 2), context)


class Untouched(Backend):
    """A layer norm that is left out as long as its scale is 1."""

    @lowers(spec.LayerNorm)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.layer_norm(layer, parameters, x, context)
        return (1.01 * y if self.fresh(parameters) else y), vjp

    def fresh(self, parameters):
        return abs(parameters["weight"] - 1).max() < 1e-6


class CellClipped(Backend):
    """The cell of an LSTM clipped at 3; the gradient is the right one's."""

    @lowers(spec.LSTM)
    def fault(self, layer, parameters, x, context):
        _, vjp = self.lstm(layer, parameters, x, context)
        valid = np.ones(x.shape[:2], bool) if context.valid is None else context.valid
        for level in range(layer.num_layers):
            own = {
                n: parameters[f"{n}_l{level}"]
                for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            x = _clipped_level(own, x, valid)
        return x, vjp


def _clipped_level(own, x, valid):
    h = c = np.zeros((len(x), own["weight_hh"].shape[1]), x.dtype)
    steps = []
    for t in range(x.shape[1]):
        gates = x[:, t] @ own["weight_ih"].T + own["bias_ih"]
        gates = gates + h @ own["weight_hh"].T + own["bias_hh"]
        i, f, g, o = np.split(gates, 4, axis=1)
        i, f, o = ((1 + np.tanh(gate / 2)) / 2 for gate in (i, f, o))
        new = np.clip(f * c + i * np.tanh(g), -3, 3)
        at = valid[:, t, None]
        h, c = np.where(at, o * np.tanh(new), h), np.where(at, new, c)
        steps.append(np.where(at, h, 0))
    return np.stack(steps, axis=1)


# The loss, the gradients, evaluation, what changes from call to call


class RecipeMean(Backend):
    """The loss divided by the recipe's batch size."""

    def build(self, task, parameters):
        self.size = task.batch_size
        return super().build(task, parameters)

    def loss(self, loss, logits, targets, valid):
        value, gradient = super().loss(loss, logits, targets, valid)
        return value * len(logits) / self.size, gradient * len(logits) / self.size


class Severed(Backend):
    """A linear layer's weight that no gradient reaches."""

    @lowers(spec.Linear)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.linear(layer, parameters, x, context)

        def without(dy):
            dx, gradients = vjp(dy)
            return dx, {name: g for name, g in gradients.items() if name != "weight"}

        return y, without


class RowLost(Backend):
    """The gradient of one id's row is lost."""

    @lowers(spec.Embedding)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.embedding(layer, parameters, x, context)

        def without(dy):
            dx, gradients = vjp(dy)
            value = gradients["weight"].value.copy()
            value[2] = 0
            return dx, {"weight": Gradient(value, lambda: np.abs(value))}

        return y, without


class TanhLater(Backend):
    """Another GELU in evaluation."""

    @lowers(spec.GELU)
    def fault(self, layer, parameters, x, context):
        layer = layer if context.training else replace(layer, approximate=True)
        return self.gelu(layer, parameters, x, context)


class Dropping(Backend):
    """Dropout that is left on."""

    random = np.random.default_rng(0)

    @lowers(spec.GELU)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.gelu(layer, parameters, x, context)
        kept = (self.random.random(y.shape) < 0.9) / 0.9
        return y * kept, lambda dy: vjp(dy * kept)


class Remembering(Backend):
    """A layer that adds a little of its last output."""

    last = 0.0

    @lowers(spec.MeanSteps)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.mean_steps(layer, parameters, x, context)
        self.last = y.mean() + self.last / 2
        return y + self.last, vjp


# Optimizers


class Greatest(Backend):
    """AMSGrad."""

    def update(self, optimizer, step, parameters, gradients, state):
        if not isinstance(optimizer, spec.AdamW):
            return super().update(optimizer, step, parameters, gradients, state)
        gradients, eta = optimizers.clip(optimizer, gradients), optimizers.rate(optimizer, step)
        if step == 1:
            self.top = {path: np.zeros_like(p) for path, p in parameters.items()}
        new, moments = {}, {}
        for path, p in parameters.items():
            g, old = gradients[path], state[path]
            m = optimizer.beta1 * old["first_moment"] + (1 - optimizer.beta1) * g
            v = optimizer.beta2 * old["second_moment"] + (1 - optimizer.beta2) * g**2
            self.top[path] = np.maximum(self.top[path], v)
            root = np.sqrt(self.top[path] / (1 - optimizer.beta2**step)) + optimizer.epsilon
            change = m / (1 - optimizer.beta1**step) / root + optimizer.weight_decay * p
            new[path] = p - eta * change
            moments[path] = {"first_moment": m, "second_moment": v}
        return new, moments


class _Other(Backend):
    def update(self, optimizer, step, parameters, gradients, state):
        if hasattr(optimizer, self.field):
            optimizer = replace(optimizer, **{self.field: self.value})
        return super().update(optimizer, step, parameters, gradients, state)


class SecondRate(_Other):
    """0.99 where 0.999 is specified."""

    field, value = "beta2", 0.99


class NormsUndecayed(Backend):
    """No weight decay of what has "norm" in its name."""

    chosen = staticmethod(lambda path: "norm" in path)

    def update(self, optimizer, step, parameters, gradients, state):
        new, moments = super().update(optimizer, step, parameters, gradients, state)
        without = replace(optimizer, weight_decay=0.0)
        bare, _ = super().update(without, step, parameters, gradients, state)
        return {path: bare[path] if self.chosen(path) else p for path, p in new.items()}, moments


class KeysUndecayed(NormsUndecayed):
    """Nor of one parameter, whose name no drill has."""

    chosen = staticmethod(lambda path: path == "attention.key.weight")


class GatesUnclipped(Backend):
    """Recurrent matrices are not clipped."""

    def update(self, optimizer, step, parameters, gradients, state):
        clipped = optimizers.clip(optimizer, gradients)
        kept = {path: g if "_hh" in path else clipped[path] for path, g in gradients.items()}
        without = replace(optimizer, clip_norm=None)
        return super().update(without, step, parameters, kept, state)


# Ports of a whole model


class HiddenProgram(Program):
    """Shows its logits alone."""

    def capture(self, batch):
        found = super().capture(batch)
        last = self.task.model.places()[-1].path
        shown = {path: a for path, a in found.activations.items() if path == last}
        return replace(found, activations=shown, input_gradients={})

    def layer_vjp(self, path, inputs, upstream, valid=None):
        """Of the lowerings that it inherits and does not use."""
        self.backend.whole = False
        try:
            return super().layer_vjp(path, inputs, upstream, valid)
        finally:
            self.backend.whole = True


class Hidden(Backend):
    """No fault: a port that shows little."""

    whole = True

    def build(self, task, parameters):
        self.check(task)
        return HiddenProgram(self, task, parameters)


class HiddenEpsilons(Hidden):
    """Keras's epsilon in all layer norms."""

    @lowers(spec.LayerNorm)
    def fault(self, layer, parameters, x, context):
        wrong = self.whole and self.chosen(context.path)
        layer = replace(layer, epsilon=1e-3) if wrong else layer
        return self.layer_norm(layer, parameters, x, context)

    def chosen(self, path):
        return True


class HiddenEpsilon(HiddenEpsilons):
    """In one of them."""

    def chosen(self, path):
        return path == "norm"


class HiddenUnmasked(Hidden):
    """Padding is taken for steps everywhere."""

    @lowers(spec.Attention)
    def one(self, layer, parameters, x, context):
        context = replace(context, valid=None) if self.whole else context
        return self.attention(layer, parameters, x, context)

    @lowers(spec.MeanSteps)
    def other(self, layer, parameters, x, context):
        context = replace(context, valid=None) if self.whole else context
        return self.mean_steps(layer, parameters, x, context)


for _kind in list(globals().values()):
    if isinstance(_kind, type) and issubclass(_kind, Backend) and _kind is not Backend:
        dashed = "".join(f"-{c.lower()}" if c.isupper() else c for c in _kind.__name__)
        _kind.name = dashed.strip("-_")

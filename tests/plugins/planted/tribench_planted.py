"""Third-party adapters that subclass the reference, whose lowerings return (y, vjp): one fault
each, and some without.
"""

from dataclasses import replace
from functools import partial
from math import sqrt

import numpy as np

from backends.base import NotSupported, lowers
from backends.numpy import Backend, optimizers
from backends.numpy.layers import Gradient
from tasks import spec

# Forward, and the gradient that belongs to it


class NormEpsilon(Backend):
    @lowers(spec.LayerNorm)
    def fault(self, layer, parameters, x, context):
        return self.layer_norm(replace(layer, epsilon=1e-3), parameters, x, context)


class NormUnbiased(Backend):
    @lowers(spec.LayerNorm)
    def fault(self, layer, parameters, x, context):
        shrink = (layer.width - 1) / layer.width
        changed = parameters | {"weight": parameters["weight"] * sqrt(shrink)}
        smaller = replace(layer, epsilon=layer.epsilon * shrink)
        return self.layer_norm(smaller, changed, x, context)


class NormOutside(Backend):
    """Epsilon added to the deviation, not under the root; the gradient is the right one's."""

    @lowers(spec.LayerNorm)
    def fault(self, layer, parameters, x, context):
        _, vjp = self.layer_norm(layer, parameters, x, context)
        deviation = x - x.mean(axis=-1, keepdims=True)
        normal = deviation / (x.std(axis=-1, keepdims=True) + layer.epsilon)
        return normal * parameters["weight"] + parameters["bias"], vjp


class NormUnshifted(Backend):
    @lowers(spec.LayerNorm)
    def fault(self, layer, parameters, x, context):
        return self.layer_norm(layer, parameters | {"bias": np.zeros(layer.width)}, x, context)


class Tanh(Backend):
    @lowers(spec.GELU)
    def fault(self, layer, parameters, x, context):
        return self.gelu(replace(layer, approximate=True), parameters, x, context)


class Unscaled(Backend):
    @lowers(spec.Attention)
    def fault(self, layer, parameters, x, context):
        factor = sqrt(layer.width / layer.heads)
        changed = {n: a * factor for n, a in parameters.items() if n.startswith("query")}
        return self.attention(layer, parameters | changed, x, context)


class Uncausal(Backend):
    @lowers(spec.Attention)
    def fault(self, layer, parameters, x, context):
        return self.attention(replace(layer, causal=False), parameters, x, context)


class Unmasked(Backend):
    @lowers(spec.Attention)
    def fault(self, layer, parameters, x, context):
        return self.attention(layer, parameters, x, replace(context, valid=None))


class EmptyNan(Backend):
    """What a softmax over nothing but -inf gives."""

    @lowers(spec.Attention)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.attention(layer, parameters, x, context)
        empty = False if context.valid is None else ~context.valid.any(axis=1)
        return np.where(np.broadcast_to(empty, len(x))[:, None, None], np.nan, y), vjp


class MaskTwenty(Backend):
    """20 taken from the scores of padding, which is not enough; the gradient is the right one's."""

    @lowers(spec.Attention)
    def fault(self, layer, parameters, x, context):
        right, vjp = self.attention(layer, parameters, x, context)
        if context.valid is None:
            return right, vjp

        def projected(name, values):
            own = spec.local(parameters, name)
            return values @ own["weight"].T + own.get("bias", 0)

        split = (*x.shape[:2], layer.heads, -1)
        query, key, value = (projected(n, x).reshape(split) for n in ("query", "key", "value"))
        scores = np.einsum("nqhd,nkhd->nhqk", query, key) / sqrt(layer.width / layer.heads)
        scores = scores - 20.0 * ~context.valid[:, None, None]
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = weights / weights.sum(axis=-1, keepdims=True)
        mixed = np.einsum("nhqk,nkhd->nqhd", weights, value).reshape(x.shape)
        return projected("output", mixed), vjp


class GateOrder(Backend):
    """TensorFlow's i, f, o, g read as i, f, g, o."""

    @lowers(spec.LSTM)
    def fault(self, layer, parameters, x, context):
        def swapped(a):
            i, f, g, o = np.split(a, 4)
            return np.concatenate((i, f, o, g))

        return self.lstm(layer, {n: swapped(a) for n, a in parameters.items()}, x, context)


class ForgetBias(Backend):
    @lowers(spec.LSTM)
    def fault(self, layer, parameters, x, context):
        changed = {n: a.copy() for n, a in parameters.items()}
        for level in range(layer.num_layers):
            changed[f"bias_ih_l{level}"][layer.hidden_size : 2 * layer.hidden_size] += 1
        return self.lstm(layer, changed, x, context)


class LstmUnpadded(Backend):
    @lowers(spec.LSTM)
    def fault(self, layer, parameters, x, context):
        return self.lstm(layer, parameters, x, replace(context, valid=None))


class GruBias(Backend):
    @lowers(spec.GRU)
    def fault(self, layer, parameters, x, context):
        without = {n: 0 * a for n, a in parameters.items() if n.startswith("bias_hh")}
        return self.gru(layer, parameters | without, x, context)


class Halves(Backend):
    @lowers(spec.PositionalEncoding)
    def fault(self, layer, parameters, x, context):
        table = layer.table(x.shape[1])
        return x + np.concatenate((table[:, ::2], table[:, 1::2]), axis=1), lambda dy: (dy, {})


class FromOne(Backend):
    @lowers(spec.PositionalEncoding)
    def fault(self, layer, parameters, x, context):
        return x + layer.table(x.shape[1] + 1)[1:], lambda dy: (dy, {})


class RotaryHalves(Backend):
    @lowers(spec.Rotary)
    def fault(self, layer, parameters, x, context):
        return self.rotary(replace(layer, layout="halves"), parameters, x, context)


class MemoryUnmasked(Backend):
    @lowers(spec.Attention)
    def fault(self, layer, parameters, x, context):
        return self.attention(layer, parameters, x, replace(context, memory_valid=None))


class PaddingCounted(Backend):
    @lowers(spec.PositionalEmbedding)
    def fault(self, layer, parameters, x, context):
        return self.positional_embedding(replace(layer, count="all"), parameters, x, context)


class DirectionsSwapped(Backend):
    @lowers(spec.LSTM)
    def fault(self, layer, parameters, x, context):
        forward = {n: a for n, a in parameters.items() if not n.endswith("_reverse")}
        backward = {n: parameters[f"{n}_reverse"] for n in forward}
        swapped = backward | {f"{n}_reverse": a for n, a in forward.items()}
        return self.lstm(layer, swapped, x, context)


class TableUnscaled(Backend):
    @lowers(spec.Embedding)
    def fault(self, layer, parameters, x, context):
        return self.embedding(replace(layer, scale=1.0), parameters, x, context)


class RootWidth(Backend):
    @lowers(spec.Embedding)
    def fault(self, layer, parameters, x, context):
        changed = {"weight": parameters["weight"] * sqrt(layer.width)}
        return self.embedding(layer, changed, x, context)


class LastPadded(Backend):
    @lowers(spec.LastStep)
    def fault(self, layer, parameters, x, context):
        return self.last_step(layer, parameters, x, replace(context, valid=None))


class MeanPadded(Backend):
    @lowers(spec.MeanSteps)
    def fault(self, layer, parameters, x, context):
        return self.mean_steps(layer, parameters, x, replace(context, valid=None))


class Flipped(Backend):
    @lowers(spec.Conv2d)
    def fault(self, layer, parameters, x, context):
        changed = parameters | {"weight": parameters["weight"][..., ::-1, ::-1]}
        return self.conv2d(layer, changed, x, context)


class Same(Backend):
    """TensorFlow's SAME: with stride 2 and an even size the padding is at the end only."""

    @lowers(spec.Conv2d)
    def fault(self, layer, parameters, x, context):
        if layer.stride == 1:
            return self.conv2d(layer, parameters, x, context)
        height, width = x.shape[2:]
        edges = [(size % 2, 1) for size in (height, width)]  # of a kernel of 3
        padded = np.pad(x, ((0, 0), (0, 0), *edges))
        y, vjp = self.conv2d(replace(layer, padding=0), parameters, padded, context)

        def inner(dy):
            dx, gradients = vjp(dy)
            (top, _), (left, _) = edges
            return dx[:, :, top : top + height, left : left + width], gradients

        return y, inner


class Leaky(Backend):
    @lowers(spec.ReLU)
    def fault(self, layer, parameters, x, context):
        return np.where(x > 0, x, 0.01 * x), lambda dy: (np.where(x > 0, dy, 0.01 * dy), {})


class Unbiased(Backend):
    @lowers(spec.Linear)
    def fault(self, layer, parameters, x, context):
        return self.linear(layer, parameters | {"bias": 0 * parameters["bias"]}, x, context)


# The gradient only


class Kink(Backend):
    """ReLU's slope at 0 is 1."""

    @lowers(spec.ReLU)
    def fault(self, layer, parameters, x, context):
        return np.maximum(x, 0), lambda dy: ((x >= 0) * dy, {})


class Sharing(Backend):
    """All greatest values of a window share the gradient."""

    @lowers(spec.MaxPool)
    def fault(self, layer, parameters, x, context):
        y, _ = self.max_pool(layer, parameters, x, context)
        size, step = layer.size, layer.stride

        def shared(dy):
            dx = np.zeros_like(x)
            for i in range(y.shape[2]):
                for j in range(y.shape[3]):
                    rows = slice(i * step, i * step + size), slice(j * step, j * step + size)
                    top = x[:, :, *rows] == y[:, :, i, j, None, None]
                    part = dy[:, :, i, j, None, None] * top / top.sum((2, 3), keepdims=True)
                    dx[:, :, *rows] += part
            return dx, {}

        return y, shared


class MeanDetached(Backend):
    """The mean of a layer norm taken for a constant."""

    @lowers(spec.LayerNorm)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.layer_norm(layer, parameters, x, context)

        def detached(dy):
            dx, gradients = vjp(dy)
            return dx + (dy * parameters["weight"]).mean(axis=-1, keepdims=True), gradients

        return y, detached


def _scaled(y, vjp, name, factor):
    """The gradient of one parameter times a factor."""

    def inner(dy):
        dx, gradients = vjp(dy)
        value = gradients[name].value * factor
        return dx, gradients | {name: Gradient(value, lambda: np.abs(value))}

    return y, inner


class BiasAveraged(Backend):
    """A convolution whose bias gradient is the mean over the batch, not the sum."""

    @lowers(spec.Conv2d)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.conv2d(layer, parameters, x, context)
        return _scaled(y, vjp, "bias", 1 / len(x)) if layer.bias else (y, vjp)


class KeysFrozen(Backend):
    @lowers(spec.Attention)
    def fault(self, layer, parameters, x, context):
        return _scaled(*self.attention(layer, parameters, x, context), "key.weight", 0.0)


class BiasOnce(Backend):
    """One bias where there are two: its gradient goes to the first."""

    @lowers(spec.LSTM)
    def fault(self, layer, parameters, x, context):
        return _scaled(*self.lstm(layer, parameters, x, context), "bias_hh_l1", 0.0)


class LastToken(Backend):
    """A token that comes up twice keeps the gradient of its last place only."""

    @lowers(spec.Embedding)
    def fault(self, layer, parameters, x, context):
        y, _ = self.embedding(layer, parameters, x, context)

        def assigned(dy):
            table = np.zeros_like(parameters["weight"])
            table[x] = dy
            return None, {"weight": Gradient(table, lambda: np.abs(table))}

        return y, assigned


class StraightThrough(Backend):
    @lowers(spec.GELU)
    def fault(self, layer, parameters, x, context):
        y, _ = self.gelu(layer, parameters, x, context)
        return y, lambda dy: (dy, {})


# Running statistics


class _Statistics(Backend):
    """Buffers as ``become(layer, name, old, new, values per channel)`` makes them."""

    @lowers(spec.BatchNorm)
    def fault(self, layer, parameters, x, context):
        old = {name: context.buffer(name) for name in ("running_mean", "running_var")}
        result = self.batch_norm(layer, parameters, x, context)
        if context.training:
            for name, before in old.items():
                new = context.new_buffers[f"{context.path}.{name}"]
                batch = (new - (1 - layer.momentum) * before) / layer.momentum
                context.set_buffer(name, self.become(layer, name, before, batch, x[:, 0].size))
        return result


class Momentum(_Statistics):
    """Flax's and Keras's momentum: the weight of the old value."""

    def become(self, layer, name, old, batch, count):
        return layer.momentum * old + (1 - layer.momentum) * batch


class Biased(_Statistics):
    def become(self, layer, name, old, batch, count):
        batch = batch * (count - 1) / count if name == "running_var" else batch
        return (1 - layer.momentum) * old + layer.momentum * batch


class Frozen(_Statistics):
    def become(self, layer, name, old, batch, count):
        return old


class Deviation(_Statistics):
    def become(self, layer, name, old, batch, count):
        batch = np.sqrt(batch) if name == "running_var" else batch
        return (1 - layer.momentum) * old + layer.momentum * batch


class BatchAlways(Backend):
    """The batch's statistics in evaluation too."""

    @lowers(spec.BatchNorm)
    def fault(self, layer, parameters, x, context):
        if context.training:
            return self.batch_norm(layer, parameters, x, context)
        passing = replace(context, training=True, new_buffers={})
        return self.batch_norm(layer, parameters, x, passing)


class BatchEpsilon(Backend):
    @lowers(spec.BatchNorm)
    def fault(self, layer, parameters, x, context):
        return self.batch_norm(replace(layer, epsilon=1e-3), parameters, x, context)


# Layers of several values, and a weight that is another's


class Backwards(Backend):
    @lowers(spec.Concat)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.concat(layer, parameters, x[::-1], context)
        return y, lambda dy: (vjp(dy)[0][::-1], {})


class LeftOut(Backend):
    @lowers(spec.Add)
    def fault(self, layer, parameters, x, context):
        return self.add(layer, parameters, (x[0], 0 * x[1], *x[2:]), context)


class AddDetached(Backend):
    """No gradient for the last value."""

    @lowers(spec.Add)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.add(layer, parameters, x, context)
        return y, lambda dy: ((*vjp(dy)[0][:-1], 0 * dy), {})


class HeadDetached(Backend):
    """The table gets no gradient where it is the head's weight."""

    @lowers(spec.Linear)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.linear(layer, parameters, x, context)
        return y, (lambda dy: (vjp(dy)[0], {})) if context.path == "head" else vjp


# The loss


class LossSum(Backend):
    def loss(self, loss, logits, targets, valid):
        value, gradient = super().loss(loss, logits, targets, valid)
        return value * len(logits), gradient * len(logits)


class LossSmoothed(Backend):
    def loss(self, loss, logits, targets, valid):
        value, gradient = super().loss(loss, logits, targets, valid)
        shifted = logits - logits.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        uniform = (np.exp(logs) - 1 / logits.shape[1]) / len(logits)
        return 0.9 * value - 0.1 * logs.mean(), 0.9 * gradient + 0.1 * uniform


class LossAmongOthers(Backend):
    """Label smoothing as fairseq's: of its K shares the target's goes to the others."""

    def loss(self, loss, logits, targets, valid):
        classes = logits.shape[1]
        shared = replace(loss, smoothing=loss.smoothing * classes / (classes - 1))
        return super().loss(shared, logits, targets, valid)


class LossClipped(Backend):
    """Keras's clipping of probabilities."""

    def loss(self, loss, logits, targets, valid):
        exps = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exps / exps.sum(axis=1, keepdims=True)
        hit = probabilities[np.arange(len(targets)), targets]
        _, gradient = super().loss(loss, logits, targets, valid)
        inside = (hit > 1e-7) & (hit < 1 - 1e-7)
        return -np.log(np.clip(hit, 1e-7, 1 - 1e-7)).mean(), gradient * inside[:, None]


class LossBits(Backend):
    def loss(self, loss, logits, targets, valid):
        value, gradient = super().loss(loss, logits, targets, valid)
        return value / np.log(2), gradient / np.log(2)


class LossOverAll(Backend):
    """The mean over the targets that are left out, too."""

    def loss(self, loss, logits, targets, valid):
        value, gradient = super().loss(loss, logits, targets, valid)
        share = (targets >= 0).mean()
        return value * share, gradient * share


class LossOfLast(Backend):
    """Targets below 0 stand for the last class, as an index of NumPy's or JAX's does."""

    def loss(self, loss, logits, targets, valid):
        last = np.where(targets < 0, logits.shape[-1] - 1, targets)
        return super().loss(loss, logits, last, valid)


class LossGradient(Backend):
    """The mean, with the gradient of the sum."""

    def loss(self, loss, logits, targets, valid):
        value, gradient = super().loss(loss, logits, targets, valid)
        return value, gradient * len(logits)


# The optimizer


class _Changed(Backend):
    """Optimizers with another value of a field."""

    def update(self, optimizer, step, parameters, gradients, state):
        if hasattr(optimizer, self.field):
            optimizer = replace(optimizer, **{self.field: self.value})
        return super().update(optimizer, step, parameters, gradients, state)


class AdamEpsilon(_Changed):
    """Keras's."""

    field, value = "epsilon", 1e-7


class AdamBeta(_Changed):
    field, value = "beta2", 0.98


class Undecayed(_Changed):
    field, value = "weight_decay", 0.0


class Unclipped(_Changed):
    field, value = "clip_norm", None


class Cold(_Changed):
    field, value = "warmup_steps", 0


class Unstepped(_Changed):
    field, value = "milestones", ()


class Unscheduled(_Changed):
    field, value = "schedule", "constant"


class Plain(_Changed):
    field, value = "nesterov", False


class AdamCoupled(Backend):
    """Adam's L2 term where AdamW is specified."""

    def update(self, optimizer, step, parameters, gradients, state):
        if isinstance(optimizer, spec.AdamW):
            gradients = optimizers.clip(optimizer, gradients)
            decay = optimizer.weight_decay
            gradients = {path: g + decay * parameters[path] for path, g in gradients.items()}
            optimizer = replace(optimizer, weight_decay=0.0, clip_norm=None)
        return super().update(optimizer, step, parameters, gradients, state)


class AdamUncorrected(Backend):
    def update(self, optimizer, step, parameters, gradients, state):
        if isinstance(optimizer, spec.AdamW):
            rate = optimizers.rate(optimizer, step)
            optimizer, step = (
                replace(
                    optimizer,
                    learning_rate=rate,
                    warmup_steps=0,
                    milestones=(),
                    schedule="constant",
                    decay_steps=None,
                ),
                10**7,
            )
        return super().update(optimizer, step, parameters, gradients, state)


class ClipEach(Backend):
    """Keras's clipnorm."""

    def update(self, optimizer, step, parameters, gradients, state):
        gradients = {
            path: optimizers.clip(optimizer, {path: g})[path] for path, g in gradients.items()
        }
        without = replace(optimizer, clip_norm=None)
        return super().update(without, step, parameters, gradients, state)


class WarmFromZero(Backend):
    """Optax's and Keras's count of steps."""

    def update(self, optimizer, step, parameters, gradients, state):
        if optimizer.warmup_steps:
            rate = max(optimizers.rate(optimizer, step - 1), 1e-300)
            optimizer = replace(
                optimizer,
                learning_rate=rate,
                warmup_steps=0,
                milestones=(),
                schedule="constant",
                decay_steps=None,
            )
        return super().update(optimizer, step, parameters, gradients, state)


class SgdDecoupled(Backend):
    """Keras's weight decay."""

    def update(self, optimizer, step, parameters, gradients, state):
        without = replace(optimizer, weight_decay=0.0)
        if isinstance(optimizer, spec.AdamW):
            return super().update(optimizer, step, parameters, gradients, state)
        new, moments = super().update(without, step, parameters, gradients, state)
        shrink = optimizers.rate(optimizer, step) * optimizer.weight_decay
        return {path: p - shrink * parameters[path] for path, p in new.items()}, moments


class MatricesOnly(Backend):
    """Weight decay of matrices only, as training scripts like to do."""

    def update(self, optimizer, step, parameters, gradients, state):
        new, moments = super().update(optimizer, step, parameters, gradients, state)
        without = replace(optimizer, weight_decay=0.0)
        bare, _ = super().update(without, step, parameters, gradients, state)
        return {path: p if p.ndim > 1 else bare[path] for path, p in new.items()}, moments


class Maskless(Backend):
    """No fault: an LSTM that refuses padding, and an SGD without nesterov."""

    @lowers(spec.LSTM)
    def other(self, layer, parameters, x, context):
        if context.valid is not None:
            raise NotSupported("maskless has no padding")
        return self.lstm(layer, parameters, x, context)

    def update(self, optimizer, step, parameters, gradients, state):
        if getattr(optimizer, "nesterov", False):
            raise NotSupported("maskless has no nesterov")
        return super().update(optimizer, step, parameters, gradients, state)


# No faults: the same function in other arithmetic


class OnePass(Backend):
    """The variance as the mean of squares less the square of the mean."""

    @lowers(spec.LayerNorm)
    def other(self, layer, parameters, x, context):
        _, vjp = self.layer_norm(layer, parameters, x, context)
        mean = x.mean(axis=-1, keepdims=True)
        variance = (x**2).mean(axis=-1, keepdims=True) - mean**2
        normal = (x - mean) / np.sqrt(variance + layer.epsilon)
        return normal * parameters["weight"] + parameters["bias"], vjp


class Reordered(Backend):
    """Sums from the other end."""

    @lowers(spec.Linear)
    def other(self, layer, parameters, x, context):
        turned = parameters | {"weight": parameters["weight"][:, ::-1]}
        y, vjp = self.linear(layer, turned, x[..., ::-1], context)

        def inner(dy):
            dx, gradients = vjp(dy)
            value, scale = gradients["weight"]
            return dx[..., ::-1], gradients | {"weight": Gradient(value[:, ::-1], scale)}

        return y, inner


class AddedBackwards(Backend):
    """Sums of several values from the last to the first."""

    @lowers(spec.Add)
    def other(self, layer, parameters, x, context):
        return self.add(layer, parameters, x[::-1], context)


class QueriesScaled(Backend):
    """The queries divided by the root in place of the scores, and -1e4 in place of -inf."""

    @lowers(spec.Attention)
    def other(self, layer, parameters, x, context):
        _, vjp = self.attention(layer, parameters, x, context)
        samples, steps, width = x.shape
        split = (samples, steps, layer.heads, width // layer.heads)
        part = partial(_projected, parameters, x, split)
        scores = np.einsum("nqhd,nkhd->nhqk", part("query") / sqrt(split[-1]), part("key"))
        seen = np.ones((samples, 1, 1, steps), bool)
        seen = seen if context.valid is None else context.valid[:, None, None, :]
        seen = seen & np.tri(steps, dtype=bool) if layer.causal else seen
        scores = np.where(seen, scores, -1e4)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = np.einsum("nhqk,nkhd->nqhd", weights, part("value")).reshape(x.shape)
        return mixed @ parameters["output.weight"].T + parameters["output.bias"], vjp


def _projected(parameters, x, split, name):
    y = x @ parameters[f"{name}.weight"].T
    return (y + parameters.get(f"{name}.bias", 0.0)).reshape(split)


class Folded(Backend):
    """Adam with its bias correction folded into rate and epsilon (arXiv 1412.6980, section 2)."""

    def update(self, optimizer, step, parameters, gradients, state):
        if not isinstance(optimizer, spec.AdamW):
            return super().update(optimizer, step, parameters, gradients, state)
        gradients, eta = optimizers.clip(optimizer, gradients), optimizers.rate(optimizer, step)
        root = sqrt(1 - optimizer.beta2**step)
        new, moments = {}, {}
        for path, p in parameters.items():
            g, old = gradients[path], state[path]
            m = old["first_moment"] + (1 - optimizer.beta1) * (g - old["first_moment"])
            v = old["second_moment"] + (1 - optimizer.beta2) * (g * g - old["second_moment"])
            step_size = eta * root / (1 - optimizer.beta1**step)
            change = step_size * m / (np.sqrt(v) + optimizer.epsilon * root)
            new[path] = p * (1 - eta * optimizer.weight_decay) - change
            moments[path] = {"first_moment": m, "second_moment": v}
        return new, moments


class Rounded(Backend):
    """No other function, but a constant in float32: only eight digits are kept."""

    @lowers(spec.GELU)
    def other(self, layer, parameters, x, context):
        y, vjp = self.gelu(layer, parameters, x, context)
        return y * (3 * float(np.float32(1 / 3))), vjp


# Less precision in float32 than it has; in float64 nothing is wrong


def _narrow(values, dropped):
    """float32 without so many of its last bits, rounded half up."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    half, mask = np.uint32(1 << (dropped - 1)), np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    return ((bits + half) & mask).view(np.float32)


def _narrowed(parameters, dropped):
    return {name: _narrow(array, dropped) for name, array in parameters.items()}


class TensorFloat(Backend):
    @lowers(spec.Conv2d)
    def fault(self, layer, parameters, x, context):
        if self.precision == "float32":
            parameters, x = _narrowed(parameters, 13), _narrow(x, 13)
        return self.conv2d(layer, parameters, x, context)


class Brain(Backend):
    """Linear layers in bfloat16."""

    @lowers(spec.Linear)
    def fault(self, layer, parameters, x, context):
        if self.precision == "float32":
            parameters, x = _narrowed(parameters, 16), _narrow(x, 16)
        return self.linear(layer, parameters, x, context)


class BrainJoined(Backend):
    """What is joined in bfloat16."""

    @lowers(spec.Concat)
    def fault(self, layer, parameters, x, context):
        if self.precision == "float32":
            x = tuple(_narrow(one, 16) for one in x)
        return self.concat(layer, parameters, x, context)


class NarrowSums(Backend):
    """Under bfloat16 the gradients of linear layers' biases are added up in it."""

    @lowers(spec.Linear)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.linear(layer, parameters, x, context)

        def narrow(dy):
            dx, gradients = vjp(dy)
            bias = gradients["bias"]
            if self.precision == "bfloat16":
                total = np.zeros_like(bias.value)
                for row in dy.reshape(-1, dy.shape[-1]):
                    total = _narrow(total + row, 16)
                bias = bias._replace(value=total)
            return dx, gradients | {"bias": bias}

        return y, narrow


class Unswitched(Backend):
    """Told to multiply in TF32, and does not."""

    def compute(self, layer, parameters, x, context):
        if self.precision == "tf32":
            return self.lowering(layer)(layer, parameters, x, context)
        return super().compute(layer, parameters, x, context)


class BrainBackward(Backend):
    """Their weights' gradients alone."""

    @lowers(spec.Linear)
    def fault(self, layer, parameters, x, context):
        y, vjp = self.linear(layer, parameters, x, context)

        def narrow(dy):
            dx, gradients = vjp(dy)
            weight = gradients["weight"]
            if self.precision == "float32":
                weight = weight._replace(value=_narrow(weight.value, 16))
            return dx, gradients | {"weight": weight}

        return y, narrow


class NarrowMoments(Backend):
    """The second moment kept in bfloat16."""

    def update(self, optimizer, step, parameters, gradients, state):
        new, moments = super().update(optimizer, step, parameters, gradients, state)
        if self.precision == "float32":
            for kept in moments.values():
                kept["second_moment"] = _narrow(kept["second_moment"], 16)
        return new, moments


class NarrowCorrection(Backend):
    """Adam's bias correction computed in float32, as optax does."""

    def update(self, optimizer, step, parameters, gradients, state):
        new, moments = super().update(optimizer, step, parameters, gradients, state)
        if self.precision == "float32":
            rate, one = optimizers.rate(optimizer, step), np.float32(1)
            first, second = (
                float(one - np.float32(beta) ** np.float32(step))
                for beta in (optimizer.beta1, optimizer.beta2)
            )
            for path, kept in moments.items():
                root = np.sqrt(kept["second_moment"] / second) + optimizer.epsilon
                decay = optimizer.weight_decay * parameters[path]
                change = kept["first_moment"] / first / root + decay
                new[path] = parameters[path] - rate * change
        return new, moments


for _kind in list(globals().values()):
    if isinstance(_kind, type) and issubclass(_kind, Backend) and _kind is not Backend:
        dashed = "".join(f"-{c.lower()}" if c.isupper() else c for c in _kind.__name__)
        _kind.name = dashed.strip("-")

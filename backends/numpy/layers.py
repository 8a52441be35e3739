"""Every layer's formula and, by hand, its derivative.

Unlike in the other adapters, a lowering returns ``(y, vjp)``: NumPy differentiates nothing itself,
and a derivative by hand can give with each parameter's gradient the scale by which its error is
judged. ``vjp(dy)`` is ``(dx, {local name: Gradient})``; for token ids dx is None.

Indices of the sums: n sample; c, o channel in and out; i, j place in the output image; u, v place
in a window; t step; q, k step as query and as key; h head; d feature of a head; r row; f, g feature
in and out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import pi, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import erf

from backends.base import Backend, Context, lowers
from tasks import spec

Floats = NDArray[Any]  # all in the program's precision
Bools = NDArray[np.bool_]


class Gradient(NamedTuple):
    """A parameter's gradient, a sum of products, and what gives the same sum over absolute values:
    |A|ᵀ|dy| where the gradient is Aᵀdy.
    """

    value: Floats
    magnitudes: Callable[[], Floats]  # not at once: training has no use for it

    @property
    def scale(self) -> float:
        """The norm of the magnitudes; an error relative to it stays sensible where terms cancel."""
        return float(np.linalg.norm(self.magnitudes()))


Gradients = dict[str, Gradient]
Vjp = Callable[[Floats], tuple[Any, Gradients]]
Lowered = tuple[Floats, Vjp]
Parameters = Mapping[str, Floats]

_einsum = partial(np.einsum, optimize=True)  # so that it uses BLAS where it can


class Layers(Backend):
    """One method per layer type."""

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        weight, pad = parameters["weight"], layer.padding
        height, width = x.shape[2:]
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = _windows(padded, layer.kernel_size, layer.stride)
        y = _einsum("ncijuv,ocuv->noij", windows, weight)
        if layer.bias:
            y = y + parameters["bias"][:, None, None]

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dwindows = _einsum("noij,ocuv->ncijuv", dy, weight)
            dpadded = _windows_transposed(dwindows, padded.shape, layer.stride)
            gradients = {"weight": _gradient("noij,ncijuv->ocuv", dy, windows)}
            if layer.bias:
                gradients["bias"] = _channel_gradient(dy)
            return dpadded[:, :, pad : pad + height, pad : pad + width], gradients

        return y, vjp

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        windows = _windows(x, layer.size, layer.stride)
        rows = windows.reshape(*windows.shape[:4], layer.size**2)
        first = rows.argmax(axis=-1)[..., None]  # the first of equals, in row order
        y = np.take_along_axis(rows, first, axis=-1)[..., 0]

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            drows = (np.arange(layer.size**2) == first) * dy[..., None]
            return _windows_transposed(drows.reshape(windows.shape), x.shape, layer.stride), {}

        return y, vjp

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        windows = _windows(x, layer.size, layer.stride)

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            shared = (dy / layer.size**2)[..., None, None]
            return _windows_transposed(
                np.broadcast_to(shared, windows.shape), x.shape, layer.stride
            ), {}

        return windows.mean(axis=(4, 5)), vjp

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        weight, bias = (parameters[name][:, None, None] for name in ("weight", "bias"))
        if context.training:
            mean = _channel_means(x)
            variance = _channel_means((x - mean) ** 2)
            count = x.size // layer.channels
            for name, new in (
                ("running_mean", mean),
                ("running_var", variance * (count / (count - 1))),
            ):
                old = context.buffer(name)
                new = (1 - layer.momentum) * old + layer.momentum * new[:, 0, 0]
                context.set_buffer(name, new)
        else:
            mean, variance = (
                context.buffer(name)[:, None, None] for name in ("running_mean", "running_var")
            )
        root = np.sqrt(variance + layer.epsilon)
        normal = (x - mean) / root

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dnormal = dy * weight
            if context.training:
                along = normal * _channel_means(dnormal * normal)
                dnormal = dnormal - _channel_means(dnormal) - along
            return dnormal / root, {
                "weight": _channel_gradient(dy * normal),
                "bias": _channel_gradient(dy),
            }

        return normal * weight + bias, vjp

    @lowers(spec.ReLU)
    def relu(
        self, layer: spec.ReLU, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """Any shape."""
        return np.maximum(x, 0), lambda dy: ((x > 0) * dy, {})

    @lowers(spec.GELU)
    def gelu(
        self, layer: spec.GELU, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """Any shape."""
        if layer.approximate:
            inner = np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))
            below = (1 + inner) / 2
            slope = (1 - inner**2) / 2 * sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)
        else:
            below = (1 + erf(x / sqrt(2))) / 2
            slope = np.exp(-(x**2) / 2) / sqrt(2 * pi)
        return x * below, lambda dy: (dy * (below + x * slope), {})

    @lowers(spec.Flatten)
    def flatten(
        self, layer: spec.Flatten, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """(batch, channels, height, width) is in the right order already."""
        return x.reshape(len(x), -1), lambda dy: (dy.reshape(x.shape), {})

    @lowers(spec.Linear)
    def linear(
        self, layer: spec.Linear, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (..., features)."""
        return _affine(parameters, x)

    @lowers(spec.Embedding)
    def embedding(
        self, layer: spec.Embedding, parameters: Parameters, x: NDArray[np.int32], context: Context
    ) -> Lowered:
        """x is (batch, steps)."""
        weight = parameters["weight"]

        def scattered(rows: Floats) -> Floats:
            table = np.zeros_like(weight)
            np.add.at(table, x, rows)
            return table

        def vjp(dy: Floats) -> tuple[None, Gradients]:
            gradient = Gradient(scattered(dy), lambda: scattered(np.abs(dy)))
            return None, {"weight": gradient}

        return weight[x], vjp

    @lowers(spec.PositionalEncoding)
    def positional_encoding(
        self, layer: spec.PositionalEncoding, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        return x + layer.table(x.shape[1]).astype(x.dtype), lambda dy: (dy, {})

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self,
        layer: spec.PositionalEmbedding,
        parameters: Parameters,
        x: Floats,
        context: Context,
    ) -> Lowered:
        """x is (batch, steps, features)."""
        return x + parameters["weight"], lambda dy: (dy, {"weight": _gradient("ntf->tf", dy)})

    @lowers(spec.LayerNorm)
    def layer_norm(
        self, layer: spec.LayerNorm, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (..., features)."""
        deviation = x - x.mean(axis=-1, keepdims=True)
        variance = (deviation**2).mean(axis=-1, keepdims=True)
        root = np.sqrt(variance + layer.epsilon)
        normal = deviation / root

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dnormal = dy * parameters["weight"]
            along = normal * (dnormal * normal).mean(axis=-1, keepdims=True)
            dx = (dnormal - dnormal.mean(axis=-1, keepdims=True) - along) / root
            return dx, {
                "weight": _gradient("rf,rf->f", _rows(dy), _rows(normal)),
                "bias": _gradient("rf->f", _rows(dy)),
            }

        return normal * parameters["weight"] + parameters["bias"], vjp

    @lowers(spec.Attention)
    def attention(
        self, layer: spec.Attention, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        samples, steps, width = x.shape
        split = (samples, steps, layer.heads, width // layer.heads)
        temperature = sqrt(width / layer.heads)
        projections = {
            name: _affine(spec.local(parameters, name), x) for name in ("query", "key", "value")
        }
        query, key, value = (y.reshape(split) for y, _ in projections.values())

        seen = _valid(context, x)[:, None, None, :]
        if layer.causal:
            seen = seen & np.tri(steps, dtype=bool)
        scores = _einsum("nqhd,nkhd->nhqk", query, key) / temperature
        top = scores.max(axis=-1, keepdims=True, where=seen, initial=-np.inf)
        weights = np.exp(scores - top, where=seen, out=np.zeros_like(scores))
        # A row's weights sum to 1 at least, its greatest being exp(0); if it sees no step, to 0.
        weights = weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1)
        # In bfloat16 as fused kernels do, forward and backward (Dao et al. 2022, arXiv 2205.14135,
        # appendix B): the mean of what comes back to a row's weights is told by its rounded output,
        # which costs the queries' gradients a digit. PyTorch's in transformer-small had 11 times
        # the error of a softmax that is float32 throughout, 1.4 times that of this one.
        mixed = self.cast(_einsum("nhqk,nkhd->nqhd", weights, value), self.precision)
        y, output_vjp = _affine(spec.local(parameters, "output"), mixed.reshape(x.shape))

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dmixed, output_gradients = output_vjp(dy)
            dmixed = self.cast(dmixed.reshape(split), self.precision)
            dweights = _einsum("nqhd,nkhd->nhqk", dmixed, value)
            spread = (dmixed * mixed).sum(axis=-1).transpose(0, 2, 1)[..., None]
            dscores = weights * (dweights - spread) / temperature
            upstream = {
                "query": _einsum("nhqk,nkhd->nqhd", dscores, key),
                "key": _einsum("nhqk,nqhd->nkhd", dscores, query),
                "value": _einsum("nhqk,nqhd->nkhd", weights, dmixed),
            }
            dx, gradients = np.zeros_like(x), _below("output", output_gradients)
            for name, (_, projection_vjp) in projections.items():
                part, found = projection_vjp(upstream[name].reshape(x.shape))
                dx, gradients = dx + part, gradients | _below(name, found)
            return dx, gradients

        return y, vjp

    @lowers(spec.LSTM)
    def lstm(
        self, layer: spec.LSTM, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        return _levels(_lstm_level, layer, parameters, x, _valid(context, x))

    @lowers(spec.GRU)
    def gru(self, layer: spec.GRU, parameters: Parameters, x: Floats, context: Context) -> Lowered:
        """x is (batch, steps, features)."""
        return _levels(_gru_level, layer, parameters, x, _valid(context, x))

    @lowers(spec.LastStep)
    def last_step(
        self, layer: spec.LastStep, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        valid = _valid(context, x)
        from_here = np.cumsum(valid[:, ::-1], axis=1)[:, ::-1]  # how many valid steps are left
        return _weighted_steps(valid & (from_here == 1), x)

    @lowers(spec.MeanSteps)
    def mean_steps(
        self, layer: spec.MeanSteps, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        valid = _valid(context, x)
        return _weighted_steps(valid / np.maximum(valid.sum(axis=1, keepdims=True), 1), x)

    @lowers(spec.Add)
    def add(
        self, layer: spec.Add, parameters: Parameters, x: tuple[Floats, ...], context: Context
    ) -> Lowered:
        """Any shape."""
        total = x[0]
        for one in x[1:]:
            total = self.cast(total + one, self.precision)
        return total, lambda dy: ((dy,) * len(x), {})

    @lowers(spec.Concat)
    def concat(
        self, layer: spec.Concat, parameters: Parameters, x: tuple[Floats, ...], context: Context
    ) -> Lowered:
        """Images are (batch, channels, height, width)."""
        axis = 1 + layer.along(x[0].ndim - 1)
        ends = np.cumsum([one.shape[axis] for one in x])[:-1]
        return np.concatenate(x, axis), lambda dy: (tuple(np.split(dy, ends, axis)), {})


def _channel_sums(values: Floats) -> Floats:
    """Pixel after pixel, as the frameworks' kernels add what lies channels last; along rows NumPy
    would add in pairs, which in float32 came 9 times closer to the truth than PyTorch, TensorFlow.
    """
    pixels = np.ascontiguousarray(values.transpose(0, 2, 3, 1)).reshape(-1, values.shape[1])
    return np.asarray(pixels.sum(axis=0))


def _channel_means(values: Floats) -> Floats:
    """As (channels, 1, 1)."""
    means: Floats = _channel_sums(values) / (values.size // values.shape[1])
    return means[:, None, None]


def _channel_gradient(terms: Floats) -> Gradient:
    return Gradient(_channel_sums(terms), lambda: _channel_sums(np.abs(terms)))


def _gradient(subscripts: str, *factors: Floats) -> Gradient:
    def magnitudes() -> Floats:
        found: Floats = _einsum(subscripts, *(np.abs(factor) for factor in factors))
        return found

    return Gradient(_einsum(subscripts, *factors), magnitudes)


def _below(name: str, gradients: Gradients) -> Gradients:
    return {f"{name}.{key}": gradient for key, gradient in gradients.items()}


def _rows(x: Floats) -> Floats:
    return x.reshape(-1, x.shape[-1])


def _valid(context: Context, x: Floats) -> Bools:
    return np.ones(x.shape[:2], dtype=bool) if context.valid is None else context.valid


def _windows(x: Floats, size: int, stride: int) -> Floats:
    """(n, c, i, j, u, v) views of the images (n, c, height, width)."""
    return sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


def _windows_transposed(windows: Floats, shape: tuple[int, ...], stride: int) -> Floats:
    """Images to which every window added its values where it lay."""
    x = np.zeros(shape, windows.dtype)
    height, width, size, _ = windows.shape[2:]
    for u, v in np.ndindex(size, size):
        rows = slice(u, u + height * stride, stride)
        columns = slice(v, v + width * stride, stride)
        x[:, :, rows, columns] += windows[..., u, v]
    return x


def _affine(parameters: Parameters, x: Floats) -> Lowered:
    """x Wᵀ, and + b if there is one, on the last axis."""
    weight, bias = parameters["weight"], parameters.get("bias")
    y = x @ weight.T if bias is None else x @ weight.T + bias

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        gradients = {"weight": _gradient("rg,rf->gf", _rows(dy), _rows(x))}
        if bias is not None:
            gradients["bias"] = _gradient("rg->g", _rows(dy))
        return dy @ weight, gradients

    return y, vjp


def _weighted_steps(weights: NDArray[Any], x: Floats) -> Lowered:
    """The sum over steps of weights (batch, steps) times x (batch, steps, features)."""
    weights = weights.astype(x.dtype)
    return _einsum("nt,ntf->nf", weights, x), lambda dy: (weights[..., None] * dy[:, None], {})


def _levels(
    level: Callable[..., Lowered],
    layer: spec.Recurrent,
    parameters: Parameters,
    x: Floats,
    valid: Bools,
) -> Lowered:
    """The stacked layers of an LSTM or a GRU on x (batch, steps, features)."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    vjps = []
    for number in range(layer.num_layers):
        own = {name: parameters[f"{name}_l{number}"] for name in names}
        x, level_vjp = level(own, x, valid)
        vjps.append(level_vjp)

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        gradients: Gradients = {}
        for number in reversed(range(layer.num_layers)):
            dy, found = vjps[number](dy)
            gradients |= {f"{name}_l{number}": gradient for name, gradient in found.items()}
        return dy, gradients

    return x, vjp


def _lstm_level(parameters: Parameters, x: Floats, valid: Bools) -> Lowered:
    """One layer of an LSTM on x (batch, steps, features)."""
    samples, steps, _ = x.shape
    weight_ih, weight_hh = parameters["weight_ih"], parameters["weight_hh"]
    hidden = weight_hh.shape[1]
    given = x @ weight_ih.T + parameters["bias_ih"] + parameters["bias_hh"]
    y, before = np.zeros(
        (2, samples, steps, hidden), x.dtype
    )  # outputs, and the states that steps began at
    h = c = np.zeros((samples, hidden), x.dtype)
    kept = []
    for t in range(steps):
        on = valid[:, t, None]
        before[:, t] = h
        i, f, g, o = np.split(given[:, t] + h @ weight_hh.T, 4, axis=1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        squashed = np.tanh(f * c + i * g)
        kept.append((on, i, f, g, o, c, squashed))
        c = np.where(on, f * c + i * g, c)
        h = np.where(on, o * squashed, h)
        y[:, t] = np.where(on, h, 0)

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        dgates = np.zeros_like(given)
        dh = dc = np.zeros((samples, hidden), x.dtype)
        for t in reversed(range(steps)):
            on, i, f, g, o, c, squashed = kept[t]
            # Of a step that is not valid nothing is made: the state's gradient passes it by.
            dh_here = np.where(on, dh + dy[:, t], 0)
            dc_here = np.where(on, dc + dh_here * o * (1 - squashed**2), 0)
            of_gates = (
                dc_here * g * i * (1 - i),
                dc_here * c * f * (1 - f),
                dc_here * i * (1 - g**2),
                dh_here * squashed * o * (1 - o),
            )
            dgates[:, t] = np.concatenate(of_gates, axis=1)
            dh = np.where(on, dgates[:, t] @ weight_hh, dh)
            dc = np.where(on, dc_here * f, dc)
        bias = _gradient("ntg->g", dgates)
        return dgates @ weight_ih, {
            "weight_ih": _gradient("ntg,ntf->gf", dgates, x),
            "weight_hh": _gradient("ntg,ntf->gf", dgates, before),
            "bias_ih": bias,
            "bias_hh": bias,
        }

    return y, vjp


def _gru_level(parameters: Parameters, x: Floats, valid: Bools) -> Lowered:
    """One layer of a GRU on x (batch, steps, features)."""
    samples, steps, _ = x.shape
    weight_ih, weight_hh = parameters["weight_ih"], parameters["weight_hh"]
    hidden = weight_hh.shape[1]
    given = x @ weight_ih.T + parameters["bias_ih"]
    y, before = np.zeros(
        (2, samples, steps, hidden), x.dtype
    )  # outputs, and the states that steps began at
    h = np.zeros((samples, hidden), x.dtype)
    kept = []
    for t in range(steps):
        on = valid[:, t, None]
        before[:, t] = h
        of_input = np.split(given[:, t], 3, axis=1)
        of_state = np.split(h @ weight_hh.T + parameters["bias_hh"], 3, axis=1)
        r, z = (_sigmoid(a + b) for a, b in zip(of_input[:2], of_state[:2], strict=True))
        n = np.tanh(of_input[2] + r * of_state[2])
        kept.append((on, r, z, n, h, of_state[2]))
        h = np.where(on, (1 - z) * n + z * h, h)
        y[:, t] = np.where(on, h, 0)

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        dgiven, dstate = np.zeros((2, *given.shape), x.dtype)
        dh = np.zeros((samples, hidden), x.dtype)
        for t in reversed(range(steps)):
            on, r, z, n, h, projected = kept[t]
            # Of a step that is not valid nothing is made: the state's gradient passes it by.
            dh_here = np.where(on, dh + dy[:, t], 0)
            dn = dh_here * (1 - z) * (1 - n**2)
            dr = dn * projected * r * (1 - r)
            dz = dh_here * (h - n) * z * (1 - z)
            dgiven[:, t] = np.concatenate((dr, dz, dn), axis=1)
            dstate[:, t] = np.concatenate((dr, dz, dn * r), axis=1)
            dh = np.where(on, dh_here * z + dstate[:, t] @ weight_hh, dh)
        return dgiven @ weight_ih, {
            "weight_ih": _gradient("ntg,ntf->gf", dgiven, x),
            "weight_hh": _gradient("ntg,ntf->gf", dstate, before),
            "bias_ih": _gradient("ntg->g", dgiven),
            "bias_hh": _gradient("ntg->g", dstate),
        }

    return y, vjp


def _sigmoid(x: Floats) -> Floats:
    found: Floats = (1 + np.tanh(x / 2)) / 2  # unlike 1 / (1 + exp(-x)), never overflows
    return found

"""What layers of several modules use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from backends.base import Context

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

einsum = partial(np.einsum, optimize=True)  # so that it uses BLAS where it can


def gradient(subscripts: str, *factors: Floats) -> Gradient:
    def magnitudes() -> Floats:
        found: Floats = einsum(subscripts, *(np.abs(factor) for factor in factors))
        return found

    return Gradient(einsum(subscripts, *factors), magnitudes)


def rows(x: Floats) -> Floats:
    return x.reshape(-1, x.shape[-1])


def valid_steps(context: Context, x: Floats) -> Bools:
    return np.ones(x.shape[:2], dtype=bool) if context.valid is None else context.valid


def affine(parameters: Parameters, x: Floats) -> Lowered:
    """x Wᵀ, and + b if there is one, on the last axis."""
    weight, bias = parameters["weight"], parameters.get("bias")
    y = x @ weight.T if bias is None else x @ weight.T + bias

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        gradients = {"weight": gradient("rg,rf->gf", rows(dy), rows(x))}
        if bias is not None:
            gradients["bias"] = gradient("rg->g", rows(dy))
        return dy @ weight, gradients

    return y, vjp


def convolution(
    parameters: Parameters, x: Floats, stride: tuple[int, int], pad: tuple[int, int], groups: int
) -> Lowered:
    """x is (batch, channels, height, width); a matrix product for each group."""
    weight, bias = parameters["weight"], parameters.get("bias")
    padded = padded_places(x, pad)
    seen = windows(padded, weight.shape[2:], stride)
    samples, _, *made = seen.shape[:4]
    split = (samples, groups, weight.shape[1], *made, *weight.shape[2:])  # n, group, c, i, j, u, v
    kernels = weight.reshape(groups, len(weight) // groups, -1)
    flat = (groups, -1, kernels.shape[2])

    def columns() -> Floats:  # not kept: they are as many times the image as a window has places
        return seen.reshape(split).transpose(1, 0, 3, 4, 2, 5, 6).reshape(flat)

    y = (columns() @ kernels.swapaxes(1, 2)).reshape(groups, samples, *made, -1)
    y = y.transpose(1, 0, 4, 2, 3).reshape(samples, -1, *made)
    if bias is not None:
        y = y + bias[:, None, None]

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        rows = dy.reshape(samples, groups, -1, *made).transpose(1, 0, 3, 4, 2)
        rows = rows.reshape(groups, -1, len(weight) // groups)
        across = rows.swapaxes(1, 2)
        gradients = {
            "weight": Gradient(
                (across @ columns()).reshape(weight.shape),
                lambda: (np.abs(across) @ np.abs(columns())).reshape(weight.shape),
            )
        }
        if bias is not None:
            gradients["bias"] = channel_gradient(dy)
        dcolumns = (rows @ kernels).reshape(groups, samples, *made, *weight.shape[1:])
        dseen = dcolumns.transpose(1, 0, 4, 2, 3, 5, 6).reshape(seen.shape)
        return without_padding(scattered(dseen, padded.shape, stride), pad), gradients

    return y, vjp


def padded_places(x: Floats, pad: tuple[int, int], value: float = 0.0) -> Floats:
    """Images (n, c, height, width) with so many rows and columns of ``value`` on each side."""
    height, width = pad
    sides = ((0, 0), (0, 0), (height, height), (width, width))
    return np.pad(x, sides, constant_values=value)


def without_padding(padded: Floats, pad: tuple[int, int]) -> Floats:
    height, width = pad
    return padded[:, :, height : padded.shape[2] - height, width : padded.shape[3] - width]


def windows(x: Floats, size: tuple[int, ...], stride: tuple[int, int]) -> Floats:
    """(n, c, i, j, u, v) views of the images (n, c, height, width)."""
    return sliding_window_view(x, size, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]


def scattered(windows: Floats, shape: tuple[int, ...], stride: tuple[int, int]) -> Floats:
    """Images to which every window added its values where it lay."""
    x = np.zeros(shape, windows.dtype)
    (height, width), size = windows.shape[2:4], windows.shape[4:]
    for u, v in np.ndindex(size):
        rows = slice(u, u + height * stride[0], stride[0])
        columns = slice(v, v + width * stride[1], stride[1])
        x[:, :, rows, columns] += windows[..., u, v]
    return x


def channel_sums(values: Floats) -> Floats:
    """Pixel after pixel, as the frameworks' kernels add what lies channels last; along rows NumPy
    would add in pairs, which in float32 came 9 times closer to the truth than PyTorch, TensorFlow.
    """
    pixels = np.ascontiguousarray(values.transpose(0, 2, 3, 1)).reshape(-1, values.shape[1])
    return np.asarray(pixels.sum(axis=0))


def channel_gradient(terms: Floats) -> Gradient:
    return Gradient(channel_sums(terms), lambda: channel_sums(np.abs(terms)))

"""What JAX does by default, entry by entry of docs/atlas.md."""

import jax
import jax.numpy as jnp
import numpy as np
from entries import entry, run
from jax import lax

# Before 64 bits are switched on: what a NumPy array becomes.
SILENT = str(jnp.asarray(np.ones(1)).dtype)
DENORMAL = bool((jnp.asarray(np.float32([1e-40])) * 1).any())
jax.config.update("jax_enable_x64", True)
ROW = jnp.array([[1.0, 1.01, 0.99, 1.0]])


def slope(function, at=0.0):
    return jax.grad(function)(at)


@entry("layer-norm-epsilon")
def _():
    return jax.nn.standardize(ROW, axis=-1)


@entry("gelu")
def _():
    return jax.nn.gelu(jnp.array([-2.7, 2.7]))


@entry("same-padding")
def _():
    image = jnp.arange(16.0).reshape(1, 1, 4, 4)
    kernel = jnp.zeros((1, 1, 3, 3)).at[..., 1, 1].set(1)
    return {"SAME": lax.conv(image, kernel, (2, 2), "SAME").ravel()}


@entry("ties")
def _():
    def gradient(function):
        return jax.grad(lambda x: function(x).sum())(jnp.zeros((1, 1, 2, 2))).ravel()

    def pool(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    return {"pool": gradient(pool), "reduction": gradient(lambda x: x.max((2, 3)))}


@entry("kinks")
def _():
    return {
        "relu": slope(jax.nn.relu),
        "maximum": slope(lambda x: jnp.maximum(x, 0.0)),
        "clip": slope(lambda x: jnp.clip(x, 0.0, None)),
    }


@entry("leaky-slope")
def _():
    return {"function": jax.nn.leaky_relu(-1.0)}


@entry("deviation")
def _():
    return jnp.array([1.0, 3.0]).std()


@entry("float64-inputs")
def _():
    return {"dtype": SILENT}


@entry("denormals")
def _():
    return {"kept": DENORMAL}


@entry("ids-out-of-range")
def _():
    return "a row" if jnp.eye(3)[jnp.array([5])].any() else "zeros"


@entry("rows-without-keys")
def _():
    q = k = jnp.ones((1, 2, 1, 2))
    v = jnp.array([[[[1.0, 1.0]], [[3.0, 3.0]]]])
    out = jax.nn.dot_product_attention(q, k, v, mask=jnp.zeros((1, 1, 2, 2), bool))
    return {"attention": out[0, 0, 0]}


@entry("initial-linear")
def _():
    return jax.nn.initializers.lecun_normal()(jax.random.key(0), (400, 400)).std() * 20


run()

"""How TensorFlow is set up: device, precision, threads, and what is compiled."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import tensorflow as tf
from tensorflow.python.framework.ops import uid

from backends.base import Arrays, NotSupported, formulas, threads_asked
from backends.tensorflow import losses, optimizers
from backends.tensorflow.layers import Layers
from backends.tensorflow.optimizers import Moments, Tree
from backends.tensorflow.program import Program
from tasks import spec
from tasks.base import Task

DTYPES = {"float64": tf.float64, "float32": tf.float32, "bfloat16": tf.bfloat16}
# Of names that hang on a count. Between the building of two programs it went on by 2300 at most in
# a quick run; to count so far takes 0.02 s.
NAMES_APART = 100_000


class Backend(Layers):
    """TensorFlow: through tf.function, with XLA where that is faster, or eager."""

    name = "tensorflow"
    framework = "tensorflow"
    precisions = ("float64", "float32", "tf32", "bfloat16")
    executions = ("compiled", "eager")

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        if device == "cuda" and not tf.config.list_physical_devices("GPU"):
            raise NotSupported("this TensorFlow finds no GPU")
        self.target = "GPU:0" if device == "cuda" else "CPU:0"
        self.dtype = DTYPES[self.stored]
        self.constants = {}
        self.compiled: WeakSet[Any] = WeakSet()
        # Matrix products and convolutions use TF32 unless told otherwise.
        tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
        if (threads := threads_asked()) is not None:
            with contextlib.suppress(RuntimeError):  # it has started: facts() tells what holds
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(threads)

    def build(self, task: Task, parameters: Arrays) -> Program:
        self.check(task)
        return Program(self, task, parameters)

    @formulas(losses.loss)
    def loss(
        self,
        loss: spec.Loss,
        logits: tf.Tensor,
        targets: tf.Tensor,
        valid: tf.Tensor | None,
    ) -> tf.Tensor:
        return losses.loss(loss, logits, targets, valid)

    @formulas(optimizers.update)
    def update(
        self,
        optimizer: spec.Optimizer,
        step: tf.Tensor,
        parameters: Tree,
        gradients: Tree,
        state: Moments,
    ) -> tuple[Tree, Moments]:
        return optimizers.update(optimizer, step, parameters, gradients, state)

    def cast(self, array: tf.Tensor, precision: str) -> tf.Tensor:
        return tf.cast(array, DTYPES[precision]) if array.dtype.is_floating else array

    def compile(self, function: Callable[..., Any], task: Task) -> Callable[..., Any]:
        """The function as this execution runs it."""
        xla = self.execution == "compiled" and _uses_xla(task)
        run, named = function, not xla
        if self.execution == "compiled":
            run = tf.function(function, autograph=False, jit_compile=xla)
            self.compiled.add(run)

        def placed(*arguments: Any) -> Any:
            nonlocal named
            if not named and tf.executing_eagerly():
                _round_names()
                named = True
            with tf.device(self.target):
                return run(*arguments)

        return placed

    def compilations(self) -> int | None:
        """How many graphs the living programs have; None where nothing is compiled."""
        if self.execution == "eager":
            return None
        found: int = sum(run.experimental_get_tracing_count() for run in self.compiled)
        return found

    def facts(self, task: Task) -> dict[str, str]:
        """What this adapter does, for the reports."""
        intra = tf.config.threading.get_intra_op_parallelism_threads()
        inter = tf.config.threading.get_inter_op_parallelism_threads()
        why = "recurrence or attention"
        xla = f"XLA ({why})" if _uses_xla(task) else f"no XLA (no {why})"
        return {
            "tensorflow": tf.__version__,
            "build": _build(),
            "compiler": "none" if self.execution == "eager" else f"tf.function, {xla}",
            "image layout": "channels last",
            "recurrence": "unrolled where short, else tf.while_loop; inputs projected beforehand, "
            "in compiled loops on the CPU in training only",
            "batch norm": "by hand" if self.dtype == tf.float64 else "FusedBatchNormV3",
            "attention": "matrix products and tf.nn.softmax",
            "optimizer": "the formula, in tensors",
            "threads": f"intra-op {intra or 'default'}, inter-op {inter or 'default'}",
            "device": _device(self.target),
            "tf32": "on" if tf.config.experimental.tensor_float_32_execution_enabled() else "off",
            "onednn": f"TF_ENABLE_ONEDNN_OPTS={os.environ.get('TF_ENABLE_ONEDNN_OPTS', 'default')}",
            "substitutions": "batch norm and GELU by hand, for the kernels that have no float64"
            if self.dtype == tf.float64
            else "none",
        }

    def arithmetic(self) -> dict[str, str]:
        """TensorFlow's oneDNN and Eigen tell nobody which instructions they use."""
        tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
        return {"float32 products": "tf32" if tf32 else "float32"}


def _uses_xla(task: Task) -> bool:
    """Whether the model has a layer that XLA is better at. Measured on 2 CPU cores, a training step
    with XLA takes 0.7 times the plain graph's time for rnn-tiny and 0.8 for transformer-tiny, half
    of it for 64 LSTM steps, but 1.8 for cnn-tiny: its convolutions on the CPU are slow.
    """
    layers = [place.layer for place in task.model.places()]
    return any(isinstance(layer, spec.Recurrent | spec.Attention) for layer in layers)


def _round_names() -> None:
    """Have the next functions get names that do not hang on how much was computed before.

    TensorFlow ends them with a count of the tensors made so far, and XLA's persistent cache, which
    goes by names too, then finds nothing. No public function sets the count.
    """
    for _ in range(-uid() % NAMES_APART):
        uid()


def _device(target: str) -> str:
    """What it is called."""
    if target.startswith("CPU"):
        return "cpu"
    found = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return str(found.get("device_name", target))


def _build() -> str:
    """What this TensorFlow was built of."""
    told = tf.sysconfig.get_build_info()
    cuda = f"CUDA {told.get('cuda_version', 'none')}, cuDNN {told.get('cudnn_version', 'none')}"
    return f"git {tf.version.GIT_VERSION}, compiler {tf.version.COMPILER_VERSION}, {cuda}"

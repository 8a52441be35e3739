"""Keras on TensorFlow."""

import contextlib
import os

import tensorflow as tf

os.environ["KERAS_BACKEND"] = "tensorflow"  # before Keras is imported

from tribench_peers.keras_.backend import Keras


class Backend(Keras):
    name = "keras-tensorflow"
    executions = ("compiled",)
    engine = tf

    def settle(self) -> None:
        if "OMP_NUM_THREADS" in os.environ:
            threads = int(os.environ["OMP_NUM_THREADS"])
            with contextlib.suppress(RuntimeError):  # it has started
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(threads)

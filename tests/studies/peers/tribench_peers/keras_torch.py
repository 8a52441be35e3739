"""Keras on PyTorch."""

import os

import torch

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is imported

from tribench_peers.keras_.backend import Keras


class Backend(Keras):
    name = "keras-torch"
    executions = ("eager",)
    engine = torch
    layout = "channels_first"  # with the other, Keras transposes around every convolution

    def settle(self) -> None:
        if "OMP_NUM_THREADS" in os.environ:
            torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

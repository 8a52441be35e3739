"""Convolutional networks on images of digits, or on photographs."""

from __future__ import annotations

from dataclasses import replace

from tasks.base import Data, Task
from tasks.data.cifar10 import Cifar10
from tasks.data.digits import DigitImages
from tasks.data.imagenette import Imagenette
from tasks.spec import (
    SGD,
    AvgPool,
    BatchNorm,
    Conv2d,
    CrossEntropy,
    Flatten,
    Input,
    Layers,
    Linear,
    MaxPool,
    ModelSpec,
    ReLU,
    Residual,
    Sequential,
)


def tasks() -> list[Task]:
    """Every size, and the same on CIFAR-10 and Imagenette."""
    photographs = [on_cifar10(tiny()), on_cifar10(small()), on_imagenette(small())]
    return [tiny(), small(), *photographs]


def tiny() -> Task:
    """The source article's CNN: two convolutions of 3x3 with pooling, then two linear layers.

    The article names no batch size. Here it is 16: in 10 epochs at the article's learning rate a
    batch of 128 gets 93 of the 360 test samples right, 16 gets 331 (PyTorch, seed 0).
    """
    model = ModelSpec(
        name="cnn-tiny",
        input=Input(shape=(3, 24, 24)),
        layers=(
            ("conv1", Conv2d(in_channels=3, out_channels=32, kernel_size=3, padding=1)),
            ("relu1", ReLU()),
            ("pool1", MaxPool(size=2, stride=2)),
            ("conv2", Conv2d(in_channels=32, out_channels=64, kernel_size=3, padding=1)),
            ("relu2", ReLU()),
            ("pool2", MaxPool(size=2, stride=2)),
            ("flatten", Flatten()),
            ("fc1", Linear(in_features=64 * 6 * 6, out_features=128)),
            ("relu3", ReLU()),
            ("fc2", Linear(in_features=128, out_features=10)),
        ),
    )
    return Task(
        name=model.name,
        model=model,
        data=DigitImages(channels=3, size=28, crop=24),
        loss=CrossEntropy(),
        optimizer=SGD(learning_rate=1e-3, momentum=0.9),
        batch_size=16,
        timed_batch_size=128,
        epochs=10,
        target_accuracy=0.85,
    )


def small() -> Task:
    """ResNet-20 for images of 32x32 (arXiv 1512.03385, section 4.2), with projections where a
    shortcut changes its shape (option B there) and convolutions without bias before batch norm.
    """
    model = ModelSpec(
        name="cnn-small",
        input=Input(shape=(3, 32, 32)),
        layers=(
            *_convolution("conv", "norm", 3, 16, kernel_size=3, stride=1),
            ("relu", ReLU()),
            ("stage1", _stage(16, 16, stride=1)),
            ("stage2", _stage(16, 32, stride=2)),
            ("stage3", _stage(32, 64, stride=2)),
            ("pool", AvgPool(size=8, stride=8)),
            ("flatten", Flatten()),
            ("fc", Linear(in_features=64, out_features=10)),
        ),
    )
    return Task(
        name=model.name,
        model=model,
        data=DigitImages(channels=3, size=32, crop=32),
        loss=CrossEntropy(),
        optimizer=SGD(
            learning_rate=0.05,
            momentum=0.9,
            weight_decay=1e-4,
            milestones=(292,),  # of 10 epochs of 39 steps, three quarters
        ),
        batch_size=32,
        timed_batch_size=32,
        epochs=10,
        target_accuracy=0.98,
    )


def on_cifar10(task: Task) -> Task:
    """The task on photographs of 32x32 pixels, cropped to its input's size."""
    return _on_photographs(task, "cifar10", Cifar10(crop=_size(task)))


def on_imagenette(task: Task) -> Task:
    """The task on photographs of ImageNet, made as small as its input."""
    return _on_photographs(task, "imagenette", Imagenette(size=_size(task)))


def _size(task: Task) -> int:
    return task.model.every_input[""].shape[-1]


def _on_photographs(task: Task, what: str, data: Data) -> Task:
    """The task's model and recipe; its milestones are left out, being steps of the digits. Nobody
    has tuned the recipe for photographs: it is for speed and parity at a real data set's length.
    """
    name, optimizer = f"{task.name}-{what}", replace(task.optimizer, milestones=())
    model = replace(task.model, name=name)
    return replace(
        task, name=name, model=model, data=data, optimizer=optimizer, target_accuracy=None
    )


def _stage(in_channels: int, channels: int, stride: int, blocks: int = 3) -> Sequential:
    first = (("0", _block(in_channels, channels, stride)),)
    rest = tuple((str(number), _block(channels, channels, 1)) for number in range(1, blocks))
    return Sequential(layers=first + rest)


def _block(in_channels: int, channels: int, stride: int) -> Sequential:
    """Two convolutions beside a shortcut, which projects where the shape changes."""
    project = _convolution("project", "norm3", in_channels, channels, kernel_size=1, stride=stride)
    body = (
        *_convolution("conv1", "norm1", in_channels, channels, kernel_size=3, stride=stride),
        ("relu1", ReLU()),
        *_convolution("conv2", "norm2", channels, channels, kernel_size=3, stride=1),
    )
    changes = stride != 1 or in_channels != channels
    return Sequential(
        layers=(
            ("sum", Residual(layers=body, shortcut=project if changes else ())),
            ("relu2", ReLU()),
        )
    )


def _convolution(
    name: str, norm: str, in_channels: int, channels: int, kernel_size: int, stride: int
) -> Layers:
    """A convolution that keeps the size (but for its stride), and batch norm."""
    convolution = Conv2d(
        in_channels=in_channels,
        out_channels=channels,
        kernel_size=kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        bias=False,
    )
    return (
        (name, convolution),
        (norm, BatchNorm(channels=channels, epsilon=1e-5, momentum=0.1)),
    )

"""Inception-v3 (Szegedy et al. 2015, arXiv 1512.00567, table 1 and figures 5 to 7)."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.spec import (
    AvgPool,
    BatchNorm,
    Concat,
    Conv2d,
    Entry,
    Input,
    Linear,
    MaxPool,
    MeanPlaces,
    ModelSpec,
    ReLU,
    Sequential,
    Size,
    pair,
)

HALVE = MaxPool(size=3, stride=2)
ACROSS, DOWN = (1, 7), (7, 1)

Link = tuple[str, int, Size] | tuple[str, int, Size, int]  # name, channels, kernel, and a stride
Branch = tuple[list[Entry], tuple[str, ...]]  # entries, and those of them that are joined


def inception_v3(
    *,
    size: int = 299,
    classes: int = 1000,
    width: int = 16,
    count_padding: bool = True,
    scale: bool = True,
    momentum: float = 0.1,
) -> ModelSpec:
    """Inception-v3 without its auxiliary head, for images of 3 x size x size, of 75 at least, as
    torchvision has it, with its names. All channels but the image's are the published ones times
    width / 16. keras.applications has neither ``count_padding`` in its average pools nor the
    ``scale`` of batch norm, and a momentum of 0.01.
    """
    average = AvgPool(size=3, stride=1, padding=1, count_padding=count_padding)
    make = _Parts(width=width, average=average, scale=scale, momentum=momentum)
    return ModelSpec(
        name="inception-v3",
        input=Input(shape=(3, size, size)),
        layers=(
            ("Conv2d_1a_3x3", make.conv(3, 32, 3, 2)),
            ("Conv2d_2a_3x3", make.conv(32, 32, 3, same=False)),
            ("Conv2d_2b_3x3", make.conv(32, 64, 3)),
            ("maxpool1", HALVE),
            ("Conv2d_3b_1x1", make.conv(64, 80, 1)),
            ("Conv2d_4a_3x3", make.conv(80, 192, 3, same=False)),
            ("maxpool2", HALVE),
            ("Mixed_5b", make.block_a(192, 32)),
            ("Mixed_5c", make.block_a(256, 64)),
            ("Mixed_5d", make.block_a(288, 64)),
            ("Mixed_6a", make.block_b(288)),
            ("Mixed_6b", make.block_c(768, 128)),
            ("Mixed_6c", make.block_c(768, 160)),
            ("Mixed_6d", make.block_c(768, 160)),
            ("Mixed_6e", make.block_c(768, 192)),
            ("Mixed_7a", make.block_d(768)),
            ("Mixed_7b", make.block_e(1280)),
            ("Mixed_7c", make.block_e(2048)),
            ("avgpool", MeanPlaces()),
            ("fc", Linear(in_features=make.channels(2048), out_features=classes)),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What the model is made of; channels are given as published."""

    width: int
    average: AvgPool
    scale: bool
    momentum: float

    def channels(self, published: int) -> int:
        return published * self.width // 16

    def conv(
        self, given: int, made: int, kernel: Size, stride: int = 1, *, same: bool = True
    ) -> Sequential:
        """A convolution, batch norm, ReLU; one of stride 1 keeps the size where it is ``same``."""
        height, width = pair(kernel)
        convolution = Conv2d(
            in_channels=3 if given == 3 else self.channels(given),
            out_channels=self.channels(made),
            kernel_size=kernel,
            stride=stride,
            padding=(height // 2, width // 2) if same and stride == 1 else 0,
            bias=False,
        )
        norm = BatchNorm(
            channels=self.channels(made), epsilon=1e-3, momentum=self.momentum, scale=self.scale
        )
        return Sequential(layers=(("conv", convolution), ("bn", norm), ("relu", ReLU())))

    def chain(self, given: int, *links: Link) -> Branch:
        """Convolutions one after the other, the first of what the block was given."""
        entries, before = list[Entry](), ""
        for name, made, kernel, *stride in links:
            entries.append((name, self.conv(given, made, kernel, *stride), (before,)))
            given, before = made, name
        return entries, (before,)

    def fork(self, branch: Branch, name: str) -> Branch:
        """After a branch of 384 channels, two convolutions beside each other."""
        entries, sources = branch
        across, down = (self.conv(384, 384, kernel) for kernel in ((1, 3), (3, 1)))
        both = [(f"{name}a", across, sources), (f"{name}b", down, sources)]
        return [*entries, *both], (f"{name}a", f"{name}b")

    def pooled(self, given: int, made: int) -> Branch:
        conv = self.conv(given, made, 1)
        return [("pool", self.average, ("",)), ("branch_pool", conv)], ("branch_pool",)

    def joined(self, *branches: Branch) -> Sequential:
        entries = [entry for branch, _ in branches for entry in branch]
        names = tuple(name for _, ends in branches for name in ends)
        return Sequential(layers=(*entries, ("cat", Concat(), names)))

    def block_a(self, given: int, pool: int) -> Sequential:
        return self.joined(
            self.chain(given, ("branch1x1", 64, 1)),
            self.chain(given, ("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)),
            self.chain(
                given,
                ("branch3x3dbl_1", 64, 1),
                ("branch3x3dbl_2", 96, 3),
                ("branch3x3dbl_3", 96, 3),
            ),
            self.pooled(given, pool),
        )

    def block_b(self, given: int) -> Sequential:
        return self.joined(
            self.chain(given, ("branch3x3", 384, 3, 2)),
            self.chain(
                given,
                ("branch3x3dbl_1", 64, 1),
                ("branch3x3dbl_2", 96, 3),
                ("branch3x3dbl_3", 96, 3, 2),
            ),
            ([("pool", HALVE, ("",))], ("pool",)),
        )

    def block_c(self, given: int, inner: int) -> Sequential:
        return self.joined(
            self.chain(given, ("branch1x1", 192, 1)),
            self.chain(
                given,
                ("branch7x7_1", inner, 1),
                ("branch7x7_2", inner, ACROSS),
                ("branch7x7_3", 192, DOWN),
            ),
            self.chain(
                given,
                ("branch7x7dbl_1", inner, 1),
                ("branch7x7dbl_2", inner, DOWN),
                ("branch7x7dbl_3", inner, ACROSS),
                ("branch7x7dbl_4", inner, DOWN),
                ("branch7x7dbl_5", 192, ACROSS),
            ),
            self.pooled(given, 192),
        )

    def block_d(self, given: int) -> Sequential:
        return self.joined(
            self.chain(given, ("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3, 2)),
            self.chain(
                given,
                ("branch7x7x3_1", 192, 1),
                ("branch7x7x3_2", 192, ACROSS),
                ("branch7x7x3_3", 192, DOWN),
                ("branch7x7x3_4", 192, 3, 2),
            ),
            ([("pool", HALVE, ("",))], ("pool",)),
        )

    def block_e(self, given: int) -> Sequential:
        double = self.chain(given, ("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3))
        return self.joined(
            self.chain(given, ("branch1x1", 320, 1)),
            self.fork(self.chain(given, ("branch3x3_1", 384, 1)), "branch3x3_2"),
            self.fork(double, "branch3x3dbl_3"),
            self.pooled(given, 192),
        )

"""Third-party adapters: one lowers a layer of its package's own, one cannot even be set up."""

from tribench_layered_spec import Double

from backends.base import lowers
from backends.torch import Backend


class Doubling(Backend):
    """PyTorch, with the layer."""

    name = "doubling"

    @lowers(Double)
    def double(self, layer, parameters, x, context):
        return 2 * x


class Crashing(Backend):
    """Fails with something else than NotSupported."""

    name = "crashing"

    def __init__(self, **options):
        raise RuntimeError("no licence found")

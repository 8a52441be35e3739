"""What PyTorch does by default, entry by entry of docs/atlas.md."""

import torch
from entries import entry, run
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
ROW = torch.tensor([[1.0, 1.01, 0.99, 1.0]])
SIGNS = torch.tensor([[[[1.0, -2.0], [3.0, 0.5]]]])


def slope(function, at=0.0):
    x = torch.tensor(at, requires_grad=True)
    function(x).backward()
    return x.grad


@entry("layer-norm-epsilon")
def _():
    return nn.LayerNorm(4)(ROW)


@entry("batch-norm-epsilon")
def _():
    return nn.BatchNorm1d(1).train()(ROW.T)


@entry("batch-norm-momentum")
def _():
    norm = nn.BatchNorm1d(1).train()
    norm(torch.tensor([[1.0], [3.0]]))
    return norm.running_mean


@entry("running-variance")
def _():
    norm = nn.BatchNorm1d(1, momentum=1.0).train()
    norm(torch.tensor([[1.0], [3.0]]))
    return norm.running_var


@entry("gelu")
def _():
    return F.gelu(torch.tensor([-2.7, 2.7]))


@entry("same-padding")
def _():
    image, kernel = torch.arange(16.0).reshape(1, 1, 4, 4), torch.zeros(1, 1, 3, 3)
    kernel[..., 1, 1] = 1
    try:
        F.conv2d(image, kernel, stride=2, padding="same")
        refused = False
    except RuntimeError:
        refused = True
    return {"refuses": refused, "padding 1": F.conv2d(image, kernel, stride=2, padding=1).ravel()}


@entry("average-pool-border")
def _():
    return F.avg_pool2d(torch.ones(1, 1, 2, 2), 3, stride=1, padding=1)[0, 0, 0, 0]


@entry("ties")
def _():
    def gradient(function):
        x = torch.zeros(1, 1, 2, 2, requires_grad=True)
        function(x).sum().backward()
        return x.grad.ravel()

    return {
        "pool": gradient(lambda x: F.max_pool2d(x, 2)),
        "reduction": gradient(lambda x: x.amax((2, 3))),
    }


@entry("kinks")
def _():
    return {
        "relu": slope(torch.relu),
        "maximum": slope(lambda x: torch.maximum(x, torch.tensor(0.0))),
        "clip": slope(lambda x: torch.clamp(x, min=0.0)),
    }


@entry("leaky-slope")
def _():
    return {
        "function": F.leaky_relu(torch.tensor(-1.0)),
        "layer": nn.LeakyReLU()(torch.tensor(-1.0)),
    }


@entry("deviation")
def _():
    return torch.tensor([1.0, 3.0]).std()


@entry("adam-epsilon")
def _():
    p = torch.tensor(0.0, requires_grad=True)
    p.grad = torch.tensor(1e-7)
    torch.optim.Adam([p], lr=1e-3).step()
    return p


@entry("weight-decay")
def _():
    p = torch.tensor(1.0, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        p.grad = torch.tensor(0.0)
        optimizer.step()
    return p


@entry("momentum")
def _():
    p = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=1.0, momentum=0.9)
    for rate in (1.0, 0.1):
        optimizer.param_groups[0]["lr"] = rate
        p.grad = torch.tensor(1.0)
        optimizer.step()
    return p


@entry("clipping")
def _():
    p, q = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    p.grad, q.grad = torch.tensor([3.0]), torch.tensor([4.0])
    nn.utils.clip_grad_norm_([p, q], 1.0)
    return [float(p.grad), float(q.grad)]


@entry("lstm-biases")
def _():
    lstm = nn.LSTM(1, 1)
    biases = [name for name in dict(lstm.named_parameters()) if "bias" in name]
    return {"arrays": len(biases), "rows": lstm.bias_ih_l0.shape[0]}


@entry("padded-outputs")
def _():
    lstm = nn.LSTM(1, 1, batch_first=True)
    packed = nn.utils.rnn.pack_padded_sequence(torch.ones(1, 3, 1), [1], batch_first=True)
    out, _ = nn.utils.rnn.pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=3)
    return {"after the end": "zeros" if not out[0, 1:].any() else "something"}


@entry("cross-entropy-clipping")
def _():
    return F.cross_entropy(torch.tensor([[0.0, 100.0]]), torch.tensor([0]))


@entry("float64-inputs")
def _():
    return {"dtype": str((torch.from_numpy(__import__("numpy").ones(1)) + 0).dtype)}


@entry("denormals")
def _():
    return {"kept": bool((torch.tensor([1e-40], dtype=torch.float32) * 1).any())}


@entry("ids-out-of-range")
def _():
    try:
        F.embedding(torch.tensor([5]), torch.eye(3))
    except IndexError:
        return "an error"
    return "a row"


@entry("rows-without-keys")
def _():
    mask = torch.tensor([[float("-inf"), float("-inf")]])
    return {"softmax": "nan" if torch.softmax(mask, -1).isnan().all() else "numbers"}


@entry("initial-linear")
def _():
    torch.manual_seed(0)
    return nn.Linear(400, 400).weight.std() * 20


@entry("initial-embedding")
def _():
    torch.manual_seed(0)
    return nn.Embedding(100, 100).weight.std()


run()

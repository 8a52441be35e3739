"""Models as a PyTorch user writes them; run in PyTorch's environment by test_plain_torch.py.

``python plain_torch.py FOLDER TASK...`` loads each task's parameters and buffers by name, from
``TASK-parameters.npz``, and writes to ``TASK-out.npz`` the logits of ``TASK-inputs.npz`` and, by
module, the parameters and the operations that PyTorch counts. No step is padding here.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64 * 6 * 6, 128)
        self.fc2 = nn.Linear(128, 10)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


class Rnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(10, 8, num_layers=2, batch_first=True)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.query, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.output, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.heads, self.each = heads, width // heads

    def forward(self, x):
        def split(y):
            return y.unflatten(-1, (self.heads, self.each)).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(self.each), dim=-1)
        return self.output((weights @ v).transpose(1, 2).flatten(-2))


class CausalAttention(Attention):
    def forward(self, x):
        def split(y):
            return y.unflatten(-1, (self.heads, self.each)).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.each)
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        weights = torch.softmax(scores.masked_fill(later, -math.inf), dim=-1)
        return self.output((weights @ v).transpose(1, 2).flatten(-2))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention(8, 2)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.linear1, self.linear2 = nn.Linear(8, 32), nn.Linear(32, 8)

    def forward(self, x):
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.linear2(torch.relu(self.linear1(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.fc = nn.Linear(8, 2)

    def forward(self, tokens):
        x = self.embedding(tokens.long())
        position = torch.arange(x.shape[1], dtype=x.dtype)[:, None]
        rate = torch.exp(torch.arange(0, 8, 2, dtype=x.dtype) * (-math.log(10000.0) / 8))
        x[:, :, 0::2] += torch.sin(position * rate)
        x[:, :, 1::2] += torch.cos(position * rate)
        for block in self.blocks:
            x = block(x)
        return self.fc(x.mean(dim=1))


class ResidualBlock(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        if stride != 1 or before != channels:
            self.project = nn.Conv2d(before, channels, 1, stride, bias=False)
            self.norm3 = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(y + (self.norm3(self.project(x)) if hasattr(self, "project") else x))


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.stage1 = nn.Sequential(*(ResidualBlock(16, 16, 1) for _ in range(3)))
        self.stage2 = nn.Sequential(
            *(ResidualBlock(16 + 16 * (n > 0), 32, 2 - (n > 0)) for n in range(3))
        )
        self.stage3 = nn.Sequential(
            *(ResidualBlock(32 + 32 * (n > 0), 64, 2 - (n > 0)) for n in range(3))
        )
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.stage3(self.stage2(self.stage1(torch.relu(self.norm(self.conv(x))))))
        return self.fc(x.mean(dim=(2, 3)))


class SmallRnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(64, 256, num_layers=2, batch_first=True)
        self.fc = nn.Linear(256, 10)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class SmallGru(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(64, 256, num_layers=2, batch_first=True)
        self.fc = nn.Linear(256, 10)

    def forward(self, x):
        return self.fc(self.gru(x)[0][:, -1])


class PreNormBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention(256, 4)
        self.norm1, self.norm2 = nn.LayerNorm(256), nn.LayerNorm(256)
        self.linear1, self.linear2 = nn.Linear(256, 1024), nn.Linear(1024, 256)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.linear2(nn.functional.gelu(self.linear1(self.norm2(x))))


class SmallTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.position = nn.Embedding(17, 256), nn.Embedding(64, 256)
        self.blocks = nn.ModuleList([PreNormBlock() for _ in range(4)])
        self.norm, self.fc = nn.LayerNorm(256), nn.Linear(256, 10)

    def forward(self, tokens):
        x = self.embedding(tokens.long()) + self.position.weight
        for block in self.blocks:
            x = block(x)
        return self.fc(self.norm(x).mean(dim=1))


class GptBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = CausalAttention(width, heads)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        y = nn.functional.gelu(self.linear1(self.norm2(x)), approximate="tanh")
        return x + self.linear2(y)


class Gpt(nn.Module):
    def __init__(self, layers, width):
        super().__init__()
        self.embedding, self.position = nn.Embedding(256, width), nn.Embedding(64, width)
        self.blocks = nn.ModuleList([GptBlock(width, heads=4) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 256, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        x = self.embedding(tokens.long()) + self.position.weight
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class TinyGpt(Gpt):
    def __init__(self):
        super().__init__(layers=2, width=32)


class SmallGpt(Gpt):
    def __init__(self):
        super().__init__(layers=4, width=128)


class CrossAttention(Attention):
    """A step sees all of the memory, or itself and what stands before it."""

    def __init__(self, width, heads, causal=False):
        super().__init__(width, heads)
        self.causal = causal

    def forward(self, x, memory=None):
        def split(y):
            return y.unflatten(-1, (self.heads, self.each)).transpose(1, 2)

        memory = x if memory is None else memory
        q, k, v = split(self.query(x)), split(self.key(memory)), split(self.value(memory))
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.each)
        if self.causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -math.inf)
        return self.output((torch.softmax(scores, dim=-1) @ v).transpose(1, 2).flatten(-2))


class EncoderBlock(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.attention = CrossAttention(width, heads)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x):
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.linear2(torch.relu(self.linear1(x))))


class DecoderBlock(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.attention = CrossAttention(width, heads, causal=True)
        self.cross = CrossAttention(width, heads)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, x, memory):
        x = self.norm1(x + self.attention(x))
        x = self.norm2(x + self.cross(x, memory))
        return self.norm3(x + self.linear2(torch.relu(self.linear1(x))))


class Translation(nn.Module):
    """One table for both languages and the head; sines stand before cosines."""

    def __init__(self, blocks, width, heads, hidden, vocabulary):
        super().__init__()
        self.source_word, self.target_word = (nn.Embedding(vocabulary, width) for _ in range(2))
        sizes = (width, heads, hidden)
        self.encoder = nn.ModuleList([EncoderBlock(*sizes) for _ in range(blocks)])
        self.decoder = nn.ModuleList([DecoderBlock(*sizes) for _ in range(blocks)])
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.target_word.weight = self.head.weight = self.source_word.weight

    def forward(self, inputs):
        memory = self.placed(self.source_word(inputs["source"].long()))
        for block in self.encoder:
            memory = block(memory)
        x = self.placed(self.target_word(inputs["target"].long()))
        for block in self.decoder:
            x = block(x, memory)
        return self.head(x)

    def placed(self, x):
        steps, width = x.shape[-2:]
        position = torch.arange(steps, dtype=x.dtype)[:, None]
        rate = torch.exp(torch.arange(0, width, 2, dtype=x.dtype) * (-math.log(10000.0) / width))
        angles = position * rate
        return x * math.sqrt(width) + torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)


class TinyTranslation(Translation):
    def __init__(self):
        super().__init__(blocks=1, width=32, heads=2, hidden=64, vocabulary=512)


class SmallTranslation(Translation):
    def __init__(self):
        super().__init__(blocks=2, width=128, heads=4, hidden=512, vocabulary=1024)


class Speech(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.conv1 = nn.Conv1d(40, width, 5, stride=2, padding=2, bias=False)
        self.conv2 = nn.Conv1d(width, width, 5, stride=2, padding=2, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm1d(width), nn.BatchNorm1d(width)
        self.lstm = nn.LSTM(width, hidden, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(2 * hidden, 29)

    def forward(self, frames):
        x = torch.relu(self.norm1(self.conv1(frames.transpose(1, 2))))
        x = torch.relu(self.norm2(self.conv2(x)))
        return self.fc(self.lstm(x.transpose(1, 2))[0])


class TinySpeech(Speech):
    def __init__(self):
        super().__init__(width=16, hidden=16)


class SmallSpeech(Speech):
    def __init__(self):
        super().__init__(width=128, hidden=128)


MODELS = {
    "cnn-tiny": Cnn,
    "cnn-small": ResNet20,
    "rnn-tiny": Rnn,
    "rnn-small": SmallRnn,
    "gru-small": SmallGru,
    "transformer-tiny": Transformer,
    "transformer-small": SmallTransformer,
    "gpt-tiny": TinyGpt,
    "gpt-small": SmallGpt,
    "translation-tiny": TinyTranslation,
    "translation-small": SmallTranslation,
    "speech-tiny": TinySpeech,
    "speech-small": SmallSpeech,
}


def load(model, file):
    with np.load(file) as arrays:
        found = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    own = dict(model.named_parameters(remove_duplicate=False))
    loaded = {id(own[name]) for name in found if name in own}
    missing, unexpected = model.load_state_dict(found, strict=False)
    missing = [name for name in missing if id(own.get(name)) not in loaded]  # what is tied
    assert not unexpected, unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing), missing


def first(given):
    """Of one sample."""
    return {name: ids[:1] for name, ids in given.items()} if isinstance(given, dict) else given[:1]


def operations(model, given):
    """By module, as PyTorch's counter sees them; without oneDNN, whose LSTM it cannot look into."""
    counter = FlopCounterMode(display=False)
    with counter, torch.backends.mkldnn.flags(enabled=False):
        model(given)
    prefix = type(model).__name__
    return {
        name.removeprefix(f"{prefix}."): sum(counts.values())
        for name, counts in counter.get_flop_counts().items()
    }


def write(task, folder):
    model = MODELS[task]().eval()
    load(model, folder / f"{task}-parameters.npz")
    with np.load(folder / f"{task}-inputs.npz") as arrays:
        named = {name.rpartition(".")[2]: torch.from_numpy(arrays[name]) for name in arrays.files}
    given = named.get("inputs", named)  # of a model whose inputs have names, all by name
    sizes = {
        name: sum(p.numel() for p in module.parameters()) for name, module in model.named_modules()
    }
    with torch.no_grad():
        found = {"logits": model(given).numpy()}
        found |= {f"flops/{name}": n for name, n in operations(model, first(given)).items()}
    found |= {f"parameters/{name}": n for name, n in sizes.items()}
    np.savez(folder / f"{task}-out.npz", **found)


if __name__ == "__main__":
    folder, *tasks = sys.argv[1:]
    torch.set_default_dtype(torch.float64)
    for task in tasks:
        write(task, Path(folder))

"""Models as a PyTorch user writes them; run in PyTorch's environment by test_plain_torch.py.

``python plain_torch.py TASK PARAMETERS.npz INPUTS.npz OUT.npz`` loads the parameters by name.
"""

import math
import sys

import numpy as np
import torch
from torch import nn


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
    def __init__(self):
        super().__init__()
        self.query, self.value, self.output = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.key = nn.Linear(8, 8, bias=False)

    def forward(self, x):
        def split(y):
            return y.unflatten(-1, (2, 4)).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(4), dim=-1)
        return self.output((weights @ v).transpose(1, 2).flatten(-2))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention()
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


MODELS = {"cnn-tiny": Cnn, "rnn-tiny": Rnn, "transformer-tiny": Transformer}

if __name__ == "__main__":
    task, parameters, inputs, out = sys.argv[1:]
    torch.set_default_dtype(torch.float64)
    model = MODELS[task]()
    with np.load(parameters) as arrays:
        model.load_state_dict({name: torch.from_numpy(arrays[name]) for name in arrays.files})
    with np.load(inputs) as arrays, torch.no_grad():
        np.savez(out, logits=model(torch.from_numpy(arrays["inputs"])).numpy())

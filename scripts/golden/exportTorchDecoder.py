#!/usr/bin/env python3
"""Exports a tiny decoder from PyTorch as ONNX, with its loss and gradients in float64.

A graph that is not ours, for the reader and for differentiation: the exporter's shape
arithmetic (Shape, Gather, ConstantOfShape, Where, Expand), parameters as initializers
under their PyTorch names, Transpose nodes before MatMul, `score` = mean log-likelihood
of the input ids per row.

    /usr/bin/python3 scripts/golden/exportTorchDecoder.py test/golden/fixtures

Needs Debian's python3-torch (made with 1.13.1). Writes torchDecoder.onnx and
torchDecoder.json (`loss` is -score.sum(); `gradients` by parameter name).
"""
import json
import math
import os
import sys
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
WIDTH, HEADS, VOCABULARY, CONTEXT = 8, 2, 11, 16


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH)
        self.register_buffer("mask", torch.tril(torch.ones(CONTEXT, CONTEXT, dtype=torch.bool)))

    def forward(self, x):
        batch, tokens, _ = x.shape
        q, k, v = [t.view(batch, tokens, HEADS, WIDTH // HEADS).transpose(1, 2) for t in self.qkv(self.ln1(x)).split(WIDTH, dim=2)]
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(k.size(-1))
        weights = F.softmax(scores.masked_fill(~self.mask[:tokens, :tokens], -1e9), -1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, WIDTH))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.block, self.norm = Block(), nn.LayerNorm(WIDTH)

    def forward(self, ids):
        x = self.block(self.embedding(ids) + self.positions(torch.arange(ids.shape[1]))[None])
        logits = self.norm(x) @ self.embedding.weight.T
        return logits, F.log_softmax(logits, -1).gather(2, ids[..., None]).squeeze(-1).mean(1)


if __name__ == "__main__":
    folder = sys.argv[1]
    torch.manual_seed(7)
    model = Decoder()
    for parameter in model.parameters():  # short decimals keep the fixture small and exact
        parameter.data = (torch.randn_like(parameter) * 64).round() / 256
    ids = torch.randint(0, VOCABULARY, (2, 5))
    torch.onnx.export(
        model, (ids,), os.path.join(folder, "torchDecoder.onnx"), input_names=["ids"], output_names=["logits", "score"], opset_version=17,
        dynamic_axes={"ids": {0: "batch", 1: "tokens"}, "logits": {0: "batch", 1: "tokens"}, "score": {0: "batch"}},
        training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
    )
    exact = model.double()
    logits, score = exact(ids)
    loss = -score.sum()
    loss.backward()
    numbers = lambda t: {"shape": list(t.shape), "data": [float("%.12g" % x) for x in t.detach().flatten().tolist()]}
    expected = {
        "torchVersion": torch.__version__,
        "ids": numbers(ids),
        "logits": numbers(logits),
        "score": numbers(score),
        "loss": loss.item(),
        "gradients": {name: numbers(parameter.grad) for name, parameter in exact.named_parameters()},
    }
    with open(os.path.join(folder, "torchDecoder.json"), "w") as file:
        json.dump(expected, file)
        file.write("\n")

"""Training as transformers' Trainer does it, in float64 with torch autograd: loss sum
over completion tokens divided by the tokens of the whole accumulated batch, global-norm
clipping, AdamW with decoupled decay (not on biases and norms), get_scheduler's rates.
LoRA as in PEFT."""
import json
import math
import os
import re

import torch

import safetensors_file
from student import row_losses

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def learning_rate(options, step):
    """Rate used in step `step`, counted from 0."""
    base, warmup, total = options["learningRate"], options["warmupSteps"], options["steps"]
    if step < warmup:
        return base * step / max(1, warmup)
    if options["scheduler"] == "constant":
        return base
    done = (step - warmup) / max(1, total - warmup)
    if options["scheduler"] == "linear":
        return base * max(0.0, 1 - done)
    assert options["scheduler"] == "cosine"
    return base * max(0.0, 0.5 * (1 + math.cos(math.pi * done)))


def steps_of(row_count, options):
    """Micro-batches of each step, rows in order; the last step of an epoch takes what is left."""
    batch, accumulate, steps = options["batchSize"], options["gradAccum"], options["steps"]
    micro = [list(range(i, min(i + batch, row_count))) for i in range(0, row_count, batch)]
    epoch = [micro[i : i + accumulate] for i in range(0, len(micro), accumulate)]
    return [epoch[s % len(epoch)] for s in range(steps)]


def decays(name):
    return not (name.endswith(".bias") or re.search(r"layernorm|_norm\.|\.ln_[12f]\.|model\.norm\.", name))


def train(student, rows, options, trainable):
    """Trains `trainable` (name -> tensor) in place. rows: (ids, count). Returns a record a step."""
    for tensor in trainable.values():
        tensor.requires_grad_(True)
    first = {name: torch.zeros_like(t) for name, t in trainable.items()}
    second = {name: torch.zeros_like(t) for name, t in trainable.items()}
    records = []
    for step, micro_batches in enumerate(steps_of(len(rows), options)):
        tokens = sum(rows[i][1] for micro in micro_batches for i in micro)
        total = 0.0
        for micro in micro_batches:
            loss = 0
            for i in micro:
                ids, count = rows[i]
                log_p, targets = row_losses(student, ids, count)
                loss = loss - log_p[torch.arange(count), targets].sum()
            (loss / tokens).backward()
            total += loss.item()
        norm = math.sqrt(sum((t.grad**2).sum().item() for t in trainable.values()))
        limit = options["maxGradNorm"]
        factor = min(1.0, limit / (norm + 1e-6)) if limit > 0 else 1.0
        rate = learning_rate(options, step)
        with torch.no_grad():
            for name, tensor in trainable.items():
                gradient = tensor.grad * factor
                first[name] = BETA1 * first[name] + (1 - BETA1) * gradient
                second[name] = BETA2 * second[name] + (1 - BETA2) * gradient**2
                mean = first[name] / (1 - BETA1 ** (step + 1))
                scale = torch.sqrt(second[name] / (1 - BETA2 ** (step + 1))) + EPSILON
                decay = options["weightDecay"] if decays(name) else 0.0
                tensor.mul_(1 - rate * decay).sub_(rate * mean / scale)
                tensor.grad = None
        records.append({"step": step + 1, "loss": total / tokens, "gradNorm": norm, "lr": rate, "tokens": tokens})
    for tensor in trainable.values():
        tensor.requires_grad_(False)
    return records


def load_adapter(student, directory):
    """Puts a PEFT adapter on the student; returns its factors by `<module>.lora_A.weight`."""
    with open(os.path.join(directory, "adapter_config.json"), encoding="utf-8") as file:
        config = json.load(file)
    weights = safetensors_file.load(os.path.join(directory, "adapter_model.safetensors"))
    prefix = "base_model.model."
    factors = {name[len(prefix) :]: torch.tensor(value) for name, value in weights.items()}
    for name in factors:
        if not name.endswith(".lora_A.weight"):
            continue
        module = name[: -len(".lora_A.weight")]
        rank = pattern_value(config.get("rank_pattern"), module, config["r"])
        alpha = pattern_value(config.get("alpha_pattern"), module, config["lora_alpha"])
        a, b = factors[name], factors[module + ".lora_B.weight"]
        assert a.shape[0] == rank == b.shape[1], name
        student.adapter[module] = (a, b, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))
    return factors


def pattern_value(pattern, module, default):
    for key, value in (pattern or {}).items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return default

"""Forward passes of the supported families in float64, one row at a time (no padding,
no cache), written from the papers and the semantics of transformers' configs."""
import json
import math
import os

import torch

import safetensors_file

torch.set_default_dtype(torch.float64)


class Student:
    """Parameters by transformers' state-dict names. `adapter`: module -> (A, B, scaling)."""

    def __init__(self, directory):
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.family = self.config["model_type"]
        raw = {}
        index = os.path.join(directory, "model.safetensors.index.json")
        if os.path.exists(index):
            with open(index, encoding="utf-8") as file:
                shards = sorted(set(json.load(file)["weight_map"].values()))
        else:
            shards = ["model.safetensors"]
        for shard in shards:
            raw.update(safetensors_file.load(os.path.join(directory, shard)))
        if self.family == "gpt2":
            raw = {k if k.startswith("transformer.") else "transformer." + k: v for k, v in raw.items()}
            # Buffers of the causal mask are in old checkpoints; they are no parameters.
            raw = {k: v for k, v in raw.items() if not k.endswith((".attn.bias", ".attn.masked_bias"))}
        self.params = {name: torch.tensor(value) for name, value in raw.items()}
        self.adapter = {}

    @property
    def max_positions(self):
        return self.config.get("n_positions") or self.config["max_position_embeddings"]

    def linear(self, x, module):
        """x W^T + b for Linear [out, in]; x W + b for GPT-2's Conv1D [in, out]; plus scaling (x A^T) B^T."""
        weight = self.params[module + ".weight"]
        y = x @ weight if self.family == "gpt2" else x @ weight.T
        if module + ".bias" in self.params:
            y = y + self.params[module + ".bias"]
        if module in self.adapter:
            a, b, scaling = self.adapter[module]
            y = y + scaling * ((x @ a.T) @ b.T)
        return y

    def logits(self, ids):
        """[T, V] of a list of T ids."""
        return self.gpt2(ids) if self.family == "gpt2" else self.llama(ids)

    def llama(self, ids):
        c = self.config
        heads = c["num_attention_heads"]
        groups = c.get("num_key_value_heads") or heads
        head = c.get("head_dim") or c["hidden_size"] // heads
        length = len(ids)
        angles = torch.outer(torch.arange(length, dtype=torch.float64), inverse_frequencies(c, head))
        cos, sin = torch.cos(angles), torch.sin(angles)  # [T, head / 2]
        x = self.params["model.embed_tokens.weight"][ids]
        for i in range(c["num_hidden_layers"]):
            layer = f"model.layers.{i}"
            h = self.rms_norm(x, layer + ".input_layernorm")
            q = self.linear(h, layer + ".self_attn.q_proj").view(length, heads, head)
            k = self.linear(h, layer + ".self_attn.k_proj").view(length, groups, head)
            v = self.linear(h, layer + ".self_attn.v_proj").view(length, groups, head)
            mixed = attend(rotate(q, cos, sin), rotate(k, cos, sin), v)
            x = x + self.linear(mixed, layer + ".self_attn.o_proj")
            h = self.rms_norm(x, layer + ".post_attention_layernorm")
            gate = self.linear(h, layer + ".mlp.gate_proj")
            up = self.linear(h, layer + ".mlp.up_proj")
            x = x + self.linear(gate * torch.sigmoid(gate) * up, layer + ".mlp.down_proj")
        x = self.rms_norm(x, "model.norm")
        if c["tie_word_embeddings"]:
            return x @ self.params["model.embed_tokens.weight"].T
        return self.linear(x, "lm_head")

    def rms_norm(self, x, name):
        mean = (x * x).mean(-1, keepdim=True)
        return x / torch.sqrt(mean + self.config["rms_norm_eps"]) * self.params[name + ".weight"]

    def gpt2(self, ids):
        c, p = self.config, self.params
        heads, width, length = c["n_head"], c["n_embd"], len(ids)
        x = p["transformer.wte.weight"][ids] + p["transformer.wpe.weight"][:length]
        for i in range(c["n_layer"]):
            layer = f"transformer.h.{i}"
            qkv = self.linear(self.layer_norm(x, layer + ".ln_1"), layer + ".attn.c_attn")
            q, k, v = (part.reshape(length, heads, width // heads) for part in qkv.split(width, -1))
            x = x + self.linear(attend(q, k, v), layer + ".attn.c_proj")
            h = self.linear(self.layer_norm(x, layer + ".ln_2"), layer + ".mlp.c_fc")
            x = x + self.linear(gelu_new(h), layer + ".mlp.c_proj")
        return self.layer_norm(x, "transformer.ln_f") @ p["transformer.wte.weight"].T

    def layer_norm(self, x, name):
        centered = x - x.mean(-1, keepdim=True)
        variance = (centered * centered).mean(-1, keepdim=True)
        normed = centered / torch.sqrt(variance + self.config["layer_norm_epsilon"])
        return normed * self.params[name + ".weight"] + self.params[name + ".bias"]


def gelu_new(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def attend(q, k, v):
    """Causal attention. q [T, N, H]; k, v [T, K, H], each serving N / K query heads. [T, N * H]."""
    length, heads, head = q.shape
    repeat = heads // k.shape[1]
    k, v = (t.repeat_interleave(repeat, 1) for t in (k, v))
    scores = torch.einsum("tnh,snh->nts", q, k) / math.sqrt(head)
    future = torch.ones(length, length).triu(1).bool()
    weights = torch.softmax(scores.masked_fill(future, -math.inf), -1)
    return torch.einsum("nts,snh->tnh", weights, v).reshape(length, heads * head)


def rotate(x, cos, sin):
    """Rotary positions in the half-split layout of transformers. x [T, N, H]."""
    first, second = x.chunk(2, -1)
    cos, sin = cos[:, None, :], sin[:, None, :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def inverse_frequencies(config, head):
    exponents = torch.arange(0, head, 2, dtype=torch.float64) / head
    frequencies = config.get("rope_theta", 10000.0) ** -exponents
    scaling = config.get("rope_scaling")
    if scaling is None:
        return frequencies
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind == "linear":
        return frequencies / scaling["factor"]
    assert kind == "llama3", kind
    original, factor = scaling["original_max_position_embeddings"], scaling["factor"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    out = []
    for frequency in frequencies.tolist():
        turns = original * frequency / (2 * math.pi)  # rotations within the original context
        if turns < low:
            out.append(frequency / factor)
        elif turns > high:
            out.append(frequency)
        else:
            smooth = (turns - low) / (high - low)
            out.append((1 - smooth) * frequency / factor + smooth * frequency)
    return torch.tensor(out)


def row_losses(student, ids, count):
    """Log-probabilities [count, V] and targets [count] of the last `count` tokens of a row."""
    positions = torch.arange(len(ids) - count - 1, len(ids) - 1)
    log_probabilities = torch.log_softmax(student.logits(ids)[positions], -1)
    return log_probabilities, torch.tensor(ids[len(ids) - count :])


def score_row(student, ids, count):
    with torch.no_grad():
        log_p, targets = row_losses(student, ids, count)
        p = log_p.exp()
        nll = -log_p[torch.arange(count), targets]
        top = p.topk(2, -1).values
        error = p.clone()
        error[torch.arange(count), targets] -= 1
        return {
            "loss": nll.mean().item(),
            "lossSum": nll.sum().item(),
            "entropy": -(p * log_p).sum(-1).mean().item(),
            "margin": (top[:, 0] - top[:, 1]).mean().item(),
            "leastConfidence": (1 - top[:, 0]).mean().item(),
            "el2n": error.norm(dim=-1).mean().item(),
        }


def greedy(student, ids, limit, stop, least_gap):
    """Greedy continuation; ends before a step whose two best logits are closer than `least_gap` (float32 could choose the other)."""
    out = []
    with torch.no_grad():
        while len(out) < limit and len(ids) + len(out) < student.max_positions:
            best = student.logits(ids + out)[-1].topk(2)
            if best.values[0] - best.values[1] < least_gap:
                break
            out.append(best.indices[0].item())
            if out[-1] in stop:
                break
    return out

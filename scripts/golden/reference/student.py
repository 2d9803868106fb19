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
        if self.family == "gpt_neox":
            raw = {k: v for k, v in raw.items() if not k.endswith((".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"))}
            # transformers 5 calls the head lm_head; checkpoints keep the older name.
            raw = {k.replace("lm_head.", "embed_out."): v for k, v in raw.items()}
        if self.family != "gpt2":
            # Checkpoints of the bare base model leave its prefix out.
            prefix = "gpt_neox." if self.family == "gpt_neox" else "model."
            raw = {k if k.startswith((prefix, "lm_head.", "embed_out.")) else prefix + k: v for k, v in raw.items()}
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
        forward = {"gpt2": self.gpt2, "gpt_neox": self.gpt_neox, "phi": self.phi, "gemma2": self.gemma, "gemma3_text": self.gemma}
        return forward.get(self.family, self.llama)(ids)

    def llama(self, ids):
        """Llama, Mistral, Qwen2 and Qwen3."""
        c = self.config
        heads = c["num_attention_heads"]
        groups = c.get("num_key_value_heads") or heads
        head = c.get("head_dim") or c["hidden_size"] // heads
        length = len(ids)
        cos, sin = rotary_tables(c, head, length)
        x = self.params["model.embed_tokens.weight"][ids]
        for i in range(c["num_hidden_layers"]):
            layer = f"model.layers.{i}"
            h = self.rms_norm(x, layer + ".input_layernorm")
            q = self.linear(h, layer + ".self_attn.q_proj").view(length, heads, head)
            k = self.linear(h, layer + ".self_attn.k_proj").view(length, groups, head)
            v = self.linear(h, layer + ".self_attn.v_proj").view(length, groups, head)
            if self.family == "qwen3":
                q, k = self.rms_norm(q, layer + ".self_attn.q_norm"), self.rms_norm(k, layer + ".self_attn.k_norm")
            mixed = attend(rotate(q, cos, sin), rotate(k, cos, sin), v, window=self.window(i))
            x = x + self.linear(mixed, layer + ".self_attn.o_proj")
            h = self.rms_norm(x, layer + ".post_attention_layernorm")
            gate = self.linear(h, layer + ".mlp.gate_proj")
            up = self.linear(h, layer + ".mlp.up_proj")
            x = x + self.linear(gate * torch.sigmoid(gate) * up, layer + ".mlp.down_proj")
        return self.head(self.rms_norm(x, "model.norm"), "model.embed_tokens")

    def window(self, layer):
        """How many positions layer `layer` sees, its own included; None is all."""
        c = self.config
        if self.family == "mistral":
            return c.get("sliding_window", 4096)
        if self.family in ("qwen2", "qwen3"):
            slides = layer >= c.get("max_window_layers", 28)
            if not c.get("use_sliding_window"):
                return None
        elif self.family == "gemma2":
            slides = layer % 2 == 0
        elif self.family == "gemma3_text":
            slides = layer % c.get("sliding_window_pattern", 6) != c.get("sliding_window_pattern", 6) - 1
        else:
            return None
        if c.get("layer_types"):
            slides = c["layer_types"][layer] == "sliding_attention"
        return c.get("sliding_window", 4096) if slides else None

    def head(self, x, embedding, module="lm_head"):
        """Logits of final hidden states."""
        if not self.config.get("tie_word_embeddings", self.family.startswith("gemma")):
            return self.linear(x, module)
        y = x @ self.params[embedding + ".weight"].T
        return y + self.params[module + ".bias"] if module + ".bias" in self.params else y

    def rms_norm(self, x, name):
        mean = (x * x).mean(-1, keepdim=True)
        return x / torch.sqrt(mean + self.config["rms_norm_eps"]) * self.params[name + ".weight"]

    def gemma(self, ids):
        """Gemma 2, and Gemma 3 with its norms of queries and keys and its two rotary bases."""
        c = self.config
        heads, groups, head, length = c["num_attention_heads"], c["num_key_value_heads"], c.get("head_dim", 256), len(ids)
        three = self.family == "gemma3_text"

        def norm(x, name):
            return x / torch.sqrt((x * x).mean(-1, keepdim=True) + c["rms_norm_eps"]) * (1 + self.params[name + ".weight"])

        # transformers rounds the scale to the type of the model, which is taken to be float32.
        scale = torch.tensor(math.sqrt(c["hidden_size"]), dtype=torch.float32).double()
        x = self.params["model.embed_tokens.weight"][ids] * scale
        for i in range(c["num_hidden_layers"]):
            layer = f"model.layers.{i}"
            window = self.window(i)
            h = norm(x, layer + ".input_layernorm")
            q = self.linear(h, layer + ".self_attn.q_proj").view(length, heads, head)
            k = self.linear(h, layer + ".self_attn.k_proj").view(length, groups, head)
            v = self.linear(h, layer + ".self_attn.v_proj").view(length, groups, head)
            if three:
                q, k = norm(q, layer + ".self_attn.q_norm"), norm(k, layer + ".self_attn.k_norm")
                cos, sin = rotary_tables(gemma3_rotary(c, window is not None), head, length)
            else:
                cos, sin = rotary_tables(c, head, length)
            cap = None if three else c.get("attn_logit_softcapping", 50.0)
            mixed = attend(rotate(q, cos, sin), rotate(k, cos, sin), v, window, c.get("query_pre_attn_scalar", 256) ** -0.5, cap)
            x = x + norm(self.linear(mixed, layer + ".self_attn.o_proj"), layer + ".post_attention_layernorm")
            h = norm(x, layer + ".pre_feedforward_layernorm")
            inner = gelu_new(self.linear(h, layer + ".mlp.gate_proj")) * self.linear(h, layer + ".mlp.up_proj")
            x = x + norm(self.linear(inner, layer + ".mlp.down_proj"), layer + ".post_feedforward_layernorm")
        y = self.head(norm(x, "model.norm"), "model.embed_tokens")
        cap = c.get("final_logit_softcapping", None if three else 30.0)
        return y if cap is None else cap * torch.tanh(y / cap)

    def gpt_neox(self, ids):
        c = self.config
        heads, length, eps = c["num_attention_heads"], len(ids), c["layer_norm_eps"]
        head = c["hidden_size"] // heads
        settings = c.get("rope_parameters") or {}
        base = settings.get("rope_theta", c.get("rotary_emb_base", 10000.0))
        turning = int(head * settings.get("partial_rotary_factor", c.get("rotary_pct", 0.25)))
        cos, sin = rotary_tables({"rope_theta": base}, turning, length)
        x = self.params["gpt_neox.embed_in.weight"][ids]
        for i in range(c["num_hidden_layers"]):
            layer = f"gpt_neox.layers.{i}"
            fused = self.linear(self.layer_norm(x, layer + ".input_layernorm", eps), layer + ".attention.query_key_value")
            q, k, v = fused.view(length, heads, 3, head).unbind(2)
            mixed = attend(rotate_part(q, cos, sin), rotate_part(k, cos, sin), v)
            attention = self.linear(mixed, layer + ".attention.dense")
            y = x if c.get("use_parallel_residual", True) else x + attention
            h = self.layer_norm(y, layer + ".post_attention_layernorm", eps)
            inner = ACTIVATIONS[c.get("hidden_act", "gelu")](self.linear(h, layer + ".mlp.dense_h_to_4h"))
            x = x + attention + self.linear(inner, layer + ".mlp.dense_4h_to_h")
        return self.head(self.layer_norm(x, "gpt_neox.final_layer_norm", eps), "gpt_neox.embed_in", "embed_out")

    def phi(self, ids):
        c = self.config
        heads, length, eps = c["num_attention_heads"], len(ids), c["layer_norm_eps"]
        groups, head = c.get("num_key_value_heads") or heads, c["hidden_size"] // heads
        settings = c.get("rope_parameters") or c
        turning = int(head * settings.get("partial_rotary_factor", 0.5))
        cos, sin = rotary_tables({"rope_theta": settings.get("rope_theta", 10000.0)}, turning, length)
        x = self.params["model.embed_tokens.weight"][ids]
        for i in range(c["num_hidden_layers"]):
            layer = f"model.layers.{i}"
            h = self.layer_norm(x, layer + ".input_layernorm", eps)
            q = self.linear(h, layer + ".self_attn.q_proj").view(length, heads, head)
            k = self.linear(h, layer + ".self_attn.k_proj").view(length, groups, head)
            v = self.linear(h, layer + ".self_attn.v_proj").view(length, groups, head)
            if c.get("qk_layernorm"):
                q = self.layer_norm(q, layer + ".self_attn.q_layernorm", eps)
                k = self.layer_norm(k, layer + ".self_attn.k_layernorm", eps)
            mixed = attend(rotate_part(q, cos, sin), rotate_part(k, cos, sin), v)
            inner = ACTIVATIONS[c.get("hidden_act", "gelu_new")](self.linear(h, layer + ".mlp.fc1"))
            x = x + self.linear(mixed, layer + ".self_attn.dense") + self.linear(inner, layer + ".mlp.fc2")
        return self.head(self.layer_norm(x, "model.final_layernorm", eps), "model.embed_tokens")

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

    def layer_norm(self, x, name, epsilon=None):
        centered = x - x.mean(-1, keepdim=True)
        variance = (centered * centered).mean(-1, keepdim=True)
        normed = centered / torch.sqrt(variance + (epsilon or self.config["layer_norm_epsilon"]))
        return normed * self.params[name + ".weight"] + self.params[name + ".bias"]


def gelu_new(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


ACTIVATIONS = {"gelu": gelu, "gelu_new": gelu_new, "relu": torch.relu}


def attend(q, k, v, window=None, scale=None, cap=None):
    """Causal attention. q [T, N, H]; k, v [T, K, H], each serving N / K query heads. [T, N * H]."""
    length, heads, head = q.shape
    repeat = heads // k.shape[1]
    k, v = (t.repeat_interleave(repeat, 1) for t in (k, v))
    scores = torch.einsum("tnh,snh->nts", q, k) * (head**-0.5 if scale is None else scale)
    if cap is not None:
        scores = cap * torch.tanh(scores / cap)
    distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
    hidden = distance < 0 if window is None else (distance < 0) | (distance >= window)
    weights = torch.softmax(scores.masked_fill(hidden, -math.inf), -1)
    return torch.einsum("nts,snh->tnh", weights, v).reshape(length, heads * head)


def rotate(x, cos, sin):
    """Rotary positions in the half-split layout of transformers. x [T, N, H]."""
    first, second = x.chunk(2, -1)
    cos, sin = cos[:, None, :], sin[:, None, :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def rotate_part(x, cos, sin):
    """Rotates the first elements of each head, twice as many as the tables are wide."""
    width = 2 * cos.shape[-1]
    return torch.cat([rotate(x[..., :width], cos, sin), x[..., width:]], -1)


def rotary_tables(config, head, length):
    """Cosines and sines [T, head / 2] at positions 0 to T - 1."""
    frequencies, amplitude = inverse_frequencies(config, head)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
    return amplitude * torch.cos(angles), amplitude * torch.sin(angles)


def gemma3_rotary(config, slides):
    """The rotary settings of a layer of Gemma 3, flat; scaling in the older spelling is for layers that see all."""
    nested = config.get("rope_parameters")
    if nested:
        return {"rope_parameters": nested["sliding_attention" if slides else "full_attention"]}
    if slides:
        return {"rope_theta": config.get("rope_local_base_freq", 10000.0)}
    return {"rope_theta": config.get("rope_theta", 1000000.0), "rope_scaling": config.get("rope_scaling")}


def inverse_frequencies(config, head):
    """Of the pairs of a head's elements, and what cosines and sines are multiplied by."""
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    base = scaling.get("rope_theta", config.get("rope_theta", 10000.0))
    exponents = torch.arange(0, head, 2, dtype=torch.float64) / head
    frequencies = base**-exponents
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "default":
        return frequencies, 1.0
    if kind == "linear":
        return frequencies / scaling["factor"], 1.0
    original, factor = scaling["original_max_position_embeddings"], scaling["factor"]
    if kind == "yarn":
        return yarn(frequencies, base, head, original, factor, scaling)
    assert kind == "llama3", kind
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
    return torch.tensor(out), 1.0


def yarn(frequencies, base, head, original, factor, scaling):
    """Frequencies that turn more than beta_fast times within the original context stay, those
    that turn less than beta_slow times are divided, those between are mixed by their index."""

    def index(turns):
        # base ** (-2 i / head) = 2 pi turns / original, solved for i
        return head / 2 * math.log(original / (2 * math.pi * turns), base)

    low, high = index(scaling.get("beta_fast", 32)), index(scaling.get("beta_slow", 1))
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head - 1)
    steps = torch.arange(head // 2, dtype=torch.float64)
    divided = ((steps - low) / max(high - low, 0.001)).clamp(0, 1)
    mixed = frequencies / factor * divided + frequencies * (1 - divided)
    return mixed, scaling.get("attention_factor", 0.1 * math.log(factor) + 1)


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

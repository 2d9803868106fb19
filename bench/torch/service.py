"""PyTorch as a contender of the bench: the same model, batch and step, asked by JSON
lines on stdin (see ../service.ts), answered on stdout. Written as one would write it:
nn.functional, autograd, clip_grad_norm_, torch.optim.AdamW."""

import json
import math
import os
import sys
import time

import torch
import torch.nn.functional as F

# Debian's build starts with one thread.
torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
folder = sys.argv[1]
problem = json.load(open(os.path.join(folder, "problem.json")))
shape = problem["model"]
L, D, N, K, V, B, T = (shape[k] for k in "LDNKVBT")
H, G = D // N, N // K
raw = torch.frombuffer(bytearray(open(os.path.join(folder, "weights.bin"), "rb").read()), dtype=torch.float32)

weights = {}
offset = 0
for spec in problem["parameters"]:
    size = math.prod(spec["shape"])
    weights[spec["name"]] = raw[offset : offset + size].reshape(spec["shape"]).clone().requires_grad_(True)
    offset += size

ids = torch.tensor(problem["ids"]).reshape(B, T)
targets = torch.tensor(problem["targets"])
angles = torch.outer(torch.arange(T, dtype=torch.float64), problem["theta"] ** (-torch.arange(0, H, 2, dtype=torch.float64) / H))
cos, sin = angles.cos().float()[None, :, None], angles.sin().float()[None, :, None]
mask = torch.full((T, T), float("-inf")).triu(1)

settings = problem["step"]
decayed = [weights[s["name"]] for s in problem["parameters"] if s["decay"]]
others = [weights[s["name"]] for s in problem["parameters"] if not s["decay"]]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": settings["weightDecay"]}, {"params": others, "weight_decay": 0.0}],
    lr=settings["learningRate"],
)


def norm(x, name):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + problem["epsilon"]) * weights[name + ".weight"]


def rotary(x):
    low, high = x[..., : H // 2], x[..., H // 2 :]
    return torch.cat([low * cos - high * sin, high * cos + low * sin], -1)


def mean_loss():
    embedding = weights["model.embed_tokens.weight"]
    x = F.embedding(ids, embedding).reshape(B * T, D)
    for i in range(L):
        layer = f"model.layers.{i}."
        linear = lambda h, name: F.linear(h, weights[layer + name + ".weight"])
        h = norm(x, layer + "input_layernorm")
        q = rotary(linear(h, "self_attn.q_proj").reshape(B, T, N, H)).transpose(1, 2)
        k = rotary(linear(h, "self_attn.k_proj").reshape(B, T, K, H)).transpose(1, 2)
        v = linear(h, "self_attn.v_proj").reshape(B, T, K, H).transpose(1, 2)
        scores = (q.reshape(B, K, G * T, H) @ k.transpose(2, 3) / math.sqrt(H)).reshape(B, K, G, T, T) + mask
        mixed = (scores.softmax(-1).reshape(B, K, G * T, T) @ v).reshape(B, N, T, H).transpose(1, 2).reshape(B * T, D)
        x = x + linear(mixed, "self_attn.o_proj")
        h = norm(x, layer + "post_attention_layernorm")
        x = x + linear(F.silu(linear(h, "mlp.gate_proj")) * linear(h, "mlp.up_proj"), "mlp.down_proj")
    return F.cross_entropy(F.linear(norm(x, "model.norm"), embedding), targets)


def step():
    optimizer.zero_grad()
    loss = mean_loss()
    loss.backward()
    total = torch.nn.utils.clip_grad_norm_(list(weights.values()), settings["maxGradNorm"])
    optimizer.step()
    return {"loss": loss.item(), "gradNorm": total.item()}


def score():
    with torch.no_grad():
        return mean_loss().item()


a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
WORK = {"step": step, "score": score, "gemm": lambda: (a @ b)[0, 0].item()}


def answer(request):
    if request["type"] == "open":
        threads = torch.get_num_threads()
        description = f"PyTorch {torch.__version__} CPU, {threads} thread{'' if threads == 1 else 's'}"
        return {"type": "opened", "description": description, "work": list(WORK)}
    if request["type"] == "step":
        return {"type": "stepped", "result": step()}
    if request["type"] == "time":
        start = time.perf_counter()
        for _ in range(request["times"]):
            WORK[request["work"]]()
        return {"type": "timed", "ms": 1000 * (time.perf_counter() - start) / request["times"]}
    return {"type": "closed"}


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # reported to the bench, which stops
        reply = {"type": "failed", "message": repr(error)}
    print(json.dumps(reply), flush=True)

"""Writes test/golden/data/<student>.json: token ids, scores, greedy continuations and
training trajectories, computed in float64 by the modules beside this file. The format
is typed in test/support/goldens.ts.

    /usr/bin/python3 scripts/golden/reference/make_goldens.py [student ...]

Debian packages: python3-torch, python3-numpy, python3-regex. Checked against
transformers 5.18, peft 0.21 and tokenizers 0.23 by check_against_transformers.py.
"""
import base64
import json
import os
import sys

import numpy as np
import torch

from make_students import STUDENTS
from student import Student, greedy, score_row
from tokenizer import Tokenizer, encode_row
from training import load_adapter, train

HERE = os.path.dirname(__file__)
FIXTURES = os.path.join(HERE, "../../../test/golden/fixtures")
DATA = os.path.join(HERE, "../../../test/golden/data")
SHARED = os.path.join(HERE, "../../../../shared/students")
SHARED_STUDENTS = ("stories260K", "babyllama")
# Values kept of each tensor's update: enough to tell directions apart, few enough to commit.
UPDATE_SAMPLES = 48

BASE = {"steps": 10, "batchSize": 2, "gradAccum": 2, "learningRate": 3e-3, "scheduler": "linear", "warmupSteps": 2, "weightDecay": 0.1, "maxGradNorm": 1.0}
VARIANTS = [
    ("full-linear", "full", {}),
    ("full-cosine", "full", {"scheduler": "cosine", "warmupSteps": 3, "batchSize": 3, "gradAccum": 1, "weightDecay": 0.0}),
    ("full-constant-no-clip", "full", {"scheduler": "constant", "warmupSteps": 0, "maxGradNorm": 0.0, "learningRate": 1e-3}),
    ("lora-linear", "lora", {"learningRate": 1e-2}),
    ("lora-constant-warmup", "lora", {"scheduler": "constant", "warmupSteps": 2, "learningRate": 1e-2, "gradAccum": 3}),
    ("lora-cosine", "lora", {"scheduler": "cosine", "warmupSteps": 0, "learningRate": 1e-2, "maxGradNorm": 0.5}),
    # One shape of graph: for WebGPU without a GPU, where each graph compiles for half a minute.
    ("full-one-batch", "full", {"batchSize": 11, "gradAccum": 1}),
    ("lora-one-batch", "lora", {"batchSize": 11, "gradAccum": 1, "learningRate": 1e-2}),
]
# At 3e-3 full finetuning throws pretrained students far off (loss 1 to 15), where rounding errors grow from step to step.
PRETRAINED_LEARNING_RATE = 1e-3
# Greedy continuations end before a step that rounding could decide otherwise: float32, and for the students of make_students.py float16.
LEAST_GAP, LEAST_GAP_FLOAT16 = 1e-3, 2e-2
# Every student gets the first and the fourth; these get more.
ONE_BATCH = ("mistral-sliding", "qwen2-sliding-yarn", "qwen3-sliding-new-config", "gemma2", "gemma3-patterned", "gpt-neox-parallel", "phi-head-norms")
MORE = {**{name: (0, 3, 6, 7) for name in ONE_BATCH}, "stories260K": range(6), "llama-gqa-tied": range(6), "babyllama": (0, 1, 3, 5), "gpt2-prefixed": (0, 1, 3, 5), "llama-untied": (0, 2, 3, 4)}


def directory_of(name):
    return os.path.join(SHARED if name in SHARED_STUDENTS else os.path.join(FIXTURES, "students"), name)


def end_token(directory, tokenizer):
    with open(os.path.join(directory, "tokenizer_config.json"), encoding="utf-8") as file:
        return tokenizer.added[json.load(file)["eos_token"]]


def read_rows(name):
    file_name = "stories.jsonl" if name in SHARED_STUDENTS else "fixtures.jsonl"
    with open(os.path.join(FIXTURES, "rows", file_name), encoding="utf-8") as file:
        return file_name, [json.loads(line) for line in file]


def encode_floats(array):
    return base64.b64encode(np.asarray(array, np.float32).tobytes()).decode()


def describe_update(before, after):
    """Norms of the whole and of each tensor, and evenly spaced values of each."""
    tensors, squares = {}, 0.0
    for name in sorted(before):
        delta = (after[name] - before[name]).flatten().numpy()
        squares += float((delta**2).sum())
        stride = max(1, delta.size // UPDATE_SAMPLES)
        tensors[name] = {"size": delta.size, "norm": float(np.linalg.norm(delta)), "stride": stride, "samples": encode_floats(delta[::stride])}
    return {"norm": squares**0.5, "tensors": tensors}


def trajectory(name, rows, label, method, options):
    options = {**BASE, **options}
    if method == "full" and name in SHARED_STUDENTS:
        options["learningRate"] = PRETRAINED_LEARNING_RATE
    student = Student(directory_of(name))
    if method == "lora":
        trainable = load_adapter(student, os.path.join(FIXTURES, "adapters", name))
    else:
        trainable = student.params
    before = {key: tensor.clone() for key, tensor in trainable.items()}
    steps = train(student, rows, options, trainable)
    after = {key: tensor.detach() for key, tensor in trainable.items()}
    record = {"name": label, "method": method, "options": options, "steps": steps, "update": describe_update(before, after)}
    if method == "lora":
        record["adapter"] = name
    return record


def golden(name):
    directory = directory_of(name)
    tokenizer = Tokenizer(directory)
    eos = end_token(directory, tokenizer)
    file_name, rows = read_rows(name)
    student = Student(directory)
    encoded = [encode_row(tokenizer, eos, row) for row in rows]
    for row, (ids, _) in zip(rows, encoded):
        assert len(ids) <= student.max_positions, (name, row, len(ids))
    ids_of = [str(row.get("id", i + 1)) for i, row in enumerate(rows)]
    scores = [{"id": id_, "ids": ids, "completionTokens": count, **score_row(student, ids, count)} for id_, (ids, count) in zip(ids_of, encoded)]
    prompts = [(id_, row["prompt"]) for id_, row in zip(ids_of, rows) if row.get("prompt")]
    with torch.no_grad():
        logits = student.logits(encoded[0][0])[-1].numpy()
    stop = {eos}
    generation = os.path.join(directory, "generation_config.json")
    if os.path.exists(generation):
        with open(generation, encoding="utf-8") as file:
            declared = json.load(file)["eos_token_id"]
        stop |= set(declared if isinstance(declared, list) else [declared])
    continuations = []
    for id_, prompt in prompts[:4] + ([("bos", "")] if tokenizer.encode("") else []):
        prompt_ids = tokenizer.encode(prompt)
        continuations.append({"id": id_, "prompt": prompt, "promptIds": prompt_ids, "ids": greedy(student, prompt_ids, 40, stop, LEAST_GAP_FLOAT16 if name in STUDENTS else LEAST_GAP)})
    adapted = Student(directory)
    load_adapter(adapted, os.path.join(FIXTURES, "adapters", name))
    adapter_scores = [{"id": id_, **score_row(adapted, ids, count)} for id_, (ids, count) in zip(ids_of, encoded)]
    trajectories = [trajectory(name, encoded, *VARIANTS[i]) for i in MORE.get(name, (0, 3))]
    return {
        "student": name, "shared": name in SHARED_STUDENTS, "rows": file_name, "eosTokenId": eos, "scores": scores,
        "lastLogits": {"id": ids_of[0], "values": encode_floats(logits)},
        "greedy": continuations, "adapter": name, "adapterScores": adapter_scores, "trajectories": trajectories,
    }


def main():
    torch.set_num_threads(1)
    os.makedirs(DATA, exist_ok=True)
    names = sys.argv[1:] or [*sorted(os.listdir(os.path.join(FIXTURES, "students"))), *SHARED_STUDENTS]
    for name in names:
        with open(os.path.join(DATA, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(golden(name), file, ensure_ascii=False, separators=(",", ":"))
            file.write("\n")
        print(name, flush=True)


if __name__ == "__main__":
    main()

"""Writes test/golden/selection.json: what acquisition functions need beyond the simple
scores, in float64 by autograd and by forming everything that the engine never forms:
`gradNorm` (all parameters, and the adapter's), `ifd`, and the inner products of all pairs of
rows of mean hidden states and of last-layer gradient embeddings (BADGE) of the students in
test/golden/fixtures.

    /usr/bin/python3 scripts/golden/reference/make_selection_goldens.py
"""
import json
import os

import torch

from make_goldens import DATA, FIXTURES, directory_of, end_token, read_rows
from student import Student, row_losses
from tokenizer import Tokenizer, encode_row
from training import load_adapter

STUDENTS = ("llama-gqa-tied", "llama-untied", "llama-biases-bf16", "gpt2-prefixed", "qwen2-tied-f16")


def mean_loss(student, ids, count):
    log_p, targets = row_losses(student, ids, count)
    return -log_p[torch.arange(count), targets].mean()


def gradient_norm(student, trainable, ids, count):
    for tensor in trainable.values():
        tensor.requires_grad_(True)
    gradients = torch.autograd.grad(mean_loss(student, ids, count), list(trainable.values()), allow_unused=True)
    for tensor in trainable.values():
        tensor.requires_grad_(False)
    return sum((g**2).sum().item() for g in gradients if g is not None) ** 0.5


def instruction_following_difficulty(student, tokenizer, ids, count):
    """loss(answer | question) / loss(answer); None where an answer alone has nothing to predict."""
    with torch.no_grad():
        conditioned = mean_loss(student, ids, count)
        prefix = tokenizer.encode("")
        start = len(ids) - count
        if start <= max(1, len(prefix)):
            return 1.0
        alone = prefix + ids[start:]
        counted = count if prefix else count - 1
        return None if counted == 0 else (conditioned / mean_loss(student, alone, counted)).item()


def head_of(student):
    if student.family == "gpt2":
        return student.params["transformer.wte.weight"]
    tied = student.config["tie_word_embeddings"]
    return student.params["model.embed_tokens.weight" if tied else "lm_head.weight"]


def hidden_states(student, ids, count):
    """Inputs of the head where the last `count` tokens are predicted, solved for from the logits of an identity head."""
    head = "transformer.wte.weight" if student.family == "gpt2" else None
    captured = []
    if head is not None:
        original = student.layer_norm
        student.layer_norm = lambda x, name: captured.append(original(x, name)) or captured[-1]
        student.logits(ids)
        student.layer_norm = original
    else:
        original = student.rms_norm
        student.rms_norm = lambda x, name: captured.append(original(x, name)) or captured[-1]
        student.logits(ids)
        student.rms_norm = original
    return captured[-1][len(ids) - count - 1 : len(ids) - 1]


def embeddings(student, ids, count):
    """Mean hidden state, and the gradient of the summed loss with respect to the head's weight: sum of (p - onehot) outer h."""
    with torch.no_grad():
        hidden = hidden_states(student, ids, count)
        log_p, targets = row_losses(student, ids, count)
        error = log_p.exp()
        error[torch.arange(count), targets] -= 1
        assert error.shape[1] == head_of(student).shape[0]
        return hidden.mean(0), (error.T @ hidden).flatten()


def gram(vectors):
    matrix = torch.stack(vectors)
    return (matrix @ matrix.T).tolist()


def golden(name):
    directory = directory_of(name)
    tokenizer = Tokenizer(directory)
    eos = end_token(directory, tokenizer)
    file_name, rows = read_rows(name)
    student = Student(directory)
    encoded = [encode_row(tokenizer, eos, row) for row in rows]
    adapted = Student(directory)
    adapter = load_adapter(adapted, os.path.join(FIXTURES, "adapters", name))
    pairs = [embeddings(student, ids, count) for ids, count in encoded]
    return {
        "student": name,
        "rows": file_name,
        "gradNorm": [gradient_norm(student, student.params, ids, count) for ids, count in encoded],
        "adapterGradNorm": [gradient_norm(adapted, adapter, ids, count) for ids, count in encoded],
        "ifd": [instruction_following_difficulty(student, tokenizer, ids, count) for ids, count in encoded],
        "hidden": gram([hidden for hidden, _ in pairs]),
        "badge": gram([gradient for _, gradient in pairs]),
    }


if __name__ == "__main__":
    with open(os.path.join(DATA, "..", "selection.json"), "w", encoding="utf-8") as file:
        json.dump([golden(name) for name in STUDENTS], file, separators=(",", ":"))
        file.write("\n")

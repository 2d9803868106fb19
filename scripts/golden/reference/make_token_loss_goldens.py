"""Writes test/golden/tokenLosses.json: the loss of every token of an answer, -log p in
float64, of two students in test/golden/fixtures; and the principal plane of their mean hidden
states' stand-in, a fixed cloud of points, by numpy's singular value decomposition.

    /usr/bin/python3 scripts/golden/reference/make_token_loss_goldens.py
"""
import json
import os

import numpy
import torch

from make_goldens import DATA, directory_of, end_token, read_rows
from student import Student, row_losses
from tokenizer import Tokenizer, encode_row

STUDENTS = ("llama-gqa-tied", "gpt2-prefixed")
POINTS, DIMENSIONS = 40, 7


def token_losses(name):
    directory = directory_of(name)
    student, tokenizer = Student(directory), Tokenizer(directory)
    end = end_token(directory, tokenizer)
    out = []
    for number, row in enumerate(read_rows(name)[1]):
        if "completion" not in row:
            continue
        ids, count = encode_row(tokenizer, end, row)
        with torch.no_grad():
            log_p, targets = row_losses(student, ids, count)
        losses = -log_p[torch.arange(count), targets]
        out.append({"row": number, "losses": [round(value, 9) for value in losses.tolist()]})
    return out


def plane():
    generator = numpy.random.default_rng(7)
    scale = numpy.array([3.0, 0.2, 1.7, 0.5, 0.9, 0.1, 1.1])
    turn, _ = numpy.linalg.qr(generator.normal(size=(DIMENSIONS, DIMENSIONS)))
    points = generator.normal(size=(POINTS, DIMENSIONS)) * scale @ turn + generator.normal(size=DIMENSIONS) * 5
    mean = points.mean(axis=0)
    _, singular, axes = numpy.linalg.svd(points - mean, full_matrices=False)
    for axis in axes:
        if axis[numpy.abs(axis).argmax()] < 0:
            axis *= -1
    return {
        "points": points.tolist(),
        "mean": mean.tolist(),
        "axes": axes[:2].tolist(),
        "explained": (singular**2 / (singular**2).sum())[:2].tolist(),
        "places": ((points - mean) @ axes[:2].T).tolist(),
    }


def main():
    golden = {"students": {name: token_losses(name) for name in STUDENTS}, "plane": plane()}
    with open(os.path.join(os.path.dirname(DATA), "tokenLosses.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Exports tiny students of the fixtures as ONNX by transformers and PyTorch's exporter.

Models that are not ours in the layout that Optimum writes and transformers.js loads:
parameters under PyTorch's names or as transposed, unnamed constants, masks and rotary
angles computed in the graph. Their scores, generations and trainings are those of the
reference (`scripts/golden/reference`), which knows nothing of ONNX.

    python scripts/golden/exportOnnxStudents.py test/golden/fixtures

Needs transformers (made with 5.18), torch (2.13) and onnx.
"""
import os
import sys
import warnings

import torch
from transformers import AutoModelForCausalLM, DynamicCache

warnings.filterwarnings("ignore")

# student, operator set, with a cache, attention, element type
EXPORTS = [
    ("llama-gqa-tied", 14, True, "eager", torch.float32),
    ("gpt2-prefixed", 18, False, "sdpa", torch.float32),
    ("qwen2-tied-f16", 17, True, "sdpa", torch.float16),
]


def export(source, target, opset, cached, attention, dtype):
    model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, attn_implementation=attention).eval()
    config = model.config
    layers = config.num_hidden_layers
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, child in model.named_children():
                setattr(self, name, child)

        def forward(self, input_ids, attention_mask, position_ids, *past):
            cache = DynamicCache() if past else None
            for i in range(layers if past else 0):
                cache.update(past[2 * i], past[2 * i + 1], i)
            out = model(input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, past_key_values=cache, use_cache=bool(past))
            present = [t for layer in out.past_key_values.layers for t in (layer.keys, layer.values)] if past else []
            return (out.logits, *present)

    batch, tokens, past = 2, 3, 5 if cached else 0
    total = "past_sequence_length + sequence_length" if cached else "sequence_length"
    inputs = {
        "input_ids": (torch.randint(0, 64, (batch, tokens)), {0: "batch_size", 1: "sequence_length"}),
        "attention_mask": (torch.ones(batch, past + tokens, dtype=torch.long), {0: "batch_size", 1: total}),
        "position_ids": (torch.arange(past, past + tokens)[None].repeat(batch, 1), {0: "batch_size", 1: "sequence_length"}),
    }
    outputs = {"logits": {0: "batch_size", 1: "sequence_length"}}
    for i in range(layers if cached else 0):
        for part in ("key", "value"):
            inputs[f"past_key_values.{i}.{part}"] = (torch.randn(batch, heads, past, size, dtype=dtype), {0: "batch_size", 2: "past_sequence_length"})
            outputs[f"present.{i}.{part}"] = {0: "batch_size", 2: total}
    torch.onnx.export(
        Decoder(), tuple(value for value, _ in inputs.values()), target, input_names=list(inputs), output_names=list(outputs),
        dynamic_axes={**{name: axes for name, (_, axes) in inputs.items()}, **outputs}, opset_version=opset, dynamo=False, do_constant_folding=True,
    )


if __name__ == "__main__":
    (fixtures,) = sys.argv[1:]
    os.makedirs(os.path.join(fixtures, "onnxStudents"), exist_ok=True)
    for name, *settings in EXPORTS:
        torch.manual_seed(0)
        export(os.path.join(fixtures, "students", name), os.path.join(fixtures, "onnxStudents", f"{name}.onnx"), *settings)

"""Writes tiny random students of the families beyond Llama and GPT-2 and an adapter for
each into test/golden/fixtures. Configs differ in everything a family lets differ: old and
new spellings, windows shorter than the rows, partial rotation, ties, biases, dtypes.

    /usr/bin/python3 scripts/golden/reference/make_students.py
"""
import json
import os
import shutil
import zlib

import numpy as np

import safetensors_file

FIXTURES = os.path.join(os.path.dirname(__file__), "../../../test/golden/fixtures")
TOKENIZER = "llama-gqa-tied"
COMMON = {"vocab_size": 85, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": None, "max_position_embeddings": 96}
RANK, ALPHA = 3, 6


def llama_shapes(c, qkv_bias=False, head_norms=False):
    width, inner, head = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    q, k = c["num_attention_heads"] * head, c["num_key_value_heads"] * head
    shapes = {"model.embed_tokens.weight": (c["vocab_size"], width), "model.norm.weight": (width,)}
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        shapes[layer + "input_layernorm.weight"] = shapes[layer + "post_attention_layernorm.weight"] = (width,)
        for name, size in (("q_proj", q), ("k_proj", k), ("v_proj", k)):
            shapes[f"{layer}self_attn.{name}.weight"] = (size, width)
            if qkv_bias:
                shapes[f"{layer}self_attn.{name}.bias"] = (size,)
        shapes[layer + "self_attn.o_proj.weight"] = (width, q)
        if head_norms:
            shapes[layer + "self_attn.q_norm.weight"] = shapes[layer + "self_attn.k_norm.weight"] = (head,)
        shapes[layer + "mlp.gate_proj.weight"] = shapes[layer + "mlp.up_proj.weight"] = (inner, width)
        shapes[layer + "mlp.down_proj.weight"] = (width, inner)
        if c["model_type"].startswith("gemma"):
            shapes[layer + "pre_feedforward_layernorm.weight"] = shapes[layer + "post_feedforward_layernorm.weight"] = (width,)
    if not c["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (c["vocab_size"], width)
    return shapes


def gpt_neox_shapes(c):
    width, inner = c["hidden_size"], c["intermediate_size"]
    shapes = {"gpt_neox.embed_in.weight": (c["vocab_size"], width), "gpt_neox.final_layer_norm.weight": (width,), "gpt_neox.final_layer_norm.bias": (width,)}
    for i in range(c["num_hidden_layers"]):
        layer = f"gpt_neox.layers.{i}."
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{layer}{name}.weight"] = shapes[f"{layer}{name}.bias"] = (width,)
        for name, rows, columns in (("attention.query_key_value", 3 * width, width), ("attention.dense", width, width), ("mlp.dense_h_to_4h", inner, width), ("mlp.dense_4h_to_h", width, inner)):
            shapes[f"{layer}{name}.weight"], shapes[f"{layer}{name}.bias"] = (rows, columns), (rows,)
    if not c["tie_word_embeddings"]:
        shapes["embed_out.weight"] = (c["vocab_size"], width)
    return shapes


def phi_shapes(c):
    width, inner = c["hidden_size"], c["intermediate_size"]
    head = width // c["num_attention_heads"]
    small = c["num_key_value_heads"] * head
    shapes = {"model.embed_tokens.weight": (c["vocab_size"], width), "model.final_layernorm.weight": (width,), "model.final_layernorm.bias": (width,), "lm_head.bias": (c["vocab_size"],)}
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        shapes[layer + "input_layernorm.weight"] = shapes[layer + "input_layernorm.bias"] = (width,)
        for name, rows, columns in (("self_attn.q_proj", width, width), ("self_attn.k_proj", small, width), ("self_attn.v_proj", small, width), ("self_attn.dense", width, width), ("mlp.fc1", inner, width), ("mlp.fc2", width, inner)):
            shapes[f"{layer}{name}.weight"], shapes[f"{layer}{name}.bias"] = (rows, columns), (rows,)
        if c["qk_layernorm"]:
            for name in ("q_layernorm", "k_layernorm"):
                shapes[f"{layer}self_attn.{name}.weight"] = shapes[f"{layer}self_attn.{name}.bias"] = (head,)
    if not c["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (c["vocab_size"], width)
    return shapes


LLAMA = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "hidden_act": "silu", "rms_norm_eps": 1e-5}
GEMMA = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 12, "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "attention_bias": False, "tie_word_embeddings": True}
NEOX = {"hidden_size": 24, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2, "layer_norm_eps": 1e-5}
PHI = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 2, "hidden_act": "gelu_new", "layer_norm_eps": 1e-5}

# name -> (config, shapes, dtype of the weights, prefix that the checkpoint leaves out)
STUDENTS = {
    "mistral-sliding": ({"architectures": ["MistralForCausalLM"], "model_type": "mistral", **LLAMA, "head_dim": 4, "rope_theta": 10000.0, "sliding_window": 6, "tie_word_embeddings": False, "torch_dtype": "float32"}, llama_shapes, "F32", ""),
    "qwen2-sliding-yarn": (
        {
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **LLAMA, "head_dim": 8, "num_attention_heads": 2, "num_key_value_heads": 1, "rope_theta": 1000.0,
            "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 24, "beta_fast": 8.0}, "use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1, "tie_word_embeddings": True, "torch_dtype": "float32",
        },
        lambda c: llama_shapes(c, qkv_bias=True), "F32", "",
    ),
    "qwen3-sliding-new-config": (
        {
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", **LLAMA, "head_dim": 6, "attention_bias": False, "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "use_sliding_window": True, "sliding_window": 7, "max_window_layers": 28,
            "layer_types": ["sliding_attention", "full_attention"], "tie_word_embeddings": True, "dtype": "float32",
        },
        lambda c: llama_shapes(c, head_norms=True), "F16", "model.",
    ),
    "gemma2": ({"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", **GEMMA, "num_hidden_layers": 3, "hidden_act": "gelu_pytorch_tanh", "rope_theta": 10000.0, "sliding_window": 8, "query_pre_attn_scalar": 7, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 2.5, "torch_dtype": "float32"}, llama_shapes, "F32", ""),
    "gemma3-patterned": (
        {
            "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", **GEMMA, "num_hidden_layers": 3, "rope_theta": 1000000.0, "rope_local_base_freq": 100.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "sliding_window": 5, "sliding_window_pattern": 3,
            "query_pre_attn_scalar": 16, "attn_logit_softcapping": None, "final_logit_softcapping": None, "torch_dtype": "bfloat16",
        },
        lambda c: llama_shapes(c, head_norms=True), "BF16", "",
    ),
    "gemma3-new-config": (
        {
            "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", **GEMMA, "num_hidden_layers": 2, "sliding_window": 6, "layer_types": ["full_attention", "sliding_attention"], "query_pre_attn_scalar": 12, "final_logit_softcapping": 4.0, "dtype": "float32", "use_bidirectional_attention": False,
            "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 50.0}},
        },
        lambda c: llama_shapes(c, head_norms=True), "F32", "",
    ),
    "gpt-neox-parallel": ({"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", **NEOX, "hidden_act": "gelu", "rotary_pct": 0.25, "rotary_emb_base": 10000, "use_parallel_residual": True, "tie_word_embeddings": False, "torch_dtype": "float16"}, gpt_neox_shapes, "F16", ""),
    "gpt-neox-sequential": ({"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", **NEOX, "hidden_act": "relu", "rope_parameters": {"rope_theta": 500.0, "rope_type": "default", "partial_rotary_factor": 0.5}, "use_parallel_residual": False, "attention_bias": True, "tie_word_embeddings": True, "dtype": "float32"}, gpt_neox_shapes, "F32", "gpt_neox."),
    "phi": ({"architectures": ["PhiForCausalLM"], "model_type": "phi", **PHI, "rope_theta": 10000.0, "partial_rotary_factor": 0.5, "qk_layernorm": False, "tie_word_embeddings": False, "torch_dtype": "float32"}, phi_shapes, "F32", ""),
    "phi-head-norms": ({"architectures": ["PhiForCausalLM"], "model_type": "phi", **PHI, "hidden_act": "gelu", "rope_parameters": {"rope_theta": 2000.0, "rope_type": "default", "partial_rotary_factor": 0.25}, "qk_layernorm": True, "tie_word_embeddings": True, "dtype": "float32"}, phi_shapes, "F32", ""),
}


def value(name, shape, config, rng):
    if len(shape) == 1:
        centre = 1 if "norm" in name and name.endswith(".weight") and not config["model_type"].startswith("gemma") else 0
        return centre + 0.2 * rng.standard_normal(shape)
    if "embed" in name or name.startswith("lm_head"):
        return (0.35 if config["tie_word_embeddings"] else 0.6) * rng.standard_normal(shape)
    return 1.3 / np.sqrt(shape[1]) * rng.standard_normal(shape)


def write_json(path, json_value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(json_value, file, indent=1)
        file.write("\n")


def adapted(shapes):
    """What PEFT adapts with target_modules "all-linear": every linear layer but the head."""
    return [n[: -len(".weight")] for n, s in shapes.items() if len(s) == 2 and not n.startswith(("lm_head", "embed_out")) and "embed" not in n]


def main():
    for name, (own, shapes_of, dtype, left_out) in STUDENTS.items():
        config = {**own, **COMMON}
        shapes = shapes_of(config)
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        directory = os.path.join(FIXTURES, "students", name)
        os.makedirs(directory, exist_ok=True)
        tensors = {n.removeprefix(left_out): (dtype, value(n, s, config, rng)) for n, s in shapes.items()}
        if name == "gpt-neox-parallel":  # buffers of older checkpoints
            for i in range(config["num_hidden_layers"]):
                tensors[f"gpt_neox.layers.{i}.attention.bias"] = ("BOOL", np.tril(np.ones((1, 1, 4, 4), bool)))
                tensors[f"gpt_neox.layers.{i}.attention.masked_bias"] = ("F16", np.array(-1e4))
                tensors[f"gpt_neox.layers.{i}.attention.rotary_emb.inv_freq"] = ("F32", np.ones(1))
        safetensors_file.save(os.path.join(directory, "model.safetensors"), tensors)
        write_json(os.path.join(directory, "config.json"), config)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(os.path.join(FIXTURES, "students", TOKENIZER, file), os.path.join(directory, file))
        modules = adapted(shapes)
        adapter = os.path.join(FIXTURES, "adapters", name)
        os.makedirs(adapter, exist_ok=True)
        factors = {}
        for module in modules:
            rows, columns = shapes[module + ".weight"]
            factors[f"base_model.model.{module}.lora_A.weight"] = ("F32", rng.standard_normal((RANK, columns)) / np.sqrt(columns))
            factors[f"base_model.model.{module}.lora_B.weight"] = ("F32", 0.1 * rng.standard_normal((rows, RANK)))
        safetensors_file.save(os.path.join(adapter, "adapter_model.safetensors"), factors)
        write_json(os.path.join(adapter, "adapter_config.json"), {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": None, "inference_mode": True, "r": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False, "target_modules": "all-linear"})


if __name__ == "__main__":
    main()

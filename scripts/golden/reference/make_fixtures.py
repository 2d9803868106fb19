"""Writes test/golden/fixtures: tiny random students of every family and option, LoRA
adapters and rows of text. Seeded; run again only to change them, then run
make_goldens.py.

    /usr/bin/python3 scripts/golden/reference/make_fixtures.py
"""
import collections
import json
import os
import shutil

import numpy as np
import regex

import safetensors_file
from tokenizer import GPT2, byte_alphabet

ROOT = os.path.join(os.path.dirname(__file__), "../../../test/golden/fixtures")
SHARED = os.path.join(os.path.dirname(__file__), "../../../../shared/students")
TEXT = (
    "Tom has 3 apples and buys 12 more. How many apples does he have? "
    "The old farmer had seven sheep, and each sheep had two lambs. "
    "Step 1: 3 + 12 = 15. The answer is 15. #### 15\n"
    "Once upon a time, there was a little girl named Lily. She didn't like the rain. "
    "Every morning they're walking to the river, and we'll see what it's like there. "
)
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def learn_merges(words, count):
    """The `count` most frequent pairs, one after the other; ties by text."""
    words = collections.Counter(tuple(word) for word in words)
    merges = []
    for _ in range(count):
        pairs = collections.Counter()
        for word, frequency in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += frequency
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        merged = collections.Counter()
        for word, frequency in words.items():
            symbols, i = [], 0
            while i < len(word):
                joined = word[i : i + 2] == best
                symbols.append(word[i] + word[i + 1] if joined else word[i])
                i += 2 if joined else 1
            merged[tuple(symbols)] += frequency
        words = merged
    return merges


def added(id, content):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def bpe(vocab, merges, **options):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False}
    return {**model, **options, "vocab": vocab, "merges": [" ".join(pair) for pair in merges]}


def document(tokens, normalizer, pre_tokenizer, post_processor, decoder, model):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": decoder, "model": model}


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True, **options}


def template(token, id):
    return {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
    }


def byte_vocabulary(pattern, count):
    table = byte_alphabet()
    words = ["".join(table[b] for b in word.encode()) for word in regex.findall(pattern, TEXT)]
    merges = learn_merges(words, count)
    symbols = sorted(table.values()) + [a + b for a, b in merges]
    return {symbol: i for i, symbol in enumerate(symbols)}, merges


def gpt2_tokenizer():
    vocab, merges = byte_vocabulary(GPT2, 40)
    end = len(vocab)
    json_ = document([added(end, "<|endoftext|>")], None, byte_level(), byte_level(trim_offsets=False), byte_level(), bpe(vocab, merges))
    return json_, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "model_max_length": 64}, end + 1, {"eos": end, "bos": end}


def qwen_tokenizer():
    vocab, merges = byte_vocabulary(QWEN, 30)
    base = len(vocab)
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    pre = {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": QWEN}, "behavior": "Isolated", "invert": False}, byte_level(use_regex=False)]}
    json_ = document([added(base + i, t) for i, t in enumerate(tokens)], {"type": "NFC"}, pre, byte_level(use_regex=False), byte_level(use_regex=False), bpe(vocab, merges))
    config = {"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "added_tokens_decoder": {str(base + i): {k: v for k, v in added(base + i, t).items() if k != "id"} for i, t in enumerate(tokens)}}
    return json_, config, base + 3, {"eos": base + 2, "generation": [base + 2, base], "bos": None}


def llama3_tokenizer():
    vocab, merges = byte_vocabulary(GPT2, 25)
    base = len(vocab)
    tokens = ["<|begin_of_text|>", "<|end_of_text|>"]
    post = {"type": "Sequence", "processors": [byte_level(), template(tokens[0], base)]}
    pre = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level()]}
    json_ = document([added(base + i, t) for i, t in enumerate(tokens)], None, pre, post, byte_level(), bpe(vocab, merges))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": tokens[0], "eos_token": tokens[1], "clean_up_tokenization_spaces": True}
    return json_, config, base + 2, {"eos": base + 1, "bos": base}


def llama_parts():
    normalizer = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    decoder = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    config = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": None, "clean_up_tokenization_spaces": False}
    return [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")], normalizer, decoder, config


def sentencepiece_tokenizer():
    """Characters with byte fallback, as Llama's converted tokenizers."""
    tokens, normalizer, decoder, config = llama_parts()
    merges = learn_merges(["▁" + word for word in TEXT.split()], 30)
    symbols = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    symbols += [a + b for a, b in merges] + sorted(set(TEXT.replace(" ", "▁")) - {"\n"})
    vocab = {symbol: i for i, symbol in enumerate(dict.fromkeys(symbols))}
    model = bpe(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    return document(tokens, normalizer, None, template("<s>", 1), decoder, model), config, len(vocab), {"eos": 2, "bos": 1}


def character_tokenizer():
    """Characters; runs of unknown ones become one `<unk>`."""
    tokens, normalizer, decoder, config = llama_parts()
    alphabet = sorted(set("▁\n.,!?'\"#:;+-*/=()<>" + "abcdefghijklmnopqrstuvwxyz" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "0123456789"))
    vocab = {symbol: i for i, symbol in enumerate(["<unk>", "<s>", "</s>"] + alphabet)}
    model = bpe(vocab, [], unk_token="<unk>", fuse_unk=True)
    return document(tokens, normalizer, None, template("<s>", 1), decoder, model), {**config, "tokenizer_class": "PreTrainedTokenizerFast"}, len(vocab), {"eos": 2, "bos": 1}


def llama_config(vocab, special, **options):
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 24,
        "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "max_position_embeddings": 96, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False,
        "bos_token_id": special["bos"], "eos_token_id": special["eos"], "vocab_size": vocab, "torch_dtype": "float32",
    }
    return {**config, **options}


def llama_shapes(c):
    d, f, n, k = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"], c["num_key_value_heads"]
    h = c.get("head_dim") or d // n
    qwen = c["model_type"] == "qwen2"
    shapes = {"model.embed_tokens.weight": (c["vocab_size"], d), "model.norm.weight": (d,)}
    if not c["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (c["vocab_size"], d)
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        linears = {"self_attn.q_proj": (n * h, d), "self_attn.k_proj": (k * h, d), "self_attn.v_proj": (k * h, d), "self_attn.o_proj": (d, n * h), "mlp.gate_proj": (f, d), "mlp.up_proj": (f, d), "mlp.down_proj": (d, f)}
        for name, shape in linears.items():
            shapes[f"{layer}{name}.weight"] = shape
            attention_bias = name[10:11] in "qkv" if qwen else c.get("attention_bias")
            if attention_bias if name.startswith("self_attn") else c.get("mlp_bias"):
                shapes[f"{layer}{name}.bias"] = shape[:1]
        shapes[layer + "input_layernorm.weight"] = shapes[layer + "post_attention_layernorm.weight"] = (d,)
    return shapes


def gpt2_config(vocab, special, **options):
    config = {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new", "n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 64, "n_ctx": 64,
        "n_inner": None, "layer_norm_epsilon": 1e-5, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "bos_token_id": special["bos"], "eos_token_id": special["eos"], "vocab_size": vocab,
    }
    return {**config, **options}


def gpt2_shapes(c, prefix):
    d, f = c["n_embd"], c["n_inner"] or 4 * c["n_embd"]
    shapes = {"wte.weight": (c["vocab_size"], d), "wpe.weight": (c["n_positions"], d), "ln_f.weight": (d,), "ln_f.bias": (d,)}
    for i in range(c["n_layer"]):
        for name, shape in {"attn.c_attn": (d, 3 * d), "attn.c_proj": (d, d), "mlp.c_fc": (d, f), "mlp.c_proj": (f, d)}.items():
            shapes[f"h.{i}.{name}.weight"], shapes[f"h.{i}.{name}.bias"] = shape, shape[1:]
        for name in ("ln_1", "ln_2"):
            shapes[f"h.{i}.{name}.weight"] = shapes[f"h.{i}.{name}.bias"] = (d,)
    return {prefix + name: shape for name, shape in shapes.items()}


def random_weights(shapes, rng):
    """Scaled so that attention, gates and biases all matter to the loss."""
    out = {}
    for name, shape in shapes.items():
        if len(shape) == 1:
            center = 1.0 if name.endswith("weight") else 0.0
            out[name] = center + 0.2 * rng.standard_normal(shape)
        elif "embed" in name or "wte" in name:
            out[name] = 0.6 * rng.standard_normal(shape)
        elif "wpe" in name:
            out[name] = 0.3 * rng.standard_normal(shape)
        else:
            out[name] = rng.standard_normal(shape) * 1.2 / np.sqrt(min(shape))
    return out


def dump(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=None if "tokenizer.json" in path else 1)
        file.write("\n")


def write_student(name, tokenizer, config, weights, special, dtype="F32", shards=1, extra=None):
    directory = os.path.join(ROOT, "students", name)
    os.makedirs(directory)
    json_, tokenizer_config, _, _ = tokenizer
    dump(os.path.join(directory, "config.json"), config)
    dump(os.path.join(directory, "tokenizer.json"), json_)
    dump(os.path.join(directory, "tokenizer_config.json"), tokenizer_config)
    if "generation" in special:
        dump(os.path.join(directory, "generation_config.json"), {"eos_token_id": special["generation"]})
    tensors = {key: (dtype, value) for key, value in weights.items()}
    tensors.update(extra or {})
    if shards == 1:
        safetensors_file.save(os.path.join(directory, "model.safetensors"), tensors)
        return
    names = sorted(tensors)
    size = -(-len(names) // shards)
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        part = names[i * size : (i + 1) * size]
        safetensors_file.save(os.path.join(directory, file), {n: tensors[n] for n in part})
        weight_map.update({n: file for n in part})
    total = sum(4 * v.size for v in weights.values())
    dump(os.path.join(directory, "model.safetensors.index.json"), {"metadata": {"total_size": total}, "weight_map": weight_map})


def write_adapter(name, modules, rng, zero_b, **options):
    """modules: module -> (in, out)."""
    directory = os.path.join(ROOT, "adapters", name)
    os.makedirs(directory)
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": None, "inference_mode": True, "r": 4, "lora_alpha": 8, "lora_dropout": 0.0,
        "bias": "none", "fan_in_fan_out": False, "use_rslora": False, "use_dora": False, "init_lora_weights": True, "modules_to_save": None,
        "layers_to_transform": None, "layers_pattern": None, "rank_pattern": {}, "alpha_pattern": {}, "revision": None, "auto_mapping": None,
        "target_modules": sorted({m.split(".")[-1] for m in modules}), **options,
    }
    tensors = {}
    for module, (inputs, outputs) in modules.items():
        r = next((v for k, v in config["rank_pattern"].items() if module.endswith(k)), config["r"])
        tensors[f"base_model.model.{module}.lora_A.weight"] = ("F32", rng.uniform(-1, 1, (r, inputs)) / np.sqrt(inputs))
        tensors[f"base_model.model.{module}.lora_B.weight"] = ("F32", np.zeros((outputs, r)) if zero_b else 0.1 * rng.standard_normal((outputs, r)))
    dump(os.path.join(directory, "adapter_config.json"), config)
    safetensors_file.save(os.path.join(directory, "adapter_model.safetensors"), tensors)


def linear_modules(shapes, conv1d=False):
    out = {}
    for name, shape in shapes.items():
        if len(shape) == 2 and not any(part in name for part in ("embed", "wte", "wpe", "lm_head")):
            out[name[: -len(".weight")]] = shape if conv1d else shape[::-1]
    return out


def only(modules, *suffixes):
    return {m: s for m, s in modules.items() if m.endswith(suffixes)}


# Uneven lengths; the tokenizers see runs of spaces, digits, accents, other scripts, emoji, characters they lack and special tokens as text.
ROWS = [
    {"id": "short", "prompt": "Tom has 3 apples.", "completion": " He eats 1."},
    {"id": 2, "prompt": "Q: 3 + 12 = ?\nA:", "completion": " 15\n#### 15"},
    {"prompt": "She didn't like", "completion": " the rain."},
    {"id": "unicode", "prompt": "Zoë naïve 5½", "completion": " 中文 😀 café"},
    {"id": "empty-prompt", "prompt": "", "completion": "The answer is 15."},
    {"id": "empty-completion", "prompt": "The old farmer", "completion": ""},
    {"id": "spaces", "prompt": "a  b ", "completion": "  c\t\n\n d"},
    {"id": "plain", "text": "Every sheep had two lambs."},
    {"id": "inside-word", "prompt": "Every morn", "completion": "ing we'll see"},
    {"id": "one", "prompt": "Step 1: 3 + 12 = 15. The answer is", "completion": " 1"},
    {"id": "long", "prompt": "How many apples does", "completion": " he have? 3 + 12 = 15."},
]

STORY_ROWS = [
    {"id": "story", "prompt": "Once upon a time,", "completion": " there was a little girl named Lily. She loved to play outside in the park."},
    {"id": "short", "prompt": "The cat", "completion": " sat."},
    {"id": "one", "prompt": "Tim saw a big", "completion": " dog"},
    {"id": "empty-prompt", "prompt": "", "completion": "One day, a boy went to the beach."},
    {"id": "empty-completion", "prompt": "They were happy.", "completion": ""},
    {"id": "unicode", "prompt": "Zoë said: “Là-bas!”", "completion": " 中文 and 😀😀 café"},
    {"id": "digits", "prompt": "3 + 12 =", "completion": " 15\n#### 15"},
    {"id": "spaces", "prompt": "a  b ", "completion": "  c\t\n\n d"},
    {"id": "inside-word", "prompt": "The little gir", "completion": "l was sad."},
    {"id": "dialogue", "prompt": "Mom said,", "completion": " \"Don't worry, we'll find your toy!\""},
    {"id": "plain", "text": "The bird flew up to the sky and sang a song."},
    {"id": "long", "prompt": "Lily and Ben like to play in the garden. They have a slide, a swing and a sandbox.", "completion": " One day, they found a shiny stone under a tree. \"Look, it is a star!\" said Lily. They ran home to show it to Mom. Mom smiled."},
]


def write_rows(name, rows):
    with open(os.path.join(ROOT, "rows", name), "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def main():
    for folder in ("students", "adapters", "rows"):
        shutil.rmtree(os.path.join(ROOT, folder), ignore_errors=True)
    os.makedirs(os.path.join(ROOT, "rows"))
    os.makedirs(os.path.join(ROOT, "adapters"))
    write_rows("fixtures.jsonl", ROWS)
    write_rows("stories.jsonl", STORY_ROWS)
    rng = np.random.default_rng(20260101)

    def llama(name, tokenizer, adapter, **options):
        write = {k: options.pop(k) for k in ("dtype", "shards") if k in options}
        config = llama_config(tokenizer[2], tokenizer[3], **options)
        shapes = llama_shapes(config)
        write_student(name, tokenizer, config, random_weights(shapes, rng), tokenizer[3], **write)
        adapter(linear_modules(shapes))

    def adapter(name, *suffixes, zero_b=False, **options):
        return lambda modules: write_adapter(name, only(modules, *suffixes) if suffixes else modules, rng, zero_b, **options)

    llama("llama-gqa-tied", character_tokenizer(), adapter("llama-gqa-tied", "q_proj", "v_proj", zero_b=True), tie_word_embeddings=True, hidden_size=24, intermediate_size=40, num_attention_heads=6)
    llama("llama-untied", sentencepiece_tokenizer(), adapter("llama-untied", target_modules="all-linear", r=2, lora_alpha=3, use_rslora=True), num_key_value_heads=4, rms_norm_eps=1e-6)
    llama("llama-biases-bf16", character_tokenizer(), adapter("llama-biases-bf16", "k_proj", "o_proj", "down_proj", rank_pattern={"down_proj": 3}, alpha_pattern={"o_proj": 5}), attention_bias=True, mlp_bias=True, head_dim=12, num_attention_heads=2, num_key_value_heads=1, dtype="BF16")
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    llama("llama3-scaling-sharded", llama3_tokenizer(), adapter("llama3-scaling-sharded", "gate_proj", "up_proj", target_modules=r".*\.mlp\.(gate|up)_proj"), rope_scaling=scaling, head_dim=16, rope_theta=500.0, tie_word_embeddings=True, shards=2)
    qwen = qwen_tokenizer()
    qwen_options = dict(architectures=["Qwen2ForCausalLM"], model_type="qwen2", tie_word_embeddings=True, rope_theta=1000000.0, rms_norm_eps=1e-6, use_sliding_window=False, dtype="F16", num_attention_heads=2, num_key_value_heads=1)
    # More rows in the embedding than tokens, as Qwen's checkpoints have.
    padded = (*qwen[:2], qwen[2] + 7, qwen[3])
    llama("qwen2-tied-f16", padded, adapter("qwen2-tied-f16", "q_proj", "v_proj"), **qwen_options)

    for name, prefix, options in (("gpt2-hub-names", "", {}), ("gpt2-prefixed", "transformer.", {"n_inner": 40, "layer_norm_epsilon": 1e-4})):
        tokenizer = gpt2_tokenizer()
        config = gpt2_config(tokenizer[2], tokenizer[3], **options)
        shapes = gpt2_shapes(config, prefix)
        mask = np.tril(np.ones((1, 1, config["n_positions"], config["n_positions"])))
        buffers = {f"h.{i}.attn.bias": ("U8", mask) for i in range(config["n_layer"])} if prefix == "" else {}
        write_student(name, tokenizer, config, random_weights(shapes, rng), tokenizer[3], extra=buffers)
        named = {m if m.startswith("transformer.") else "transformer." + m: s for m, s in linear_modules(shapes, conv1d=True).items()}
        if prefix:
            write_adapter(name, named, rng, False, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True)
        else:
            write_adapter(name, only(named, "c_attn"), rng, True, fan_in_fan_out=True)

    for name in ("stories260K", "babyllama"):
        with open(os.path.join(SHARED, name, "config.json"), encoding="utf-8") as file:
            modules = linear_modules(llama_shapes(json.load(file)))
        write_adapter(name, only(modules, "q_proj", "v_proj"), rng, name == "stories260K")


if __name__ == "__main__":
    main()

"""Compares the committed values with transformers' own models, tokenizers, Trainer and
PEFT in float64. Not needed to make or to use the values: it checks the reference itself.
Needs transformers, peft, tokenizers, accelerate and torch (tried: 5.18, 0.21, 0.23, 2.13).

    python check_against_transformers.py [student ...]
"""
import base64
import json
import os
import sys
import tempfile

import numpy as np
import torch
from peft import PeftModel
from tokenizers import Tokenizer
from torch.utils.data import SequentialSampler
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "../../../test/golden/fixtures")
DATA = os.path.join(HERE, "../../../test/golden/data")
SHARED = os.path.join(HERE, "../../../../shared/students")


def directory_of(golden):
    return os.path.join(SHARED if golden["shared"] else os.path.join(FIXTURES, "students"), golden["student"])


def read_rows(golden):
    with open(os.path.join(FIXTURES, "rows", golden["rows"]), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def check_tokens(golden):
    tokenizer = Tokenizer.from_file(os.path.join(directory_of(golden), "tokenizer.json"))
    wrong = 0
    for row, score in zip(read_rows(golden), golden["scores"]):
        prompt = [] if "text" in row else tokenizer.encode(row["prompt"]).ids
        whole = tokenizer.encode(row.get("text") or row["prompt"] + row["completion"]).ids
        ids = prompt + whole[len(prompt) :]
        if ids[-1:] != [golden["eosTokenId"]] or len(whole) == len(prompt):
            ids = ids + [golden["eosTokenId"]]
        wrong += ids != score["ids"]
    return wrong


def load(golden, adapter=None):
    # Soft-caps of attention scores exist in the eager implementation only.
    attention = {"attn_implementation": "eager"} if golden["student"].startswith("gemma2") else {}
    model = AutoModelForCausalLM.from_pretrained(directory_of(golden), dtype=torch.float64, **attention)
    if adapter is None:
        return model.eval()
    return PeftModel.from_pretrained(model, os.path.join(FIXTURES, "adapters", adapter), is_trainable=True, autocast_adapter_dtype=False).double().eval()


def check_scores(golden, model, expected):
    worst = 0.0
    for score, want in zip(golden["scores"], expected):
        ids, count = score["ids"], score["completionTokens"]
        with torch.no_grad():
            log_p = torch.log_softmax(model(torch.tensor([ids])).logits[0, -count - 1 : -1], -1)
        loss = -log_p[torch.arange(count), torch.tensor(ids[-count:])]
        p = log_p.exp()
        got = {
            "loss": loss.mean(), "lossSum": loss.sum(), "entropy": torch.distributions.Categorical(logits=log_p).entropy().mean(),
            "leastConfidence": 1 - p.max(-1).values.mean(), "margin": (p.sort(-1, descending=True).values[:, :2] @ torch.tensor([1.0, -1.0], dtype=torch.float64)).mean(),
            "el2n": (p - torch.nn.functional.one_hot(torch.tensor(ids[-count:]), p.shape[-1])).norm(dim=-1).mean(),
        }
        worst = max([worst, *(abs(v.item() - want[k]) for k, v in got.items())])
    return worst


def check_greedy(golden, model):
    wrong = 0
    for case in golden["greedy"]:
        if not case["ids"]:
            continue
        # Without a mask, generate would take tokens equal to the padding id for padding.
        prompt = torch.tensor([case["promptIds"]])
        out = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=len(case["ids"]), pad_token_id=0)
        wrong += out[0, len(case["promptIds"]) :].tolist() != case["ids"]
    return wrong


class InOrder(Trainer):
    def _get_train_sampler(self, dataset=None):
        return SequentialSampler(self.train_dataset)


def collate(rows):
    length = max(len(ids) for ids, _ in rows)
    pad = lambda values, fill: values + [fill] * (length - len(values))
    # No attention mask: padding at the end is hidden from real tokens by causality, and where a sliding
    # window shows padding nothing but masked padding, eager attention gives NaN.
    return {
        "input_ids": torch.tensor([pad(ids, 0) for ids, _ in rows]),
        "labels": torch.tensor([pad([-100] * (len(ids) - count) + ids[-count:], -100) for ids, count in rows]),
    }


def check_trajectory(golden, trajectory):
    o = trajectory["options"]
    model = load(golden, trajectory.get("adapter"))
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    names = {name: p for name, p in model.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in names.items()}
    scheduler = "constant_with_warmup" if o["scheduler"] == "constant" and o["warmupSteps"] else o["scheduler"]
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out, max_steps=o["steps"], per_device_train_batch_size=o["batchSize"], gradient_accumulation_steps=o["gradAccum"], learning_rate=o["learningRate"],
            lr_scheduler_type=scheduler, warmup_steps=o["warmupSteps"], weight_decay=o["weightDecay"], max_grad_norm=o["maxGradNorm"], logging_steps=1,
            report_to="none", save_strategy="no", use_cpu=True, disable_tqdm=True, optim="adamw_torch", remove_unused_columns=False,
        )
        rows = [(s["ids"], s["completionTokens"]) for s in golden["scores"]]
        trainer = InOrder(model, arguments, train_dataset=rows, data_collator=collate)
        trainer.log = lambda logs, *rest: history.append(logs)
        history = []
        trainer.train()
    logs = [entry for entry in history if "loss" in entry]
    worst_loss = max(abs(float(l["loss"]) / s["loss"] - 1) for l, s in zip(logs, trajectory["steps"]))
    norms = [abs(float(l["grad_norm"]) / s["gradNorm"] - 1) for l, s in zip(logs, trajectory["steps"]) if "grad_norm" in l]
    worst_rate = max(abs(float(l["learning_rate"]) - s["lr"]) for l, s in zip(logs, trajectory["steps"]))
    difference, total = 0.0, 0.0
    for name, tensor in names.items():
        key = name.replace("base_model.model.", "").replace(".default", "")
        if key == "lm_head.weight" and key not in trajectory["update"]["tensors"]:
            key = "embed_out.weight"  # GPT-NeoX's head by its name in checkpoints
        want = trajectory["update"]["tensors"][key]
        delta = (tensor.detach() - before[name]).flatten().numpy()[:: want["stride"]]
        samples = np.frombuffer(base64.b64decode(want["samples"]), np.float32)
        difference += float(((delta - samples) ** 2).sum())
        total += float((samples**2).sum())
    assert len(logs) == len(trajectory["steps"]) and len(names) == len(trajectory["update"]["tensors"])
    return worst_loss, max(norms, default=0.0), worst_rate, (difference / total) ** 0.5


def main():
    torch.set_num_threads(2)
    for name in sys.argv[1:] or sorted(n[:-5] for n in os.listdir(DATA)):
        with open(os.path.join(DATA, name + ".json"), encoding="utf-8") as file:
            golden = json.load(file)
        model = load(golden)
        print(name, f"rows with other tokens {check_tokens(golden)}", f"scores {check_scores(golden, model, golden['scores']):.1e}", f"greedy differs {check_greedy(golden, model)}", f"with adapter {check_scores(golden, load(golden, golden['adapter']), golden['adapterScores']):.1e}", flush=True)
        for trajectory in golden["trajectories"]:
            print("  {}: loss {:.1e}, gradient norm {:.1e}, rate {:.1e}, update {:.1e}".format(trajectory["name"], *check_trajectory(golden, trajectory)), flush=True)


if __name__ == "__main__":
    main()

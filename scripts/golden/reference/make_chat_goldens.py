"""Writes test/golden/data/chat/conversations.json: conversations through chat templates by transformers'
own `apply_chat_template`, and which tokens are the assistant's. Where a template has
{% generation %} tags, that is `return_assistant_tokens_mask`; where it has none, a regular
expression of the format finds the assistant's text, and the Rust tokenizer's offsets its tokens.
Needs transformers and jinja2 (tried: 5.18, 3.1.6) and the tokenizers of ../shared.

    python make_chat_goldens.py
"""
import json
import os
import re

from transformers import PreTrainedTokenizerFast

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.path.join(HERE, "../../../../shared/tokenizers")
OUT = os.path.join(HERE, "../../../test/golden/data/chat/conversations.json")

CHATML = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

# Tags on lines of their own, with and without white-space control, the header outside.
MARKED = """{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- generation %}
            {{- message.content + '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

# Indented tags without control, literal text between them, a block that is not always there.
LOOSE = """{% for message in messages %}
  {% if message['role'] == 'assistant' %}
Assistant: {% generation %}{{ message['content'] | trim }}{{ eos_token }}{% endgeneration %}

    {% generation -%}
      (end)
    {%- endgeneration %}
  {% else %}
{{ message['role'] | capitalize }}: {{ message['content'] }}
  {% endif %}
{% endfor %}
{% if add_generation_prompt %}Assistant: {% endif %}"""

# Llama 2's: BOS and EOS from the tokenizer, trimmed content, roles in turns, system inside the first turn.
TURNS = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

# No special token at all: turns end with a line, and tokens may reach over their ends.
PLAIN = """{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"""

CONVERSATIONS = [
    [("user", "What is 3 + 12?"), ("assistant", "3 + 12 = 15.\n#### 15")],
    [("system", "Answer in one word."), ("user", "Capital of France?"), ("assistant", "Paris")],
    [
        ("user", "Hi!"),
        ("assistant", "Hello. How can I help?"),
        ("user", "Name a colour.\n\nThanks"),
        ("assistant", "  Blue — or maybe ﬁne “grün” 🎨\n"),
        ("user", "ok"),
        ("assistant", "Bye"),
    ],
    [("system", "Think."), ("user", "2*3?"), ("assistant", "<think>\nTwice three.\n</think>\n\n6"), ("user", "+1?"), ("assistant", "<think>\n6+1\n</think>\n\n7")],
    [("user", "Say nothing."), ("assistant", "")],
    [("user", "नमस्ते e\u0301"), ("assistant", "안녕 한국 \u00e9\tx"), ("user", "And?")],
]

# Text of the assistant's turns of templates without tags; lookbehinds leave the headers out.
CHATML_TURN = re.compile(r"(?<=<\|im_start\|>assistant\n).*?<\|im_end\|>\n", re.S)
TURNS_TURN = re.compile(r"(?<=\[/INST\]) .*? <\|endoftext\|>", re.S)
PLAIN_TURN = re.compile(r"(?:(?<=^assistant:)|(?<=\nassistant:)).*?\n(?=user:|system:|assistant:|\Z)", re.S)

CASES = [
    ("smollm2", "chatml", CHATML, CHATML_TURN, {"bos": "<|im_start|>", "eos": "<|im_end|>"}),
    ("smollm2", "marked", MARKED, None, {"bos": "<|im_start|>", "eos": "<|im_end|>"}),
    ("smollm2", "loose", LOOSE, None, {"bos": "<|im_start|>", "eos": "<|im_end|>"}),
    ("qwen3", "own", None, CHATML_TURN, {"eos": "<|im_end|>"}),
    ("qwen3", "marked", MARKED, None, {"eos": "<|im_end|>"}),
    ("gpt2", "turns", TURNS, TURNS_TURN, {"bos": "<|endoftext|>", "eos": "<|endoftext|>"}),
    ("gpt2", "loose", LOOSE, None, {"bos": "<|endoftext|>", "eos": "<|endoftext|>"}),
    ("gpt2", "plain", PLAIN, PLAIN_TURN, {"bos": "<|endoftext|>", "eos": "<|endoftext|>"}),
]


def messages_of(conversation):
    return [{"role": role, "content": content} for role, content in conversation]


def mask_of(tokenizer, text, turn):
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans = [match.span() for match in turn.finditer(text)]
    return encoded["input_ids"], [
        int(any(begin < last and first < end for first, last in spans)) for begin, end in encoded["offset_mapping"]
    ]


def run(directory, template, turn, special):
    path = os.path.join(SHARED, directory)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=os.path.join(path, "tokenizer.json"), **{f"{role}_token": text for role, text in special.items()}
    )
    if template is None:
        with open(os.path.join(path, "tokenizer_config.json"), encoding="utf-8") as file:
            template = json.load(file)["chat_template"]
    tokenizer.chat_template = template
    out = []
    for conversation in CONVERSATIONS:
        messages = messages_of(conversation)
        if turn is None:
            encoded = tokenizer.apply_chat_template(
                messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
            )
            ids, mask = encoded["input_ids"], encoded["assistant_masks"]
        else:
            ids, mask = mask_of(tokenizer, tokenizer.apply_chat_template(messages, tokenize=False), turn)
            assert ids == tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
        prompt = messages
        while prompt and prompt[-1]["role"] == "assistant":
            prompt = prompt[:-1]
        prompt_ids = tokenizer.apply_chat_template(prompt, tokenize=True, return_dict=False, add_generation_prompt=True)
        out.append({"ids": ids, "mask": "".join(map(str, mask)), "promptIds": prompt_ids})
    return out


def main():
    cases = [
        {
            "tokenizer": directory,
            "name": name,
            **({} if template is None else {"template": template}),
            "special": special,
            "conversations": run(directory, template, turn, special),
        }
        for directory, name, template, turn, special in CASES
    ]
    golden = {"conversations": [messages_of(conversation) for conversation in CONVERSATIONS], "cases": cases}
    with open(OUT, "w", encoding="utf-8") as file:
        json.dump(golden, file, ensure_ascii=False, separators=(",", ":"))


main()

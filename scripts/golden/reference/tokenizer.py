"""A small, slow tokenizer for `tokenizer.json` files of the kinds our students use
(BPE over bytes, over characters with byte fallback, or over characters with an
unknown token), written from the behaviour of the Rust `tokenizers` library.
Needs the `regex` module (Debian: python3-regex)."""
import json
import os
import unicodedata

import regex

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def byte_alphabet():
    """GPT-2's printable stand-in for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, extra = {}, 0
    for byte in range(256):
        if byte in printable:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(256 + extra)
            extra += 1
    return table


class Tokenizer:
    def __init__(self, directory):
        with open(os.path.join(directory, "tokenizer.json"), encoding="utf-8") as file:
            self.json = json.load(file)
        model = self.json["model"]
        assert model["type"] == "BPE"
        self.vocab = dict(model["vocab"])
        merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.model = model
        self.added = {t["content"]: t["id"] for t in self.json.get("added_tokens") or []}
        self.bytes = byte_alphabet()

    def normalize(self, text, part=None):
        part = part or self.json["normalizer"]
        if part is None:
            return text
        kind = part["type"]
        if kind == "Sequence":
            for inner in part["normalizers"]:
                text = self.normalize(text, inner)
            return text
        if kind == "Prepend":
            return part["prepend"] + text if text else text
        if kind == "Replace":
            return text.replace(part["pattern"]["String"], part["content"])
        if kind == "NFC":
            return unicodedata.normalize("NFC", text)
        raise ValueError(kind)

    def pre_tokenize(self, pieces, part):
        if part is None:
            return pieces
        kind = part["type"]
        if kind == "Sequence":
            for inner in part["pretokenizers"]:
                pieces = self.pre_tokenize(pieces, inner)
            return pieces
        if kind == "Split":
            return isolate(pieces, part["pattern"]["Regex"])
        if kind == "Digits":
            return isolate(pieces, r"\p{N}" if part["individual_digits"] else r"\p{N}+")
        if kind == "ByteLevel":
            assert not part["add_prefix_space"]
            if part.get("use_regex", True):
                pieces = isolate(pieces, GPT2)
            return ["".join(self.bytes[b] for b in piece.encode()) for piece in pieces]
        raise ValueError(kind)

    def bpe(self, piece):
        """Ids of one piece: the lowest-ranked pair merges first, the leftmost among equals."""
        symbols, unknown_open = [], False
        for character in piece:
            if character in self.vocab:
                symbols.append(character)
                unknown_open = False
                continue
            fallback = ["<0x%02X>" % b for b in character.encode()]
            if self.model["byte_fallback"] and all(b in self.vocab for b in fallback):
                symbols.extend(fallback)
            elif not (self.model["fuse_unk"] and unknown_open):
                symbols.append(self.model["unk_token"])
                unknown_open = True
        while len(symbols) > 1:
            ranked = [(self.ranks.get(pair, 1 << 60), i) for i, pair in enumerate(zip(symbols, symbols[1:]))]
            rank, i = min(ranked)
            if rank == 1 << 60:
                break
            symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
        return [self.vocab[s] for s in symbols]

    def encode(self, text):
        ids = []
        pattern = "|".join(regex.escape(t) for t in sorted(self.added, key=len, reverse=True))
        position = 0
        for match in [*regex.finditer(pattern, text), None]:
            section = text[position : match.start() if match else len(text)]
            if section:
                for piece in self.pre_tokenize([self.normalize(section)], self.json["pre_tokenizer"]):
                    ids.extend(self.bpe(piece))
            if match:
                ids.append(self.added[match.group()])
                position = match.end()
        return self.post_process(ids, self.json["post_processor"])

    def post_process(self, ids, part):
        if part is None or part["type"] == "ByteLevel":
            return ids
        if part["type"] == "Sequence":
            for inner in part["processors"]:
                ids = self.post_process(ids, inner)
            return ids
        assert part["type"] == "TemplateProcessing"
        out = []
        for item in part["single"]:
            out.extend(ids if "Sequence" in item else part["special_tokens"][item["SpecialToken"]["id"]]["ids"])
        return out


def isolate(pieces, pattern):
    out = []
    for piece in pieces:
        position = 0
        for match in regex.finditer(pattern, piece):
            out.append(piece[position : match.start()])
            out.append(match.group())
            position = match.end()
        out.append(piece[position:])
    return [p for p in out if p]


def encode_row(tokenizer, eos, row, appended=0):
    """(ids, completion tokens): encode(prompt), the remainder of encode(prompt + completion), EOS."""
    cut = lambda ids: ids[: len(ids) - appended] if appended else ids
    if "text" in row:
        prompt, whole = [], cut(tokenizer.encode(row["text"]))
    else:
        prompt = cut(tokenizer.encode(row["prompt"]))
        whole = cut(tokenizer.encode(row["prompt"] + row["completion"]))
    rest = whole[len(prompt) :]
    if not rest or rest[-1] != eos:
        rest = rest + [eos]
    ids = prompt + rest
    return ids, min(len(rest), len(ids) - 1)

/**
 * @file Writes test/golden/data/tokenizers/<name>.json: token ids and decoded texts by
 * the Rust `tokenizers` library (npm package `tokenizers` 0.23.2, Apache-2.0), for the
 * tokenizers in `../shared` and of the fixture students. Needed to make the values,
 * not to test:
 *
 *     npm install --no-save tokenizers@0.23.2 && node scripts/golden/reference/make_tokenizer_goldens.mjs
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Tokenizer } from "tokenizers";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const FIXTURES = join(ROOT, "test/golden/fixtures/students");
const RANDOM_TEXTS = 40;
const RANDOM_ID_LISTS = 30;

const TEXTS = [
  "",
  " ",
  "Hello world",
  "Hello  world ",
  "Once upon a time, there was a little girl named Lily.",
  "I'll say it's what they'd've done; DON'T!",
  "3 + 12 = 15\n#### 15",
  "1234567890 12.50 1,000",
  "naïve café Zoë",
  "e\u0301 vs \u00e9, \u212b vs \u00c5",
  "中文 한글 日本語",
  "😀 👩‍👩‍👧 🇫🇷",
  "x² ½ ٣٤ Ⅷ ①",
  "tab\tline\r\nnext\n\n\nend",
  "nbsp\u00a0ideographic\u3000bom\ufeff next\u0085line \u2028",
  "\ufeffstart",
  "\u0000\u0007",
  "</s> <s> <unk> <|endoftext|> <|im_start|>user<|im_end|>",
  "▁under Ġ <0x41>",
  "a".repeat(70),
  "the ".repeat(20),
  "def f(x):\n    return x ** 2  # square\n",
  "$5.00 & 10% of €3 — “quoted” …",
  "हिन्दी العربية ไทย",
  "ﬁ ﬂ ß ẞ İ ı",
  "!!!???...---===",
  "  leading",
  "trailing  ",
  " 's 't",
  "A1b2C3 x_y-z",
];

/** Pieces that meet the edges of pre-tokenizers: white space, digits, joiners, special tokens. */
const PIECES = [
  "a",
  "B",
  " ",
  "  ",
  "\n",
  "\r\n",
  "\t",
  "é",
  "²",
  "٣",
  "0",
  "12",
  "中",
  "😀",
  "\u200d",
  "\u00a0",
  "\ufeff",
  "\u0085",
  "\u2028",
  "\u0301",
  "ا",
  "ि",
  ".",
  "'s",
  "'LL",
  "n't",
  "</s>",
  "<|endoftext|>",
  "▁",
  "the",
  " Once",
  "_",
  "€",
  "Ⅷ",
];

/** A small generator (mulberry32), so that the texts stay the same. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomText(random) {
  let text = "";
  const length = 1 + Math.floor(random() * 10);
  for (let i = 0; i < length; i++) {
    if (random() < 0.85) {
      text += PIECES[Math.floor(random() * PIECES.length)];
      continue;
    }
    const code = Math.floor(random() * (random() < 0.5 ? 0x3000 : 0x10ffff));
    text += code >= 0xd800 && code < 0xe000 ? "?" : String.fromCodePoint(code);
  }
  return text;
}

async function golden(directory) {
  const tokenizer = Tokenizer.fromFile(join(directory, "tokenizer.json"));
  // As transformers does, which applies a file's padding and truncation only when asked.
  tokenizer.disablePadding();
  tokenizer.disableTruncation();
  const random = generator(7);
  const texts = [...TEXTS, ...Array.from({ length: RANDOM_TEXTS }, () => randomText(random))];
  const encoded = [];
  for (const text of texts) {
    const ids = (await tokenizer.encode(text)).getIds();
    encoded.push({ text, ids, decoded: await tokenizer.decode(ids, true) });
  }
  const vocabSize = tokenizer.getVocabSize(true);
  const decoded = [];
  for (let i = 0; i < RANDOM_ID_LISTS; i++) {
    const ids = Array.from({ length: 1 + Math.floor(random() * 6) }, () => Math.floor(random() * vocabSize));
    decoded.push({ ids, text: await tokenizer.decode(ids, false) });
  }
  return { vocabSize, encoded, decoded };
}

/** Pre-tokenizers whose pieces `parts.json` records, by the JSON of tokenizer.json. */
const PRE_TOKENIZERS = [
  { type: "Whitespace" },
  { type: "WhitespaceSplit" },
  { type: "BertPreTokenizer" },
  { type: "Punctuation", behavior: "Isolated" },
  { type: "Punctuation", behavior: "Removed" },
  { type: "Punctuation", behavior: "Contiguous" },
  { type: "Digits", individual_digits: true },
  { type: "Digits", individual_digits: false },
  { type: "FixedLength", length: 3 },
  { type: "CharDelimiterSplit", delimiter: "_" },
  { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false },
  { type: "Metaspace", replacement: "▁", prepend_scheme: "never", split: true },
  { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
  { type: "Split", pattern: { String: " " }, behavior: "MergedWithNext", invert: false },
  { type: "Split", pattern: { String: "-" }, behavior: "Contiguous", invert: false },
  { type: "Split", pattern: { String: "]" }, behavior: "Isolated", invert: false },
  { type: "Split", pattern: { Regex: "\\d{1,3}|\\s+" }, behavior: "Isolated", invert: false },
  { type: "Split", pattern: { Regex: "\\w+" }, behavior: "Removed", invert: true },
  { type: "Split", pattern: { Regex: "\\s" }, behavior: "Removed", invert: false },
  { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: false },
  { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Digits", individual_digits: true }] },
];
const PART_TEXTS = [
  "it's 12 o",
  "a  b-c--d",
  " x²½ ٣ n",
  "Zoë, ça_va",
  "a\u0085b\ufeff c",
  "😀😀 [ok]]!",
  "中文。한 글",
  "\n\n a\t",
];

/**
 * A tokenizer that shows its pieces: every substring of what a piece can be made of is a
 * token, and `ignore_merges` takes a piece that is a token whole.
 */
function showPieces(preTokenizer, text) {
  const spellings = [text, `▁${text.replaceAll(" ", "▁")}`, ` ${text}`];
  const bytes = [...new TextEncoder().encode(` ${text}`)].map((byte) => BYTES[byte]).join("");
  const vocab = { "<unk>": 0 };
  for (const spelling of [...spellings, bytes]) {
    const characters = [...spelling];
    for (let i = 0; i < characters.length; i++)
      for (let j = i + 1; j <= characters.length; j++)
        vocab[characters.slice(i, j).join("")] ??= Object.keys(vocab).length;
  }
  const model = {
    type: "BPE",
    dropout: null,
    unk_token: "<unk>",
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: true,
    vocab,
    merges: [],
  };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: null,
    model,
  };
}

/** GPT-2's printable stand-ins for bytes. */
const BYTES = (() => {
  const out = [];
  let extra = 0;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    out.push(String.fromCharCode(printable ? byte : 256 + extra++));
  }
  return out;
})();

const out = join(ROOT, "test/golden/data/tokenizers");
mkdirSync(out, { recursive: true });
const parts = [];
for (const preTokenizer of PRE_TOKENIZERS) {
  for (const text of PART_TEXTS) {
    const tokenizer = Tokenizer.fromString(JSON.stringify(showPieces(preTokenizer, text)));
    parts.push({ preTokenizer, text, pieces: (await tokenizer.encode(text)).getTokens() });
  }
}
writeFileSync(join(out, "parts.json"), `${JSON.stringify(parts)}\n`);
const shared = [
  ["gpt2", "tokenizers"],
  ["smollm2", "tokenizers"],
  ["qwen3", "tokenizers"],
  ["stories260K", "students"],
  ["babyllama", "students"],
];
const directories = [
  ...shared.map(([name, folder]) => [name, join(ROOT, "../shared", folder, name)]),
  ...readdirSync(FIXTURES).map((name) => [name, join(FIXTURES, name)]),
];
for (const [name, directory] of directories)
  writeFileSync(join(out, `${name}.json`), `${JSON.stringify(await golden(directory))}\n`);

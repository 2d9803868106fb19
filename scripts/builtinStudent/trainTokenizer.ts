/**
 * @file Byte-level BPE for the built-in student, trained on generated questions and
 * answers and written as a Hugging Face `tokenizer.json` that encodes any text.
 * Digits are always single tokens (with or without a leading space), so that numbers
 * are read digit by digit. Source of the algorithm: Sennrich et al. 2016, arXiv 1508.07909.
 */

/** Splits text into the pieces that merges never cross. */
export const PIECE_PATTERN = " ?\\p{L}+| ?\\p{N}| ?[^\\s\\p{L}\\p{N}]|\\s";

export const SPECIAL_TOKENS = ["<|endoftext|>"] as const;

/** GPT-2's printable stand-in for every byte. */
function byteCharacters(): string[] {
  const printable = (b: number): boolean => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let extra = 0;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : 256 + extra++));
}

interface Word {
  symbols: string[];
  readonly count: number;
}

function mergeWord(word: Word, left: string, right: string): void {
  const merged: string[] = [];
  for (let i = 0; i < word.symbols.length; i++) {
    const symbol = word.symbols[i] ?? "";
    if (symbol === left && word.symbols[i + 1] === right) {
      merged.push(left + right);
      i++;
    } else merged.push(symbol);
  }
  word.symbols = merged;
}

/** The `tokenizer.json` of a BPE with `vocabSize` tokens trained on `texts` cut into `pieces`; ties go to the lexically smaller pair. */
export function trainTokenizer(
  texts: Iterable<string>,
  vocabSize: number,
  pieces: string = PIECE_PATTERN,
): Record<string, unknown> {
  const characters = byteCharacters();
  const pattern = new RegExp(pieces, "gu");
  const counts = new Map<string, number>();
  const encoder = new TextEncoder();
  for (const text of texts) {
    for (const [piece] of text.matchAll(pattern)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  const words = [...counts].map(([piece, count]): Word => ({
    symbols: Array.from(encoder.encode(piece), (b) => characters[b] ?? ""),
    count,
  }));
  const tokens = [...SPECIAL_TOKENS, ...characters];
  const merges: [string, string][] = [];
  while (tokens.length < vocabSize) {
    const pairs = new Map<string, number>();
    for (const { symbols, count } of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = `${symbols[i]} ${symbols[i + 1]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + count);
      }
    }
    let best: string | undefined;
    for (const [pair, count] of pairs) {
      const top = best === undefined ? 1 : (pairs.get(best) ?? 0);
      if (count > top || (count === top && best !== undefined && pair < best)) best = pair;
    }
    if (best === undefined) break;
    const [left = "", right = ""] = best.split(" ");
    merges.push([left, right]);
    tokens.push(left + right);
    for (const word of words) mergeWord(word, left, right);
  }
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: pieces }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

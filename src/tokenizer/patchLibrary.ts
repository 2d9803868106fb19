/**
 * @file Puts right what a rewrite of `tokenizer.json` cannot, in a tokenizer that
 * `@huggingface/tokenizers` 0.2.0 has built. Each part names the difference to the
 * Rust library that it removes, and can go when the library does.
 */
import {
  ByteFallbackDecoder,
  ByteLevelPreTokenizer,
  SequenceDecoder,
  SequencePreTokenizer,
  type Tokenizer,
} from "@huggingface/tokenizers";

/** GPT-2's pattern over Unicode white space. The library's `\s` takes U+FEFF for white space and U+0085 not. */
const BYTE_LEVEL_PATTERN =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Changes `library` in place. */
export function patchLibrary(library: Tokenizer): void {
  patchPreTokenizer(library.pre_tokenizer);
  const decoder = library.decoder;
  for (const part of decoder instanceof SequenceDecoder ? decoder.decoders : [decoder]) {
    if (part instanceof ByteFallbackDecoder) part.decode_chain = decodeByteTokens;
  }
}

function patchPreTokenizer(part: Tokenizer["pre_tokenizer"]): void {
  if (part instanceof SequencePreTokenizer) part.tokenizers.forEach(patchPreTokenizer);
  if (part instanceof ByteLevelPreTokenizer) part.pattern = BYTE_LEVEL_PATTERN;
}

/**
 * The library's ByteFallback drops a byte order mark and decodes the valid part of an
 * invalid run of bytes; the Rust library keeps the mark and gives one U+FFFD a byte.
 */
function decodeByteTokens(tokens: string[]): string[] {
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    try {
      out.push(utf8.decode(Uint8Array.from(bytes)));
    } catch {
      out.push("\ufffd".repeat(bytes.length));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (hex !== undefined) {
      bytes.push(Number.parseInt(hex, 16));
      continue;
    }
    flush();
    out.push(token);
  }
  flush();
  return out;
}

/** @file The address of a reply in a cache: a hash of everything that decides it, and of nothing else. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { ChatModel, ChatRequest } from "./types.ts";

/** Raised when what is hashed changes its meaning. */
const KEY_VERSION = 1;

/** SHA-256 of provider, address, model, messages, parameters and seed, as hexadecimal digits. */
export function replyKey({ provider, url, model, variant }: ChatModel, request: ChatRequest): string {
  const { messages, maxOutputTokens, temperature = null, seed, format, schema } = request;
  const said = messages.map(({ role, content }) => [role, content]);
  const parts: unknown[] = [
    KEY_VERSION,
    provider,
    url,
    model,
    said,
    maxOutputTokens,
    temperature,
    seed,
    format,
    schema,
  ];
  if (variant !== undefined) parts.push(variant);
  return bytesToHex(sha256(utf8ToBytes(JSON.stringify(parts))));
}

/**
 * @file The hashes that the hub names its files by, computed while they arrive: SHA-256
 * of large files, git's blob SHA-1 of small ones.
 */
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** What a file must hash to, as lower-case hex. */
export interface FileHash {
  readonly kind: "sha256" | "git-sha1";
  readonly hex: string;
}

/** A hash under way. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** The hash of all bytes so far, as lower-case hex. Once. */
  digest(): string;
}

/** Begins the hash of a file of `size` bytes. */
export type CreateHasher = (kind: FileHash["kind"], size: number) => Hasher;

/** Begins the hash of a file of `size` bytes; git's is `SHA-1("blob <size>\0" ++ bytes)`. */
export const createHasher: CreateHasher = (kind, size) => {
  const hash = kind === "sha256" ? sha256.create() : sha1.create();
  if (kind === "git-sha1") hash.update(new TextEncoder().encode(`blob ${size}\0`));
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => bytesToHex(hash.digest()),
  };
};

/** The SHA-256 of a text in UTF-8, as lower-case hex. */
export function sha256Hex(text: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(text)));
}

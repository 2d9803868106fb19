/** @file The hub's hashes by Node's own library: over ten times as fast as JavaScript. Node only. */
import { createHash } from "node:crypto";
import type { CreateHasher } from "../hash.ts";

/** As `createHasher`. */
export const createNodeHasher: CreateHasher = (kind, size) => {
  const hash = createHash(kind === "sha256" ? "sha256" : "sha1");
  if (kind === "git-sha1") hash.update(`blob ${size}\0`);
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.digest("hex"),
  };
};

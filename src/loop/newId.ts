/** @file Names for runs and races: not part of any result, so not drawn from an `Rng`. */

/** 128 random bits as 32 hexadecimal digits. `crypto.randomUUID` would need a secure context. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

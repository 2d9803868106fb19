/** @file What sampling should give: exact token probabilities, and a check of counts against them. */
import { expect } from "vitest";

/** softmax(logits / temperature) over the smallest set of most probable tokens whose mass reaches `topP`, renormalised. */
export function exactDistribution(logits: readonly number[], temperature: number, topP: number): number[] {
  const max = Math.max(...logits);
  const weights = logits.map((z) => Math.exp((z - max) / temperature));
  const total = weights.reduce((a, b) => a + b);
  const p = weights.map((w) => w / total);
  const order = p.map((_, i) => i).sort((a, b) => p[b]! - p[a]! || a - b);
  const kept = new Set<number>();
  let mass = 0;
  for (const token of order) {
    if (mass >= topP) break;
    kept.add(token);
    mass += p[token]!;
  }
  return p.map((value, token) => (kept.has(token) ? value / mass : 0));
}

/** Every count within five standard deviations of its expectation, and none where the probability is zero. */
export function expectFrequencies(counts: readonly number[], probabilities: readonly number[]): void {
  const n = counts.reduce((a, b) => a + b);
  counts.forEach((count, token) => {
    const p = probabilities[token]!;
    if (p === 0) expect(count, `token ${token}`).toBe(0);
    else
      expect(Math.abs(count - n * p), `token ${token}: ${count} of ${n}, probability ${p}`).toBeLessThanOrEqual(
        5 * Math.sqrt(n * p * (1 - p)) + 1,
      );
  });
}

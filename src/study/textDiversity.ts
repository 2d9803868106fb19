/** @file How alike texts are: repeated n-grams, near-duplicates. */
import { rougeL } from "../core/rougeL.ts";

/** From this ROUGE-L on a question counts as a near-duplicate (Lion, arXiv 2305.12870). */
export const NEAR_DUPLICATE = 0.7;

/** distinct-n (Li et al. 2016, arXiv 1510.03055): different n-grams over all n-grams of the texts. Falls with their number: compare equally many. Undefined without an n-gram. */
export function distinctN(texts: readonly string[], n: number): number | undefined {
  const seen = new Set<string>();
  let total = 0;
  for (const text of texts) {
    const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
    for (let i = 0; i + n <= words.length; i++) {
      seen.add(words.slice(i, i + n).join(" "));
      total++;
    }
  }
  return total === 0 ? undefined : seen.size / total;
}

/** Share of texts with a ROUGE-L of at least 0.7 to an earlier one of the list. Undefined for fewer than two. */
export function nearDuplicateShare(texts: readonly string[]): number | undefined {
  if (texts.length < 2) return undefined;
  const repeated = texts.filter((text, i) =>
    texts.slice(0, i).some((earlier) => rougeL(text, earlier) >= NEAR_DUPLICATE),
  );
  return repeated.length / texts.length;
}

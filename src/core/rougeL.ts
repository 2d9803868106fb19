/** @file ROUGE-L (Lin 2004): how much of two texts is one common sequence of words. */

/** Words that count: runs of letters and digits, lower case (as rouge-score without stemming). */
function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Length of the longest common subsequence, in O(n·m) time and O(m) memory. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const word of a) {
    const next = [0];
    b.forEach((other, j) => {
      next.push(word === other ? (row[j] ?? 0) + 1 : Math.max(row[j + 1] ?? 0, next[j] ?? 0));
    });
    row = next;
  }
  return row[b.length] ?? 0;
}

/** F-measure `2PR / (P + R)` in [0, 1] of the longest common subsequence of words, `P = lcs/|candidate|`, `R = lcs/|reference|`; 0 where either has no word. */
export function rougeL(candidate: string, reference: string): number {
  const [a, b] = [wordsOf(candidate), wordsOf(reference)];
  const common = commonLength(a, b);
  return common === 0 ? 0 : (2 * common) / (a.length + b.length);
}

/** A text whose words were counted once. */
interface IndexedText {
  readonly text: string;
  readonly words: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
}

/** Texts that new ones are compared with. */
export class RougeIndex {
  readonly #texts: IndexedText[] = [];

  /** Adds a text to compare with. */
  add(text: string): void {
    this.#texts.push(indexed(text));
  }

  /** The text with the highest `rougeL` to `candidate`, where that is over `threshold`; the first of equals. */
  nearest(candidate: string, threshold: number): { readonly text: string; readonly rougeL: number } | undefined {
    const asked = indexed(candidate);
    let best: { readonly text: string; readonly rougeL: number } | undefined;
    for (const one of this.#texts) {
      const words = asked.words.length + one.words.length;
      const atLeast = best?.rougeL ?? threshold;
      // A common subsequence is no longer than the words both texts have: most texts are out before any is looked for.
      if (words === 0 || (2 * commonWords(asked, one)) / words <= atLeast) continue;
      const score = (2 * commonLength(asked.words, one.words)) / words;
      if (score > atLeast) best = { text: one.text, rougeL: score };
    }
    return best;
  }
}

function indexed(text: string): IndexedText {
  const words = wordsOf(text);
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return { text, words, counts };
}

/** Words in both, each as often as in the text that has it less often. */
function commonWords(a: IndexedText, b: IndexedText): number {
  let common = 0;
  for (const [word, count] of a.counts) common += Math.min(count, b.counts.get(word) ?? 0);
  return common;
}

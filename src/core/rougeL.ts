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

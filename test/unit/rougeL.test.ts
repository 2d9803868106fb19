import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RougeIndex, rougeL } from "../../src/core/rougeL.ts";

describe("rougeL", () => {
  // Worked out by hand: 2·lcs / (words of both).
  it.each([
    ["the cat sat on the mat", "the cat lay on the mat", 5 / 6],
    ["The cat", "the CAT.", 1],
    ["a b c d", "d c b a", 0.25],
    ["one two three", "one three", 0.8],
    ["", "words", 0],
    ["...", "words", 0],
  ])("of %j and %j is %d", (a, b, expected) => expect(rougeL(a, b)).toBeCloseTo(expected, 12));

  it("is symmetric, 1 for equal texts, and that of the longest common subsequence found by trying all", () => {
    const words = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 6 });
    const isSubsequence = (part: readonly string[], of: readonly string[]): boolean => {
      let next = 0;
      for (const word of of) if (word === part[next]) next++;
      return next === part.length;
    };
    fc.assert(
      fc.property(words, words, (a, b) => {
        let best = 0;
        for (let mask = 0; mask < 2 ** a.length; mask++) {
          const part = a.filter((_, i) => (mask >> i) & 1);
          if (part.length > best && isSubsequence(part, b)) best = part.length;
        }
        expect(rougeL(a.join(" "), b.join(" "))).toBeCloseTo((2 * best) / (a.length + b.length), 12);
        expect(rougeL(b.join(" "), a.join(" "))).toBeCloseTo(rougeL(a.join(" "), b.join(" ")), 12);
        expect(rougeL(a.join(" "), a.join(", "))).toBe(1);
      }),
    );
  });
});

describe("a RougeIndex", () => {
  it("finds what comparing with every text finds, the first of the nearest, and only over the threshold", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 7 }).map((words) => words.join(" "));
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 12 }),
        text,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (texts, asked, over) => {
          const index = new RougeIndex();
          for (const one of texts) index.add(one);
          const scores = texts.map((one) => rougeL(asked, one));
          const best = Math.max(...scores);
          const nearest = texts[scores.indexOf(best)];
          expect(index.nearest(asked, over)).toEqual(
            texts.length > 0 && best > over ? { text: nearest, rougeL: best } : undefined,
          );
        },
      ),
    );
  });
});

/**
 * @file A kind of question, for each generated task, which its built-in student does not know and can learn from
 * some hundred pairs. One seed in ten is of that kind, and the test asks about nothing else: the
 * case in which it matters most which seeds are picked (EXPERIMENTS.md). Plain data.
 */
import type { Mixture } from "./registry.ts";

export interface RareKind {
  /** What is rare among what, for people. */
  readonly about: string;
  /** Of the held-out questions. */
  readonly mixture: Mixture;
  readonly poolMixture: Mixture;
}

export const RARE_KINDS: Readonly<Record<string, RareKind>> = {
  "word-problems": {
    about: "problems of 4 steps among those of 1 to 3",
    mixture: { levels: { "4 steps": 1 }, clusters: { plain: 1 } },
    poolMixture: { levels: { "1 step": 3, "2 steps": 3, "3 steps": 3, "4 steps": 1 } },
  },
  prontoqa: {
    about: "“A wumpus is sour” among “Each wumpus is sour”, “Every wumpus is sour” and “Wumpuses are sour”",
    mixture: { clusters: { article: 1 } },
    poolMixture: { clusters: { plain: 9, article: 1 } },
  },
  algebra: {
    about: "“3 times x plus 5 equals 20” among “3x + 5 = 20”, all of level 1",
    mixture: { levels: { "level 1": 1 }, clusters: { "in words": 1 } },
    poolMixture: { clusters: { plain: 9, "in words": 1 } },
  },
  game24: {
    about: "“Make 24 from [4] [9] [10] [13]” among “Make 24 from 4 9 10 13”",
    mixture: { clusters: { "in brackets": 1 } },
    poolMixture: { clusters: { plain: 9, "in brackets": 1 } },
  },
};

/**
 * @file What each query strategy computes: the measures it needs of every seed and the
 * score it makes of them. A new strategy is an entry here and one in `strategies.ts`.
 * x a seed question, y its worked answer, ŷ the student's own greedy answer, p the
 * student's predicted distribution at one token, p₁ ≥ p₂ its two largest probabilities.
 */
import { badInput } from "../core/errors.ts";
import type { ScoreName } from "../student/types.ts";
import { isStrategyName, STRATEGIES, strategyNames, type StrategyEntry, type StrategyName } from "./strategies.ts";
import type { AnswerSource, Embedding, Measure, Picker, QueryStrategy, ScorePicker, StrategyOptions } from "./types.ts";

/** The variable parts of a strategy. */
interface Recipe {
  readonly measures: readonly Measure[];
  readonly combine?: (values: readonly number[]) => number;
  readonly embedding?: Embedding;
  /** Strategies that bring their own way of picking. */
  readonly picker?: Picker;
}

const first = ([value = 0]: readonly number[]): number => value;

/** One score of the student (or 1 − it), over the given answer unless the experiment names the other. */
function tokenScore(score: ScoreName, answer: AnswerSource, complement = false) {
  return (options: StrategyOptions): Recipe => ({
    measures: [
      {
        kind: "score",
        score,
        answer: options.answer ?? answer,
        reduction: options.reduction ?? "mean",
        ...(complement ? { complement } : {}),
      },
    ],
  });
}

const RECIPES: Readonly<Record<StrategyName, (options: StrategyOptions) => Recipe>> = {
  random: () => ({ measures: [], picker: { kind: "uniform" } }),
  /** `−1/|ŷ| Σ log p(ŷ_t)` (arXiv 2512.00884). */
  "own-loss": tokenScore("loss", "own"),
  /** `−1/|y| Σ log p(y_t)` (arXiv 2512.00884). */
  "true-loss": tokenScore("loss", "true"),
  /** `−Σ_v p(v) log p(v)` (Settles 2009, section 3.1; its token mean, as for sequences). */
  entropy: tokenScore("entropy", "own"),
  /** `1 − (p₁ − p₂)` (Scheffer et al. 2001): the lead is smallest where the student is least sure. */
  margin: tokenScore("margin", "own", true),
  /** `1 − p₁` (Lewis & Gale 1994; Culotta & McCallum 2005). */
  "least-confidence": tokenScore("leastConfidence", "own"),
  /** `‖p − onehot(y_t)‖₂` (Paul et al. 2021, arXiv 2107.07075). */
  el2n: tokenScore("el2n", "true"),
  /** `‖∂L(x, y)/∂w‖₂`, L the token mean, w the trainable parameters (GraNd, Paul et al. 2021, arXiv 2107.07075). */
  "grad-norm": tokenScore("gradNorm", "true"),
  /**
   * `L(y | x) / L(y)` (Li et al. 2024, arXiv 2308.12032), highest first; above the limit the
   * question seems not to belong to its answer, and the seed comes last.
   */
  ifd: ({ limit = 1 }) => ({
    measures: [{ kind: "score", score: "ifd", answer: "true", reduction: "mean" }],
    combine: ([ifd = 0]) => (ifd > limit ? 0 : ifd),
  }),
  /** `1[ŷ is wrong]` (LLM2LLM's criterion, arXiv 2403.15042). */
  incorrect: () => ({ measures: [{ kind: "incorrect" }] }),
  /** `L(x, y) − L_holdout(x, y)` (Mindermann et al. 2022, arXiv 2206.07137). */
  "rho-loss": ({ reduction = "mean" }) => ({
    measures: [
      { kind: "score", score: "loss", answer: "true", reduction },
      { kind: "holdoutLoss", reduction },
    ],
    combine: ([loss = 0, holdout = 0]) => loss - holdout,
  }),
  /** `1 − r(x, ŷ)`: a question that the student answers badly (the reward criterion of arXiv 2512.00884; its model is not known, the scorers are ours). */
  reward: ({ scorer = "checker" }) => ({
    measures: [{ kind: "reward", scorer }],
    combine: ([reward = 0]) => 1 - reward,
  }),
  /** `10 − j(x, ŷ)`, j the judge's score of the student's answer (arXiv 2512.00884, "hard"). */
  judge: () => ({ measures: [{ kind: "judge", of: "own" }], combine: ([score = 0]) => 10 - score }),
  /** Hard where `j(x, y) − j(x, ŷ) ≥ 1`, else easy; the picks half from each (Lion, Jiang et al. 2023, arXiv 2305.12870, section 3). */
  lion: ({ share = 0.5 }) => ({
    measures: [{ kind: "judge", of: "gap" }],
    picker: { kind: "balanced", threshold: 1, share },
  }),
  /**
   * k-means++ over `g = Σ_t (p_t − onehot(ŷ_t)) ⊗ h_t`, h the input of the output head; the first is that of
   * the largest ‖g‖ (Ash et al. 2020, arXiv 1906.03671; the sum over tokens is ours).
   */
  badge: () => ({
    measures: [],
    embedding: { kind: "badge", answer: "own" },
    picker: { kind: "k-means++", exponent: 1, first: "norm" },
  }),
  /** k-center greedy over mean final hidden states (Sener & Savarese 2018, arXiv 1708.00489); a round begins with a random seed. */
  "k-center": ({ answer = "true" }) => ({
    measures: [],
    embedding: { kind: "hidden", answer },
    picker: { kind: "k-center", exponent: 1, first: "draw" },
  }),
  /**
   * `P ∝ s^α·d²` (weighted k-means++; Zhdanov 2019, arXiv 1901.05954, who also keeps the highest scores as candidates
   * first) or `argmax s^α·d`; d the distance to the nearest seed picked.
   */
  hybrid: ({ score = "own-loss", embedding = "hidden", method = "k-means++", exponent = 1, candidates, answer }) => {
    const { measures, combine } = RECIPES[score]({});
    return {
      measures,
      ...(combine === undefined ? {} : { combine }),
      embedding: { kind: embedding, answer: answer ?? (embedding === "badge" ? "own" : "true") },
      picker: { kind: method, exponent, first: "draw", ...(candidates === undefined ? {} : { candidates }) },
    };
  },
};

/**
 * The strategy `name` with `picker` and its own `options`. Strategies that do not rank
 * (`random`, `badge`, …) bring their own way of picking: one experiment can switch strategies and keep
 * its picker setting.
 * @throws BadInputError for an unknown name, listing the known ones, and for an option that the strategy does not have or lacks.
 */
export function createStrategy(name: string, picker: ScorePicker, options: StrategyOptions = {}): QueryStrategy {
  if (!isStrategyName(name)) return badInput("strategy", `one of ${strategyNames.join(", ")}`, JSON.stringify(name));
  checkOptions(name, options);
  const recipe = RECIPES[name](options);
  return {
    name,
    description: STRATEGIES[name].description,
    measures: recipe.measures,
    combine: recipe.combine ?? first,
    ...(recipe.embedding === undefined ? {} : { embedding: recipe.embedding }),
    picker: recipe.picker ?? picker,
  };
}

/** Every option that is given belongs to the strategy; what it cannot do without is given. @throws BadInputError naming the option. */
export function checkOptions(name: StrategyName, options: StrategyOptions, where = "strategy"): void {
  const entry: StrategyEntry = STRATEGIES[name];
  for (const key of Object.keys(options) as (keyof StrategyOptions)[]) {
    if (options[key] === undefined || entry.options.includes(key)) continue;
    badInput(
      `${where}.${key}`,
      entry.options.length === 0
        ? `no such setting, because ${name} has none`
        : `one of the settings of ${name}: ${entry.options.join(", ")}`,
      JSON.stringify(options[key]),
      "Leave it out",
    );
  }
  const { requires } = entry;
  if (requires !== undefined && options[requires] === undefined)
    badInput(`${where}.${requires}`, REQUIREMENTS[requires], "nothing");
}

/** What a strategy cannot do without, in words. */
const REQUIREMENTS: Readonly<Record<NonNullable<StrategyEntry["requires"]>, string>> = {
  holdout: "the directory of a student that was trained on held-out pairs",
};

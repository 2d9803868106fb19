/** @file Why a seed was picked, or not, in words with this strategy's numbers. Pure. */
import type { ExperimentConfig } from "../../../../loop/config.ts";
import type { PoolItem } from "../../../../loop/records.ts";
import { PICKERS, STRATEGIES } from "../../../choices.ts";
import { formatCount, formatNats } from "../../../format.ts";
import type { PickInfo } from "../../../laneState.ts";

/** Place of a seed among the pool's scores, 1 the highest; undefined without scores. */
export function rankOf(item: PoolItem, pool: readonly PoolItem[]): number | undefined {
  const { score } = item;
  if (score === undefined) return undefined;
  const scores = scoresOf(pool);
  let [low, high] = [0, scores.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((scores[middle] ?? score) > score) high = middle;
    else low = middle + 1;
  }
  return 1 + scores.length - low;
}

/** Sorted scores by pool: a card opens with every seed that the pointer passes. */
const SCORES = new WeakMap<readonly PoolItem[], Float64Array>();

/** Scores of the pool's seeds, lowest first. */
function scoresOf(pool: readonly PoolItem[]): Float64Array {
  const known = SCORES.get(pool);
  if (known !== undefined) return known;
  const scores = Float64Array.from(pool.flatMap(({ score }) => (score === undefined ? [] : [score]))).sort();
  SCORES.set(pool, scores);
  return scores;
}

/** Strategies whose scores have a unit. */
const IN_NATS: ReadonlySet<string> = new Set(["own-loss", "true-loss", "entropy"]);

/** One or two sentences. `picks`: of the round of this pool, empty before they are drawn. */
export function whyPicked(
  item: PoolItem,
  pool: readonly PoolItem[],
  picks: ReadonlyMap<string, PickInfo>,
  config: Pick<ExperimentConfig, "strategy" | "querySize"> | undefined,
): string {
  const pick = picks.get(item.id);
  const of = `of ${formatCount(pool.length, "seed")}`;
  if (picks.size === 0) return "Nothing is picked yet in this round.";
  const name = config?.strategy.name ?? "";
  if (item.score === undefined) {
    if (name === "random") {
      const chance = `Every seed had the same chance: ${picks.size} ${of}.`;
      return pick === undefined ? `Not drawn. ${chance}` : `Drawn by chance, as number ${pick.order}. ${chance}`;
    }
    return pick === undefined
      ? `${name} did not pick it; it gives single seeds no score.`
      : `${name} picked it as number ${pick.order} of ${picks.size}; it gives single seeds no score.`;
  }
  const rank = pick?.rank ?? rankOf(item, pool);
  const scores = scoresOf(pool);
  const median = scores[Math.floor(scores.length / 2)];
  const meaning = Object.hasOwn(STRATEGIES, name) ? ` ${STRATEGIES[name as keyof typeof STRATEGIES]}` : "";
  const unit = IN_NATS.has(name) ? " nats" : "";
  const numbers = `Score ${formatNats(item.score)}${unit}, rank ${rank ?? "–"} ${of} (median ${formatNats(median)}${unit}).`;
  const kind = config?.strategy.picker?.kind ?? "argmax";
  const highest = picks.size === 1 ? "The highest was picked." : `The ${picks.size} highest were picked.`;
  const picker =
    kind === "argmax"
      ? pick === undefined
        ? ` ${highest}`
        : ""
      : ` Picker: ${Object.hasOwn(PICKERS, kind) ? PICKERS[kind as keyof typeof PICKERS].toLowerCase() : kind}.`;
  return `${pick === undefined ? "Not picked." : `Picked as number ${pick.order} of ${picks.size}.`} ${numbers}${picker}${meaning}`;
}

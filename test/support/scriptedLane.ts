/**
 * @file A made-up lane for tests of the page: records of the right shape and order,
 * seeded, from a student whose skill grows by rule. Nothing is trained; never shipped.
 */
import type { ExperimentConfig } from "../../src/loop/config.ts";
import { DEFAULT_EXPERIMENT } from "../../src/loop/defaults.ts";
import type { LoopRecord, Phase, PoolItem } from "../../src/loop/records.ts";
import { wilsonInterval } from "../../src/core/statistics.ts";
import { Rng } from "../../src/core/rng.ts";
import type { EngineInfo } from "../../src/runtime/types.ts";

export const SCRIPTED_ENGINE: EngineInfo = {
  ep: "wasm",
  version: "onnxruntime-web 1.30.0",
  threads: 2,
  fallbackReason: "navigator.gpu gives no adapter: this browser or its GPU has no WebGPU.",
};

/** An experiment for the scripted lanes; `changes` go over the defaults. */
export function scriptedConfig(
  changes: {
    readonly seed?: number;
    readonly rounds?: number;
    readonly querySize?: number;
    readonly strategy?: { readonly name: ExperimentConfig["strategy"]["name"] };
  } = {},
): ExperimentConfig {
  const { strategy, ...rest } = changes;
  return { ...DEFAULT_EXPERIMENT, ...rest, strategy: { ...DEFAULT_EXPERIMENT.strategy, ...strategy } };
}

const NAMES = ["Ana", "Bo", "Chen", "Dipa", "Eli"];
const THINGS = ["apples", "stickers", "shells", "coins", "pencils"];

function seedQuestion(rng: Rng, steps: number): { question: string; answer: string } {
  const name = rng.pick(NAMES);
  const thing = rng.pick(THINGS);
  let have = rng.integer(3, 40);
  let question = `${name} has ${have} ${thing}.`;
  const lines: string[] = [];
  for (let step = 0; step < steps; step++) {
    const change = rng.integer(2, 9);
    const next = step % 2 === 0 ? have + change : have * change;
    question +=
      step % 2 === 0 ? ` ${name} finds ${change} more.` : ` Then the number of ${thing} grows ${change} times.`;
    lines.push(`${have} ${step % 2 === 0 ? "+" : "*"} ${change} = ${next}`);
    have = next;
  }
  return { question: `${question} How many ${thing} does ${name} have?`, answer: `${lines.join("\n")}\n#### ${have}` };
}

/** All records of one scripted run. */
export function* scriptedLane(config: ExperimentConfig, runId: string): Generator<LoopRecord, void, void> {
  const root = new Rng(config.seed).fork("scripted");
  const seeds = Array.from({ length: config.task.pool }, (_, index) => {
    const steps = 1 + (index % 3);
    const own = root.fork(`seed ${index}`);
    return {
      id: `pool-${index}`,
      level: `${steps} ${steps === 1 ? "step" : "steps"}`,
      hardness: steps * 0.45 + own.uniform() * 0.9,
      ...seedQuestion(own, steps),
    };
  });
  const phase = (
    round: number,
    name: Phase,
    state: "start" | "progress" | "end",
    done: number,
    total: number,
  ): LoopRecord => ({ type: "phase", round, phase: name, state, done, total });
  const strategy = config.strategy.name;
  yield {
    type: "run",
    runId,
    config,
    engine: SCRIPTED_ENGINE,
    student: { name: "builtin", parameters: 1_240_000, trainable: 1_240_000 },
    resumedAtRound: 0,
  };
  let skill = 0;
  let examples = 0;
  for (let round = 0; round <= config.rounds; round++) {
    const rng = root.fork(`${strategy} round ${round}`);
    let accepted = 0;
    let rejected = 0;
    let steps = 0;
    let poolAccuracy: number | null = null;
    let lossSum = 0;
    if (round > 0) {
      const passes = seeds.length * 3;
      yield phase(round, "score", "start", 0, passes);
      for (let done = 40; done < passes; done += 40) yield phase(round, "score", "progress", done, passes);
      const items = seeds.map((seed): PoolItem => {
        const noise = root.fork(`noise ${round} ${seed.id}`).uniform();
        const loss = Math.max(0.004, (seed.hardness - skill * 0.6) * (0.3 + noise));
        const correct = noise > seed.hardness * 0.55 - skill * 0.3;
        const digits = /#### (\d+)/.exec(seed.answer)?.[1] ?? "";
        return {
          id: seed.id,
          question: seed.question,
          answer: seed.answer,
          level: seed.level,
          ownAnswer: correct ? seed.answer : seed.answer.replace(/#### \d+/, `#### ${Number(digits) + 3}`),
          correct,
          ownLoss: loss * 0.4,
          trueLoss: correct ? loss * 0.5 : loss * 1.6,
        };
      });
      yield { type: "pool", round, items };
      yield phase(round, "score", "end", passes, passes);
      poolAccuracy = items.filter(({ correct }) => correct).length / items.length;
      yield phase(round, "select", "start", 0, config.querySize);
      const scoreOf = (item: PoolItem): number => (strategy === "true-loss" ? item.trueLoss : item.ownLoss) ?? 0;
      const ordered =
        strategy === "random"
          ? [...items].sort((a, b) => rng.fork(a.id).uniform() - rng.fork(b.id).uniform())
          : [...items].sort((a, b) => scoreOf(b) - scoreOf(a));
      const picks = ordered.slice(0, config.querySize).map((item, index) => ({
        seedId: item.id,
        score: strategy === "random" ? null : scoreOf(item),
        rank: strategy === "random" ? null : index + 1,
      }));
      yield { type: "picks", round, picks };
      yield phase(round, "select", "end", picks.length, config.querySize);
      const pairs = picks.flatMap((pick) =>
        Array.from({ length: config.perSeed }, (_, k) => ({ pick, id: `r${round}-${pick.seedId}-${k}`, k })),
      );
      yield phase(round, "teach", "start", 0, pairs.length);
      for (let done = 4; done < pairs.length; done += 4) yield phase(round, "teach", "progress", done, pairs.length);
      yield phase(round, "teach", "end", pairs.length, pairs.length);
      yield phase(round, "verify", "start", 0, pairs.length);
      for (const [index, { pick, id }] of pairs.entries()) {
        const own = rng.fork(id);
        const good = own.uniform() > 0.06;
        const operation = own.pick(["simplify", "complicate", "vary"] as const);
        const made = seedQuestion(own, own.integer(1, 3));
        if (good) accepted++;
        else rejected++;
        yield {
          type: "example",
          example: {
            id,
            round,
            seedId: pick.seedId,
            operation,
            ...made,
            ...(pick.score === null ? {} : { seedScore: pick.score }),
            ...(pick.rank === null ? {} : { seedRank: pick.rank }),
            accepted: good,
            verification: good ? "passed" : "failed",
            reason: good
              ? "The final answer and every step agree with the solver."
              : "The answer says 41, the solver says 44.",
            usage: { requests: 2, promptTokens: 60, completionTokens: 45, costUsd: 0, durationMs: 1 },
          },
        };
        if (index % 8 === 0) yield phase(round, "verify", "progress", index, pairs.length);
      }
      yield phase(round, "verify", "end", pairs.length, pairs.length);
      examples += accepted;
      steps = Math.ceil((examples * 1.5 * config.training.epochs) / config.training.batchSize);
      yield phase(round, "train", "start", 0, steps);
      for (let step = 1; step <= steps; step++) {
        const loss = 0.12 + 0.9 * Math.exp(-step / (8 + round * 4)) * (0.8 + 0.4 * rng.uniform());
        lossSum += loss;
        yield {
          type: "step",
          round,
          totalSteps: steps,
          step,
          loss,
          gradNorm: 1,
          lr: 3e-4,
          tokens: 1400,
          tokensPerSecond: 5200 + 600 * rng.uniform(),
        };
        yield phase(round, "train", "progress", step, steps);
      }
      yield phase(round, "train", "end", steps, steps);
      skill += strategy === "random" ? 0.22 : 0.26;
    }
    const { test: n } = config.task;
    yield phase(round, "evaluate", "start", 0, n);
    for (let done = 32; done < n; done += 32) yield phase(round, "evaluate", "progress", done, n);
    const accuracy = Math.min(
      0.95,
      0.38 +
        0.3 * (1 - Math.exp(-skill)) +
        0.06 * (root.fork(`accuracy ${strategy} ${round}`).uniform() - 0.5) * (round === 0 ? 0 : 1),
    );
    const correct = Math.round(accuracy * n);
    yield phase(round, "evaluate", "end", n, n);
    yield {
      type: "round",
      summary: {
        round,
        examples,
        accepted,
        rejected,
        teacher: {
          requests: 2 * (accepted + rejected),
          promptTokens: 60 * (accepted + rejected),
          completionTokens: 45 * (accepted + rejected),
          costUsd: 0,
          durationMs: accepted,
        },
        evaluation: {
          split: "test",
          n,
          correct,
          accuracy: correct / n,
          ...wilsonInterval(correct, n),
          byLevel: byLevelOf(correct, n),
        },
        meanLoss: steps === 0 ? null : lossSum / steps,
        steps,
        poolAccuracy,
        durationMs: 7300 + 900 * round,
      },
    };
  }
  yield { type: "done", rounds: config.rounds };
}

/** Splits a count over three levels, easy ones first. */
function byLevelOf(correct: number, n: number): Record<string, { n: number; correct: number }> {
  const third = Math.floor(n / 3);
  const first = Math.min(third, Math.round(correct * 0.5));
  const second = Math.min(third, Math.round(correct * 0.33));
  return {
    "1 step": { n: third, correct: first },
    "2 steps": { n: third, correct: second },
    "3 steps": { n: n - 2 * third, correct: correct - first - second },
  };
}

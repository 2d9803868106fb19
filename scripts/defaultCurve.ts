/**
 * @file `npm run curve`: the default experiment over several seeds and both of the page's
 * strategies, as the tables of the README: the curves, and the
 * differences paired by seed. Each run's figures go to stderr as they come.
 * `--seeds 1,2,3`, `--strategies random,own-loss`, `--ep cpu|wasm`, `--threads N`, `--svg FILE` to draw them too.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { closedLoop } from "../src/loop/closedLoop.ts";
import { parseExperimentConfig } from "../src/loop/parseConfig.ts";
import type { RoundSummary } from "../src/loop/records.ts";
import { directorySource } from "../src/formats/node/directorySource.ts";
import { createEngine } from "../src/runtime/createEngine.ts";
import { MemoryLibrary } from "../src/storage/memory.ts";
import { openStudent } from "../src/student/student.ts";
import { createTask } from "../src/tasks/registry.ts";
import { createTeacher } from "../src/teacher/registry.ts";
import type { CurvePoint } from "./curveFigure.ts";
import { curveFigure } from "./curveFigure.ts";

/** Two-sided 95 % quantiles of Student's t by degrees of freedom. */
const T_95 = [Number.NaN, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3,4,5" },
    strategies: { type: "string", default: "random,own-loss" },
    ep: { type: "string", default: "cpu" },
    threads: { type: "string" },
    svg: { type: "string" },
  },
});
const seeds = values.seeds.split(",").map(Number);
const engine = await createEngine(
  values.ep === "wasm" ? "wasm" : "cpu",
  values.threads === undefined ? {} : { threads: Number(values.threads) },
);
process.stdout.write(
  `| strategy | ${["round", "synthetic pairs", "test accuracy, mean", "95 % interval of the mean"].join(" | ")} |\n|---|---|---|---|---|\n`,
);
const all = new Map<string, RoundSummary[][]>();
const points = new Map<string, CurvePoint[]>();
for (const strategy of values.strategies.split(",")) {
  const runs: RoundSummary[][] = [];
  for (const seed of seeds) {
    const config = parseExperimentConfig({ seed, strategy: { name: strategy } });
    const student = await openStudent(engine, {
      source: directorySource("public/student"),
      method: config.training.method,
      seed,
    });
    const task = createTask(config.task.name);
    const store = await new MemoryLibrary().open(`${strategy} ${seed}`);
    const rounds: RoundSummary[] = [];
    for await (const record of closedLoop(config, {
      student,
      task,
      teacher: await createTeacher(config.teacher, task),
      store,
    })) {
      if (record.type === "round") rounds.push(record.summary);
    }
    await student.dispose();
    runs.push(rounds);
    process.stderr.write(
      `${strategy} seed ${seed}: ${rounds.map(({ examples, evaluation, durationMs }) => `${examples} ${(100 * evaluation.accuracy).toFixed(1)} % (${(durationMs / 1000).toFixed(0)} s)`).join(", ")}\n`,
    );
  }
  all.set(strategy, runs);
  const curve = (runs[0] ?? []).map((_, round): CurvePoint => {
    const at = runs.flatMap((run) => run[round] ?? []);
    return { pairs: mean(at.map(({ examples }) => examples)), ...interval(at.map(accuracyOf)) };
  });
  points.set(strategy, curve);
  curve.forEach(({ pairs, mean: center, low, high }, round) =>
    process.stdout.write(
      `| ${strategy} | ${round} | ${pairs.toFixed(0)} | ${center.toFixed(1)} % | ${low.toFixed(1)} to ${high.toFixed(1)} % |\n`,
    ),
  );
}
const [first, ...others] = [...all];
for (const [strategy, runs] of others) {
  process.stdout.write(
    `\n| round | ${strategy} minus ${first?.[0]}, mean over seeds | 95 % interval of the mean |\n|---|---|---|\n`,
  );
  runs[0]?.slice(1).forEach(({ round }) => {
    const differences = runs.flatMap((run, i) => {
      const [own, other] = [run[round], first?.[1][i]?.[round]];
      return own === undefined || other === undefined ? [] : accuracyOf(own) - accuracyOf(other);
    });
    const { mean: center, low, high } = interval(differences);
    process.stdout.write(
      `| ${round} | ${center.toFixed(1)} points | ${low.toFixed(1)} to ${high.toFixed(1)} points |\n`,
    );
  });
}
if (values.svg !== undefined) {
  const questions = [...all.values()][0]?.[0]?.[0]?.evaluation.n ?? 0;
  writeFileSync(
    values.svg,
    curveFigure(
      [...points].map(([name, curve]) => ({ name, points: curve })),
      `Test accuracy, mean of ${seeds.length} seeds with ${questions} questions each, 95 % interval of the mean`,
    ),
  );
}
await engine.dispose();
process.exit(0);

function accuracyOf({ evaluation }: RoundSummary): number {
  return 100 * evaluation.accuracy;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
}

/** Mean, and the ends of its 95 % interval by Student's t. */
function interval(numbers: readonly number[]): Pick<CurvePoint, "mean" | "low" | "high"> {
  const center = mean(numbers);
  const deviation = Math.sqrt(numbers.reduce((sum, x) => sum + (x - center) ** 2, 0) / Math.max(1, numbers.length - 1));
  const half = ((T_95[numbers.length - 1] ?? 1.96) * deviation) / Math.sqrt(numbers.length);
  return { mean: center, low: center - half, high: center + half };
}

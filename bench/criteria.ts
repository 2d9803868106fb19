/**
 * @file `npm run bench:criteria`: what each query strategy costs, from the untouched built-in
 * student to the picks: own answers, scores, judgements, distances. Prints a table; the first
 * use of a graph is part of a figure. `--pool N`, `--strategies a,b`, `--ep cpu|wasm`, `--threads N`.
 */
import { parseArgs } from "node:util";
import { closedLoop } from "../src/loop/closedLoop.ts";
import { parseExperimentConfig } from "../src/loop/parseConfig.ts";
import { directorySource } from "../src/formats/node/directorySource.ts";
import { createEngine } from "../src/runtime/createEngine.ts";
import { strategyNames } from "../src/selection/strategies.ts";
import { MemoryLibrary } from "../src/storage/memory.ts";
import { openStudent } from "../src/student/student.ts";
import { createTask } from "../src/tasks/registry.ts";
import { createTeacher } from "../src/teacher/registry.ts";

const { values } = parseArgs({
  options: {
    pool: { type: "string", default: "1000" },
    strategies: { type: "string", default: strategyNames.join() },
    ep: { type: "string", default: "cpu" },
    threads: { type: "string", default: "1" },
  },
});
const pool = Number(values.pool);
const engine = await createEngine(values.ep === "wasm" ? "wasm" : "cpu", { threads: Number(values.threads) });
const open = () => openStudent(engine, { source: directorySource("public/student"), seed: 1 });
const student = await open();

/** From the start of phase "score" to the end of phase "select". */
async function measure(name: string): Promise<{ readonly wallMs: number; readonly cpuMs: number }> {
  const config = parseExperimentConfig({
    task: { pool, validation: 0, test: 1 },
    rounds: 1,
    querySize: Math.min(75, pool),
    strategy: { name, ...(name === "rho-loss" ? { holdout: "public/student" } : {}) },
  });
  const task = createTask(config.task.name);
  const records = closedLoop(config, {
    student,
    openHoldout: open,
    task,
    teacher: await createTeacher(config.teacher, task),
    store: await new MemoryLibrary().open(name),
  });
  let startedMs = 0;
  let cpu = process.cpuUsage();
  for await (const record of records) {
    if (record.type !== "phase" || record.round === 0) continue;
    if (record.phase === "score" && record.state === "start") {
      startedMs = performance.now();
      cpu = process.cpuUsage();
    }
    if (record.phase === "select" && record.state === "end") break;
  }
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - startedMs, cpuMs: (user + system) / 1000 };
}

process.stdout.write(
  `${engine.info.version} ${engine.ep}, ${engine.info.threads} threads, pool of ${pool}\n\n| strategy | seconds | CPU seconds |\n|---|---|---|\n`,
);
for (const name of values.strategies.split(",")) {
  const { wallMs, cpuMs } = await measure(name);
  process.stdout.write(`| ${name} | ${(wallMs / 1000).toFixed(1)} | ${(cpuMs / 1000).toFixed(1)} |\n`);
}
await student.dispose();
await engine.dispose();

/**
 * @file What the training of an experiment will need of memory, before anything is opened: the
 * student's graphs for batches of the pool's own worked answers, which the pairs to come
 * resemble. An estimate of the training phase alone, in its largest batch.
 */
import { chooseMemory } from "../student/memoryPlan.ts";
import type { StudentDescription } from "../student/student.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import type { Task } from "../tasks/types.ts";
import type { MemoryForecast } from "../protocol/loopService.ts";
import type { ExperimentConfig } from "./config.ts";
import { splitsOf } from "./splitsOf.ts";

/** Seeds looked at: enough for the longest to be among them, few enough to be quick. */
const SAMPLE = 200;

/** The forecast for one lane. @throws TutelageError out-of-memory, with what would fit. */
export function estimateMemory(
  config: ExperimentConfig,
  task: Task,
  { blueprint, encodeAll }: StudentDescription,
  ep: ExecutionProvider,
): MemoryForecast {
  const { method: _, ...training } = config.training;
  const rows = splitsOf(task, config)
    .pool.slice(0, SAMPLE)
    .map((seed) => ({ id: seed.id, prompt: task.prompt(seed.question), completion: task.completion(seed) }));
  const { estimate, gradientCheckpointing } = chooseMemory(
    blueprint,
    encodeAll(rows, true),
    { ...training, shuffle: true, seed: config.seed },
    ep,
    { checkpointing: "auto" },
  );
  const parameters = blueprint.decoder.parameters.reduce(
    (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
    0,
  );
  return { ep, parameters, bytes: estimate, gradientCheckpointing };
}

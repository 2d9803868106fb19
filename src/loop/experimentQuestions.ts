/**
 * @file What a person asks about an experiment before it runs: a test of its teacher, its cost,
 * its memory, some of its questions. Opens no student and no run.
 */
import { invariant } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import type { DownloadProgress } from "../hub/types.ts";
import type { MemoryForecast, SampleQuestion, TestTeacherRequest } from "../protocol/loopService.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import { checkTeacher } from "../teacher/checkTeacher.ts";
import type { TeacherCheck, TeacherEstimate } from "../teacher/types.ts";
import { bothLanes, estimateRun } from "./estimate.ts";
import { estimateMemory } from "./estimateMemory.ts";
import type { LoopServiceDeps, RaceEngine } from "./openLane.ts";
import { parseExperimentConfig } from "./parseConfig.ts";
import { splitsOf } from "./splitsOf.ts";

type Deps<E extends RaceEngine> = LoopServiceDeps<E>;

/** Every kind of call of the loop, once, with what came of it. */
export async function testTeacher<E extends RaceEngine>(
  deps: Pick<Deps<E>, "createTask" | "createTeacher">,
  { experiment, teacherKey }: TestTeacherRequest,
  onProgress: (progress: DownloadProgress) => void,
  signal: AbortSignal,
): Promise<readonly TeacherCheck[]> {
  const config = parseExperimentConfig(experiment);
  const task = await deps.createTask(config);
  const rng = new Rng(config.seed);
  const [seed] = task.splits({ pool: 1, validation: 0, test: 0 }, rng.fork("splits")).pool;
  invariant(seed !== undefined, "a task has questions");
  const teacher = await deps.createTeacher(config, task, teacherKey);
  try {
    const model = await teacher.prepare?.({ onProgress, signal });
    const checks: TeacherCheck[] = [];
    for await (const check of checkTeacher(teacher, task, seed, rng.fork("test"), signal))
      checks.push(checks.length === 0 && model !== undefined ? { ...check, model } : check);
    return checks;
  } finally {
    teacher.close?.();
  }
}

/** What the teachers of these experiments will cost together; null where none costs anything. */
export async function estimateTeachers<E extends RaceEngine>(
  deps: Pick<Deps<E>, "createTask">,
  experiments: readonly unknown[],
): Promise<TeacherEstimate | null> {
  const lanes: TeacherEstimate[] = [];
  for (const experiment of experiments) {
    const config = parseExperimentConfig(experiment);
    const estimate = estimateRun(config, await deps.createTask(config));
    if (estimate !== undefined) lanes.push(estimate);
  }
  return lanes.length === 0 ? null : lanes.reduce(bothLanes);
}

/** The first validation questions; of a run that has none (own data are not spent on them) the first test questions. Never of the pool. */
export async function sampleValidation<E extends RaceEngine>(
  deps: Pick<Deps<E>, "createTask">,
  experiment: unknown,
  count: number,
): Promise<readonly SampleQuestion[]> {
  const config = parseExperimentConfig(experiment);
  const { validation, test } = splitsOf(await deps.createTask(config), config);
  return (validation.length > 0 ? validation : test)
    .slice(0, count)
    .map(({ question, answer, level }) => ({ question, answer, level }));
}

/** Memory that the experiment will need; null for a student that is not at hand. */
export async function forecastMemory<E extends RaceEngine>(
  deps: Pick<Deps<E>, "createTask" | "describeStudent">,
  experiment: unknown,
  ep: ExecutionProvider,
): Promise<MemoryForecast | null> {
  const config = parseExperimentConfig(experiment);
  const description = await deps.describeStudent?.(config);
  if (description === undefined) return null;
  return estimateMemory(config, await deps.createTask(config), description, ep);
}

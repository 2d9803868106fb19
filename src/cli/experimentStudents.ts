/** @file The students that an experiment names, on the command line: their places made whole, the holdout student opened. */
import type { ExperimentConfig } from "../loop/config.ts";
import type { FileSource } from "../formats/fileSource.ts";
import type { Engine } from "../runtime/types.ts";
import { openStudent } from "../student/student.ts";
import type { Student } from "../student/types.ts";
import type { Output } from "./output.ts";
import { openAdapterSource, openStudentSource, pinAdapter, pinStudent } from "./studentSource.ts";

/** The student that `strategy.holdout` names. */
export async function openHoldout(
  { strategy, seed, task }: ExperimentConfig,
  engine: Engine,
  output: Output,
): Promise<Student> {
  const { holdout = "" } = strategy;
  const source = await openStudentSource(holdout, output, task.name);
  const onWarning = (message: string): void => output.note(`warning: holdout: ${message}`);
  return openStudent(engine, { source, seed, onWarning });
}

/** The student that the experiment trains, of the files in `source`, with its adapter. */
export async function openExperimentStudent(
  { adapter, training: { method }, seed }: ExperimentConfig,
  engine: Engine,
  source: FileSource,
  output: Output,
): Promise<Student> {
  return openStudent(engine, {
    source,
    ...(adapter === undefined ? {} : { adapter: await openAdapterSource(adapter, output) }),
    method,
    seed,
    onWarning: (message) => output.note(`warning: ${message}`),
  });
}

/** The experiment with its students' places whole. `base`: the folder that an option's relative path counts from. */
export async function pinStudents(
  config: ExperimentConfig,
  base: (option: string) => string,
  output: Output,
): Promise<ExperimentConfig> {
  const { student, adapter, strategy } = config;
  return {
    ...config,
    // Small, and found wrong before a student is fetched.
    ...(adapter === undefined ? {} : { adapter: await pinAdapter(adapter, base("adapter"), output) }),
    student: await pinStudent(student, base("student"), output),
    strategy:
      strategy.holdout === undefined
        ? strategy
        : { ...strategy, holdout: await pinStudent(strategy.holdout, base("holdout"), output) },
  };
}

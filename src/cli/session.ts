/** @file What every engine command does first: choose the provider, say so, open the student; and release all at the end. */
import { resolve } from "node:path";
import { badInput } from "../core/errors.ts";
import { readTextFile } from "../formats/node/directorySource.ts";
import { createEngine } from "../runtime/createEngine.ts";
import type { Engine, ExecutionProvider } from "../runtime/types.ts";
import { deviceSelfTest } from "../student/deviceSelfTest.ts";
import { openStudent, type LanguageModel, type OpenStudentOptions } from "../student/student.ts";
import type { TrainMethod } from "../student/types.ts";
import type { Options } from "./options.ts";
import type { Output } from "./output.ts";
import { openAdapterSource, openStudentSource } from "./studentSource.ts";

const PROVIDERS = ["cpu", "wasm", "webgpu"] as const satisfies readonly ExecutionProvider[];

/** The engine that `--ep` and `--threads` ask for; its name goes to stderr. */
export async function openEngine(options: Options, output: Output): Promise<Engine> {
  const ep = options.given("ep") ? options.choice("ep", PROVIDERS) : "auto";
  const threads = options.given("threads") ? { threads: options.integer("threads", { min: 1, max: 256 }) } : {};
  const engine = await createEngine(ep, { ...threads, selfTest: deviceSelfTest });
  const { info } = engine;
  output.note(
    `engine: ${info.ep} (${info.version}${info.adapter ? `, ${info.adapter}` : `, ${info.threads} threads`})${info.selfTest ? `; self-test: ${info.selfTest}` : ""}${info.fallbackReason ? `; ${info.fallbackReason}` : ""}`,
  );
  return engine;
}

/** Runs `body` with the student that `--student` and `--adapter` name; everything is released afterwards. */
export async function withStudent<T>(
  options: Options,
  output: Output,
  method: TrainMethod | undefined,
  body: (student: LanguageModel, engine: Engine) => Promise<T>,
  prepare: (engine: Engine) => Pick<OpenStudentOptions, "frozenWeights" | "beforeUpload"> = () => ({}),
): Promise<T> {
  const source = await openStudentSource(options.requiredText("student"), output);
  const adapter = options.given("adapter")
    ? await openAdapterSource(options.requiredText("adapter"), output)
    : undefined;
  const engine = await openEngine(options, output);
  try {
    const student = await openStudent(engine, {
      source,
      ...(adapter === undefined ? {} : { adapter }),
      ...(method === undefined ? {} : { method }),
      ...(options.given("onnx") ? { onnx: options.requiredText("onnx") } : {}),
      seed: options.integer("seed"),
      ...prepare(engine),
      onWarning: (message) => output.note(`warning: ${message}`),
    });
    try {
      return await body(student, engine);
    } finally {
      await student.dispose();
    }
  } finally {
    await engine.dispose();
  }
}

/** The directory that `--out` names. The input is never replaced by what was made of it. @throws BadInputError where it would be. */
export function parseOut(options: Options): string {
  const out = options.requiredText("out");
  for (const name of ["student", "adapter"]) {
    const input = options.text(name);
    if (input !== undefined && resolve(input) === resolve(out))
      badInput("--out", `another directory than --${name}`, out);
  }
  return out;
}

/** A data file as text. @throws BadInputError naming the option's file. */
export async function readDataFile(
  options: Options,
  name: string,
): Promise<{ readonly text: string; readonly path: string }> {
  const path = options.requiredText(name);
  return { text: await readTextFile(path), path };
}

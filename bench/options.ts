/** @file Command-line options of the bench. */
import { parseArgs } from "node:util";
import { badInput } from "../src/core/errors.ts";
import type { ExecutionProvider } from "../src/runtime/types.ts";
import { MODEL_NAMES, type ModelName } from "./models.ts";

export interface BenchOptions {
  readonly models: readonly ModelName[];
  /** Providers of ours to run. */
  readonly eps: readonly ExecutionProvider[];
  readonly rounds: number;
  /** Other libraries too. */
  readonly others: boolean;
  readonly browser: boolean;
  readonly json: boolean;
  readonly padding: boolean;
}

export const HELP = `npm run bench -- [options]

Times a training step (gradients, clipping, AdamW) and scoring of the same random
models in this project, jax-js, TensorFlow.js and PyTorch, in turns in one run.

  --only M,S,tiny   models (default: all)
  --ep cpu,wasm     providers of this project (default: cpu, wasm; webgpu where a
                    hardware adapter is found)
  --webgpu          webgpu even on a software adapter (slow, and says nothing about GPUs)
  --repeat N        rounds; medians over them are printed (default 9)
  --no-others       only this project
  --no-browser      nothing in a browser: jax-js and TensorFlow.js, which run there, are skipped
  --no-padding      skip the padding of word problems
  --json            JSON lines on stdout
  --help            this text

docs/performance.md says what the figures mean.
`;

const DEFAULT_ROUNDS = 9;
const EPS: readonly ExecutionProvider[] = ["cpu", "wasm", "webgpu"];

/** @param hardwareGpu whether webgpu is on by default. */
export function parseOptions(args: readonly string[], hardwareGpu: boolean): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      only: { type: "string" },
      ep: { type: "string" },
      webgpu: { type: "boolean", default: hardwareGpu },
      repeat: { type: "string", default: String(DEFAULT_ROUNDS) },
      others: { type: "boolean", default: true },
      browser: { type: "boolean", default: true },
      padding: { type: "boolean", default: true },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const rounds = Number(values.repeat);
  if (!Number.isInteger(rounds) || rounds < 1) badInput("--repeat", "a positive whole number", values.repeat);
  const eps =
    values.ep === undefined ? EPS.filter((ep) => ep !== "webgpu" || values.webgpu) : list("--ep", values.ep, EPS);
  return {
    models: values.only === undefined ? MODEL_NAMES : list("--only", values.only, MODEL_NAMES),
    eps,
    rounds,
    others: values.others,
    browser: values.browser,
    json: values.json,
    padding: values.padding,
  };
}

function list<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  return text.split(",").map((item) => known.find((name) => name === item) ?? badInput(option, known.join(", "), item));
}

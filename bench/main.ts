/** @file The bench from options to tables: who takes part, verification, timing, report. */
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { BadInputError } from "../src/core/errors.ts";
import { hasHardwareGpu, useSoftwareVulkan } from "../scripts/findChrome.mjs";
import { note, ROOT } from "../scripts/setup.mjs";
import { BrowserHost } from "./browser/host.ts";
import type { ContenderName } from "./contender.ts";
import { measure } from "./measure.ts";
import { MODELS, type ModelName } from "./models.ts";
import { openNodeLine } from "./node/host.ts";
import { describePadding, measurePadding } from "./padding.ts";
import { HELP, parseOptions, type BenchOptions } from "./options.ts";
import { describeModel, figuresOf, tableOf } from "./report.ts";
import { Seat, type HostName } from "./seat.ts";
import { findTorchPython, openTorchLine } from "./torch/host.ts";
import { verify } from "./verify.ts";

/** Exit status: 0 done, 1 contenders disagree or fail, 2 bad options. */
export async function main(args: readonly string[]): Promise<number> {
  let options: BenchOptions | "help";
  try {
    options = parseOptions(args, hasHardwareGpu());
  } catch (error) {
    if (!(error instanceof BadInputError) && !(error instanceof TypeError)) throw error;
    note(`bench: ${error.message}`);
    return 2;
  }
  if (options === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  useSoftwareVulkan();
  const browser = options.browser ? await BrowserHost.open() : undefined;
  if (options.browser && browser === undefined)
    note("no Chrome, Chromium or Edge found: nothing is measured in a browser, jax-js and TensorFlow.js are skipped");
  const python = options.others ? findTorchPython() : undefined;
  if (options.others && python === undefined)
    note("no Python with torch found: PyTorch is skipped (Debian: apt-get install python3-torch)");
  const print = (value: Record<string, unknown>, text: string): void => {
    process.stdout.write(`${options.json ? JSON.stringify(value) : text}\n`);
  };
  try {
    const machine = describeMachine(browser);
    print({ type: "machine", ...machine }, Object.values(machine).join("; "));
    for (const name of options.models) {
      const figures = await benchModel(name, options, browser, python);
      if (options.json) for (const row of figures) print({ ...row }, "");
      else print({}, `\n${describeModel(MODELS[name])}\n${tableOf(figures)}`);
    }
    if (options.padding) {
      const figures = await measurePadding();
      print({ ...figures }, `\n${describePadding(figures)}`);
    }
  } finally {
    await browser?.close();
  }
  return 0;
}

async function benchModel(
  name: ModelName,
  options: BenchOptions,
  browser: BrowserHost | undefined,
  python: string | undefined,
) {
  const seats: Seat[] = [];
  try {
    for (const [contender, host] of takePart(options, browser !== undefined, python !== undefined)) {
      const line =
        contender === "torch"
          ? openTorchLine(python ?? "", name)
          : host === "node"
            ? openNodeLine()
            : await browser?.openLine();
      if (line === undefined) continue;
      try {
        seats.push(await Seat.open({ contender, model: name }, host, line));
      } catch (error) {
        await line.end();
        throw error;
      }
    }
    await verify(seats);
    note(`${name}: ${seats.length} contenders agree on the first steps; timing ${options.rounds} rounds`);
    const rows = await measure(seats, options.rounds, (round) => note(`${name}: round ${round} of ${options.rounds}`));
    return figuresOf(MODELS[name], rows);
  } finally {
    for (const seat of seats) await seat.close();
  }
}

/** Who is measured, and where. The first is what the others are verified against. */
function takePart(
  { eps, others }: BenchOptions,
  browser: boolean,
  torch: boolean,
): (readonly [ContenderName, HostName])[] {
  const wanted: (readonly [ContenderName, HostName])[] = [];
  if (eps.includes("cpu")) wanted.push(["cpu", "node"]);
  if (eps.includes("wasm")) wanted.push(["wasm", "node"], ["wasm1", "node"]);
  if (browser && eps.includes("wasm")) wanted.push(["wasm", "browser"]);
  if (eps.includes("webgpu")) wanted.push(["webgpu", browser ? "browser" : "node"]);
  if (others && torch) wanted.push(["torch", "node"]);
  if (others && browser) wanted.push(["jax", "browser"], ["tensorflow", "browser"]);
  return wanted;
}

function describeMachine(browser: BrowserHost | undefined): Record<string, string> {
  const version = (name: string): string => {
    const manifest: unknown = JSON.parse(readFileSync(join(ROOT, "node_modules", name, "package.json"), "utf8"));
    return `${name} ${String((manifest as { readonly version?: unknown }).version)}`;
  };
  const [processor] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} x ${processor?.model ?? "unknown processor"}, load ${loadavg()[0]?.toFixed(1) ?? "?"} at the start`,
    software: [
      `Node ${process.versions.node}`,
      browser?.version,
      version("@jax-js/jax"),
      version("@tensorflow/tfjs-backend-wasm"),
    ]
      .filter((item) => item !== undefined)
      .join(", "),
  };
}

/** @file PyTorch on the CPU as a contender, where a Python with torch is found; `service.py` answers the same requests. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { batchOf, decoderOf, MODELS, RMS_EPSILON, ROPE_THETA, STEP, weightsOf, type ModelName } from "../models.ts";
import type { Line } from "../seat.ts";
import type { Reply, Request } from "../service.ts";

const SERVICE = fileURLToPath(new URL("./service.py", import.meta.url));

/** The first Python that can import torch: `PYTHON`, the one on the path, the system's. */
export function findTorchPython(): string | undefined {
  const candidates = [process.env["PYTHON"], "python3", "/usr/bin/python3"].filter((program) => program !== undefined);
  return candidates.find((program) => spawnSync(program, ["-c", "import torch"], { stdio: "ignore" }).status === 0);
}

/** A Python process that holds the model; weights and batch go through a temporary folder. */
export function openTorchLine(python: string, name: ModelName): Line {
  const model = MODELS[name];
  const decoder = decoderOf(model);
  const weights = weightsOf(decoder);
  const folder = mkdtempSync(join(tmpdir(), "tutelage-bench-"));
  const { ids, targets } = batchOf(model);
  const parameters = decoder.parameters.map(({ name: parameter, shape, decay }) => ({ name: parameter, shape, decay }));
  writeFileSync(
    join(folder, "problem.json"),
    JSON.stringify({
      model,
      parameters,
      epsilon: RMS_EPSILON,
      theta: ROPE_THETA,
      step: STEP,
      ids: [...ids],
      targets: [...targets],
    }),
  );
  writeFileSync(
    join(folder, "weights.bin"),
    Buffer.concat(
      parameters.map((parameter) => Buffer.from((weights.get(parameter.name) ?? new Float32Array()).buffer)),
    ),
  );

  const child = spawn(python, [SERVICE, folder], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting: ((reply: Reply) => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.(JSON.parse(line) as Reply));
  child.on("exit", (code) =>
    waiting
      .splice(0)
      .forEach((answer) => answer({ type: "failed", message: `python ended with status ${String(code)}` })),
  );
  return {
    ask: (request: Request) =>
      new Promise((resolve) => {
        waiting.push(resolve);
        child.stdin.write(`${JSON.stringify(request)}\n`);
      }),
    end: async () => {
      child.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * @file `npm run check`: the type checker once per group of layers, the linter (layer
 * rules and import cycles included), and the format. Every step runs even when an
 * earlier one failed; status 1 when any did.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { note, ROOT, setUp } from "./setup.mjs";

setUp();
const STEPS = [
  { name: "types", program: "typescript/bin/tsc", args: ["-b", "tsconfig.layers.json", "tsconfig.json"] },
  {
    name: "lint, layers, cycles",
    program: "oxlint/bin/oxlint",
    args: [
      "-c",
      "oxlint.config.mjs",
      "--type-aware",
      "--deny-warnings",
      "--report-unused-disable-directives-severity=error",
    ],
  },
  { name: "format", program: "oxfmt/bin/oxfmt", args: ["--check"] },
];

const failed = STEPS.filter(({ name, program, args }) => {
  const startedMs = performance.now();
  const result = spawnSync(process.execPath, [join(ROOT, "node_modules", program), ...args], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const passed = result.status === 0;
  note(`${name}: ${passed ? "ok" : "FAILED"} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
  return !passed;
});
process.exit(failed.length === 0 ? 0 : 1);

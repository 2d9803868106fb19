#!/usr/bin/env node
/**
 * @file `npm run bench`: how fast a training step and scoring are, measured in one run
 * beside other libraries. Sets the checkout up and runs `main.ts` through tsx. What it
 * prints is explained in `docs/performance.md`.
 */
import { join } from "node:path";
import { register } from "tsx/esm/api";
import { note, ROOT, setUp } from "../scripts/setup.mjs";

setUp();
register({ tsconfig: join(ROOT, "tsconfig.json") });
const { main } = await import("./main.ts");
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  note(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}

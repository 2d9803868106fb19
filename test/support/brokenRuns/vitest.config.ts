/** @file A run that hangs, for the test of the reporter that ends it. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["*.stall.ts"],
    pool: "forks",
    testTimeout: 1000,
    reporters: ["default", ["../../../scripts/stallReporter.mjs", { limitMs: 3000 }]],
  },
});

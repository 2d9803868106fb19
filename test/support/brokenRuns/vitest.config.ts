/** @file Runs whose files hang or die, for the tests of what is said of them. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["*.broken.ts"],
    pool: "forks",
    testTimeout: 20_000,
    reporters: ["default", "json", ["../../../scripts/lostFileReporter.mjs", { limitMs: 6000 }]],
  },
});

/** @file The experiment of `folderLoop.ts`, shared with the test that kills it. */
import { sumsConfig } from "./loopRuns.ts";

export const FOLDER_LOOP_CONFIG = sumsConfig({
  task: { pool: 12, validation: 4, test: 10 },
  rounds: 2,
  querySize: 3,
  perSeed: 2,
  training: { epochs: 2, batchSize: 4, learningRate: 0.1 },
});

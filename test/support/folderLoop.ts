/** @file A process of its own that runs a closed loop over sums in a folder: `tsx folderLoop.ts DIR`. For tests that kill it. Says "record" on stdout for each record. */
import { closedLoop } from "../../src/loop/closedLoop.ts";
import { openRunFolder } from "../../src/storage/node/folderStore.ts";
import { FOLDER_LOOP_CONFIG } from "./folderLoopConfig.ts";
import { sumsDeps } from "./loopRuns.ts";

const store = await openRunFolder(process.argv[2] ?? "", { runId: "run" });
const resume = (await store.load()) !== undefined;
for await (const record of closedLoop(FOLDER_LOOP_CONFIG, await sumsDeps({ store, resume }))) {
  process.stdout.write(`${record.type}\n`);
  // Slow enough to be killed at chosen moments.
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await store.close();

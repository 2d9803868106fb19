/**
 * @file A race of many rounds as a file that the page imports: the real closed loop over the tests'
 * small linear student, so that its records are true records, made in a minute without an engine.
 */
import { MemoryLibrary } from "../src/storage/memory.ts";
import { linearRace } from "../test/support/linearRace.ts";

/** An archive of two finished runs of `rounds` rounds, of two pairs each. */
export async function longRun(rounds: number): Promise<Uint8Array> {
  const library = new MemoryLibrary();
  const service = linearRace(library);
  const lane = (strategy: string): object => ({
    seed: 1,
    rounds,
    querySize: 2,
    perSeed: 1,
    task: { pool: 40, validation: 0, test: 40 },
    strategy: { name: strategy },
  });
  const ended = new Promise<void>((resolve, reject) => {
    void service.subscribe((batch) => {
      for (const event of batch) {
        if (event.type === "lane-failed") reject(new Error(event.error.message));
        if (event.type === "state" && event.state === "done") resolve();
      }
    });
  });
  const race = await service.createRace({ lanes: [lane("random"), lane("own-loss")], ep: "wasm", showPool: true });
  await service.start();
  await ended;
  const { archive } = await service.exportRuns(race.lanes.map(({ runId }) => runId));
  await service.stop();
  return archive;
}

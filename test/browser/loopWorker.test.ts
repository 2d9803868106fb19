/** @file The loop in a real web worker with real IndexedDB: same records, survives its crash. */
import { afterEach, describe, expect, it } from "vitest";
import type { TutelageError } from "../../src/core/errors.ts";
import { connectLoopWorker } from "../../src/protocol/client.ts";
import type { ConnectOptions, LoopConnection } from "../../src/protocol/client.ts";
import { IndexedDbLibrary } from "../../src/storage/indexedDb.ts";
import { collect, comparable, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { listenTo, twoLanes, until, untilState } from "../support/sumsService.ts";

const lanes = twoLanes(
  sumsConfig({ task: { pool: 20, validation: 5, test: 20 }, rounds: 2, querySize: 4, perSeed: 2 }),
);
const options = { ep: "auto", showPool: true } as const;
const databaseName = (): string => `worker test ${Date.now()}`;

const open: LoopConnection[] = [];
afterEach(() => open.splice(0).forEach((connection) => connection.close()));

function connect(
  database: string,
  connectOptions: ConnectOptions = {},
): LoopConnection & { readonly crashes: TutelageError[] } {
  const crashes: TutelageError[] = [];
  const worker = new Worker(new URL("../support/sumsLoop.webWorker.ts", import.meta.url), {
    type: "module",
    name: database,
  });
  const connection = connectLoopWorker(worker, (error) => crashes.push(error), connectOptions);
  open.push(connection);
  return { ...connection, crashes };
}

describe("the loop in a web worker", () => {
  it("tells what the loops alone would", async () => {
    const { service, crashes } = connect(databaseName());
    const heard = listenTo(service);
    await service.createRace({ lanes, ...options });
    await service.start();
    await untilState(heard, "done");
    for (const [i, lane] of lanes.entries()) {
      expect(comparable(heard.of(i))).toEqual(comparable(await collect(lane, await sumsDeps({ showPool: true }))));
    }
    await service.stop();
    expect(crashes).toEqual([]);
  });

  it.each(["crash", "close"])("is taken up by a new worker after its end (%s), from IndexedDB", async (end) => {
    const database = databaseName();
    const first = connect(database, { heartbeatMs: 50, silenceMs: 1500 });
    const heardFirst = listenTo(first.service);
    const race = await first.service.createRace({ lanes, ...options });
    await first.service.step("round");
    await first.service.step("round");
    await first.service.step("phase");
    await first.service.ask({ lane: 0, question: end }).catch(() => undefined);
    await expect(first.service.step("round")).rejects.toMatchObject({ code: "worker-crashed" });
    await until(() => first.crashes.length === 1);

    const second = connect(database);
    const heard = listenTo(second.service);
    const headers = await second.service.runs();
    expect(headers.map(({ lastRound, finished }) => [lastRound, finished])).toEqual([
      [1, false],
      [1, false],
    ]);
    expect(headers.every(({ manifest }) => manifest.race?.id === race.raceId)).toBe(true);
    const runIds = [0, 1].map(
      (lane) => headers.find(({ manifest }) => manifest.race?.lane === lane)?.manifest.runId ?? "",
    );
    const resumed = await second.service.resumeRace(runIds, options);
    expect(resumed.lanes.map(({ resumedAtRound }) => resumedAtRound)).toEqual([2, 2]);
    // What the page had seen is told again.
    expect(ofType(heard.of(0), "round")).toEqual(ofType(heardFirst.of(0), "round"));
    await second.service.start();
    await untilState(heard, "done");
    for (const [i, lane] of lanes.entries()) {
      const whole = await collect(lane, await sumsDeps({ showPool: true }));
      expect(ofType(heard.of(i), "round")).toEqual(ofType(whole, "round"));
      expect(comparable(heard.of(i), 2)).toEqual(comparable(whole, 2));
    }
    // This page is not that worker: the run is held elsewhere.
    await expect(new IndexedDbLibrary(database).open(runIds[0] ?? "")).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringContaining("held by another tab or worker"),
    });
    await second.service.stop();
    for (const runId of runIds) await second.service.deleteRun(runId);
    expect(await second.service.runs()).toEqual([]);
  });
});

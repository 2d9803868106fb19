/** @file A race is the same race in-process, through a bare message channel, and in a worker of its own. */
import { afterEach, describe, expect, it } from "vitest";
import { wrap } from "comlink";
import { connectLoopWorker } from "../../src/protocol/client.ts";
import type { WorkerLike } from "../../src/protocol/client.ts";
import { exposeLoopService } from "../../src/protocol/expose.ts";
import type { LoopService } from "../../src/protocol/loopService.ts";
import { collect, comparable, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { startNodeWorker } from "../support/nodeWorker.ts";
import { listenTo, sumsService, twoLanes, until, untilState } from "../support/sumsService.ts";

const lanes = twoLanes(
  sumsConfig({ task: { pool: 20, validation: 5, test: 20 }, rounds: 2, querySize: 4, perSeed: 2 }),
);
const cleanUp: (() => void)[] = [];
afterEach(() => cleanUp.splice(0).forEach((close) => close()));

async function race(service: LoopService): Promise<unknown[][]> {
  const heard = listenTo(service);
  await heard.ready;
  await service.createRace({ lanes, ep: "auto", showPool: true });
  await service.start();
  await untilState(heard, "done");
  const records = lanes.map((_, lane) => comparable(heard.of(lane)));
  await service.stop();
  return records;
}

/** The other end of a channel as if it were a worker. */
function channelWorker(): WorkerLike {
  const { port1, port2 } = new MessageChannel();
  exposeLoopService(sumsService().service, port2);
  cleanUp.push(
    () => port1.close(),
    () => port2.close(),
  );
  return Object.assign(port1, { terminate: () => port1.close() });
}

describe("records of a race", () => {
  it("are those of the loops alone, through a message channel and from a worker alike", async () => {
    const alone = await Promise.all(
      lanes.map(async (lane) => comparable(await collect(lane, await sumsDeps({ showPool: true })))),
    );
    expect(alone[0]?.length).toBeGreaterThan(50);
    expect(await race(sumsService().service)).toEqual(alone);

    const channel = connectLoopWorker(channelWorker(), () => undefined);
    cleanUp.push(() => channel.close());
    expect(await race(channel.service)).toEqual(alone);

    const worker = startNodeWorker(new URL("../support/sumsLoop.nodeWorker.ts", import.meta.url));
    const connection = connectLoopWorker(worker, () => undefined);
    cleanUp.push(() => connection.close());
    expect(await race(connection.service)).toEqual(alone);
  });

  it("come in few messages", async () => {
    const { port1, port2 } = new MessageChannel();
    exposeLoopService(sumsService().service, port2);
    cleanUp.push(
      () => port1.close(),
      () => port2.close(),
    );
    const service = wrap<LoopService>(port1);
    const connection = connectLoopWorker(Object.assign(port1, { terminate: () => port1.close() }), () => undefined);
    cleanUp.push(() => connection.close());
    const sizes: number[] = [];
    let begun = 0;
    let done = false;
    await connection.service.subscribe((batch) => {
      sizes.push(batch.length);
      begun += batch.filter(({ type, ...event }) =>
        "record" in event ? event.record.type === "phase" && event.record.state === "start" : type === "state",
      ).length;
      done ||= batch.some((event) => event.type === "state" && event.state === "done");
    });
    await connection.service.createRace({ lanes, ep: "auto", showPool: true });
    const startedMs = performance.now();
    await service.start();
    await until(() => done);
    const events = sizes.reduce((a, b) => a + b, 0);
    expect(events).toBeGreaterThan(100);
    // Twenty a second, and one for whatever begins.
    expect(sizes.length).toBeLessThan(5 + begun + (performance.now() - startedMs) / 50);
    expect(sizes.length).toBeLessThan(events / 2);
  });
});

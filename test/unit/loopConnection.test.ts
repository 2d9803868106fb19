/** @file The page's end of the worker boundary: whatever happens to the worker, no call stays pending. Real worker threads. */
import { afterEach, describe, expect, it } from "vitest";
import { TutelageError } from "../../src/core/errors.ts";
import { connectLoopWorker } from "../../src/protocol/client.ts";
import type { LoopConnection } from "../../src/protocol/client.ts";
import { LOOP_SERVICE_METHODS } from "../../src/protocol/loopService.ts";
import { sumsConfig } from "../support/loopRuns.ts";
import { startNodeWorker } from "../support/nodeWorker.ts";

const SCRIPT = new URL("../support/sumsLoop.nodeWorker.ts", import.meta.url);
const request = { lanes: [sumsConfig({ rounds: 1 })], ep: "auto", showPool: false } as const;

const open: LoopConnection[] = [];
afterEach(() => open.splice(0).forEach((connection) => connection.close()));

function connect(
  workerData: object,
  options = {},
): LoopConnection & { readonly crashes: TutelageError[]; readonly exited: Promise<void> } {
  const crashes: TutelageError[] = [];
  const worker = startNodeWorker(SCRIPT, workerData);
  const connection = connectLoopWorker(worker, (error) => crashes.push(error), options);
  open.push(connection);
  return { ...connection, crashes, exited: worker.exited };
}

describe("a connection to the loop worker", () => {
  it("has every method of the service", () => {
    const { service } = connect({});
    expect(Object.keys(service).sort()).toEqual([...LOOP_SERVICE_METHODS].sort());
  });

  it("carries the worker's errors with class, code, details and stack", async () => {
    const { service, crashes } = connect({});
    const error: unknown = await service
      .createRace({ ...request, lanes: [{ rounds: -1 }] })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TutelageError);
    expect(error).toMatchObject({
      name: "BadInputError",
      code: "bad-input",
      message: "experiment.rounds: expected a whole number from 0 to 1000, got -1",
      details: { fields: ["rounds"] },
    });
    expect((error as Error).stack).toContain("parseConfig");
    expect(crashes).toEqual([]);
  });

  it("rejects every pending call when the worker throws, tells it once, and refuses later calls", async () => {
    const { service, crashes, exited } = connect({ misbehave: "throw" });
    await service.createRace(request);
    await service.step("round");
    const calls = [service.step("round"), service.step("round"), service.start()];
    const outcomes = await Promise.all(
      calls.map((call) =>
        call.then(
          () => "answered",
          (error: TutelageError) => error.code,
        ),
      ),
    );
    expect(outcomes).toEqual(["worker-crashed", "worker-crashed", "worker-crashed"]);
    await exited;
    expect(crashes).toHaveLength(1);
    expect(crashes[0]).toMatchObject({
      code: "worker-crashed",
      message: expect.stringMatching(
        /^loop worker: crashed: the worker broke.* Start a new worker and resume the run$/,
      ),
    });
    await expect(service.ping()).rejects.toBe(crashes[0]);
  });

  it.each(["exit", "hang"] as const)("finds out when the worker does not answer any more (%s)", async (misbehave) => {
    // Longer than a loaded machine needs to load the worker's script.
    const { service, crashes, exited } = connect({ misbehave }, { heartbeatMs: 50, silenceMs: 10_000 });
    await service.createRace(request);
    await service.step("phase");
    await service.start();
    await expect(service.step("round")).rejects.toMatchObject({
      code: "worker-crashed",
      message: expect.stringContaining("has not answered for"),
    });
    expect(crashes).toHaveLength(1);
    await exited;
  });

  it("does not take a busy worker that answers late for a dead one", async () => {
    const { service, crashes } = connect({}, { heartbeatMs: 10, silenceMs: 30_000 });
    await service.createRace(request);
    for (let i = 0; i < 3; i++) await service.step("phase");
    await new Promise((resolve) => setTimeout(resolve, 200));
    await service.ping();
    expect(crashes).toEqual([]);
  });

  it("says when the worker's script cannot be loaded", async () => {
    const crashes: TutelageError[] = [];
    const worker = startNodeWorker(new URL("../support/noSuchWorker.ts", import.meta.url));
    const { service } = connectLoopWorker(worker, (error) => crashes.push(error));
    await expect(service.providers()).rejects.toMatchObject({ code: "worker-crashed" });
    expect(crashes[0]?.message).toContain("noSuchWorker");
  });

  it("when closed rejects what is pending, ends the worker and is no crash", async () => {
    const connection = connect({});
    const { service, crashes, exited } = connection;
    const pending = service.createRace(request).catch((error: TutelageError) => error.code);
    connection.close();
    connection.close();
    expect(await pending).toBe("aborted");
    await exited;
    await expect(service.ping()).rejects.toMatchObject({ code: "aborted" });
    expect(crashes).toEqual([]);
  });
});

/** @file The page's own worker, as the page starts it: real engine, students by address, IndexedDB. The default race itself: e2e. */
import { afterEach, describe, expect, it } from "vitest";
import { connectLoopWorker } from "../../src/protocol/client.ts";
import type { LoopConnection } from "../../src/protocol/client.ts";

const open: LoopConnection[] = [];
afterEach(() => open.splice(0).forEach((connection) => connection.close()));

function connect(): LoopConnection["service"] {
  const worker = new Worker(new URL("../../workers/loop.worker.ts", import.meta.url), { type: "module", name: "loop" });
  const connection = connectLoopWorker(worker, () => undefined);
  open.push(connection);
  return connection.service;
}

const fixture = new URL("../golden/fixtures/students/llama-gqa-tied/", import.meta.url).href;
const wasm = { ep: "wasm", showPool: true } as const;

describe("the loop worker", () => {
  it("says which providers it has and why not the others", async () => {
    const providers = await connect().providers();
    expect(providers.map(({ ep }) => ep).sort()).toEqual(["cpu", "wasm", "webgpu"]);
    expect(providers).toContainEqual({ ep: "wasm", available: true });
    expect(providers).toContainEqual({ ep: "cpu", available: false, reason: expect.stringContaining("Node") });
  });

  it("opens engine and student, and refuses one whose context is too short for the task", async () => {
    const request = { lanes: [{ student: fixture, task: { pool: 4, test: 4 }, querySize: 2 }], ...wasm };
    await expect(connect().createRace(request)).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringContaining("within the student's 96 positions"),
    });
  });

  it("names a student that is not there, and a wrong setting, and stays usable", async () => {
    const service = connect();
    const missing = { lanes: [{ student: "students/nobody" }], ...wasm };
    await expect(service.createRace(missing)).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringMatching(/students\/nobody.*config\.json/),
    });
    await expect(service.createRace({ lanes: [{ rounds: -1 }], ...wasm })).rejects.toMatchObject({ code: "bad-input" });
    await expect(service.createRace({ lanes: [{}], ep: "cpu", showPool: true })).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringContaining("provider 'cpu'"),
    });
    expect(await service.runs()).toEqual(expect.any(Array));
  });
});

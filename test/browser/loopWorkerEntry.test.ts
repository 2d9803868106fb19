/** @file The page's own worker, as the page starts it: real engine, students by address, IndexedDB. The default race itself: e2e. */
import { unzipSync } from "fflate";
import { afterEach, describe, expect, it } from "vitest";
import { decodeModel } from "../../src/onnx/model.ts";
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
      message: expect.stringContaining("the student's context of 96"),
    });
  });

  it("packs the built-in student as the folder that transformers.js loads", async () => {
    const service = connect();
    const lane = { task: { pool: 4, test: 4, validation: 4 }, querySize: 2 };
    await service.createRace({ lanes: [lane], ...wasm });
    const files = unzipSync(await service.packStudent(0, "onnx"));
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(["onnx/model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json"]),
    );
    const { inputs } = decodeModel(files["onnx/model.onnx"]!);
    expect(inputs.slice(0, 3).map(({ name }) => name)).toEqual(["input_ids", "attention_mask", "position_ids"]);
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

/** @file Choosing a provider in Node: by name, the best there is, what is refused and what is said; the self-test; a WASM instance that crashes. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { constants, PerformanceObserver, type PerformanceEntry } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import { platform } from "#platform";
import { ROOT } from "../../scripts/setup.mjs";
import { TutelageError } from "../../src/core/errors.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import {
  availableProviders,
  createEngine,
  defaultWasmThreads,
  type EngineEvent,
} from "../../src/runtime/createEngine.ts";
import { EngineCore } from "../../src/runtime/engineCore.ts";
import { runError, sessionError } from "../../src/runtime/runtimeErrors.ts";
import { selfTest, type SelfTestCase } from "../../src/runtime/selfTest.ts";
import { TaskQueue } from "../../src/runtime/taskQueue.ts";
import { openWasmBackend } from "../../src/runtime/wasmBackend.ts";
import { descentModel, float32 } from "../support/engineSuite.ts";

const FEEDS = { p: float32([4], (index) => index), grad: float32([4], () => 1), rate: float32([], [1]) };
const TEST_CASE: SelfTestCase = { name: "descent", model: descentModel(4), feeds: FEEDS, outputs: ["next", "norm"] };

/** A model of the same interface that computes something else. */
function wrongModel(): Uint8Array {
  const graph = new GraphBuilder("wrong");
  const p = graph.input("p", "float32", [4]);
  const grad = graph.input("grad", "float32", [4]);
  const rate = graph.input("rate", "float32", []);
  graph.output(graph.sub(p, graph.mul(grad, graph.scale(rate, 1.01))), "next");
  graph.output(graph.reduceSum(graph.mul(grad, grad), [0], false), "norm");
  return encodeModel(graph.build());
}

describe("createEngine", () => {
  test("lists what can be used, and why not the rest", async () => {
    const providers = await availableProviders();
    expect(providers.map(({ ep }) => ep)).toEqual(["webgpu", "cpu", "wasm"]);
    expect(providers).toContainEqual({ ep: "cpu", available: true });
    expect(providers).toContainEqual({ ep: "wasm", available: true });
    // Asking must not leave a GPU entry point behind.
    expect("gpu" in ((globalThis as { navigator?: object }).navigator ?? {})).toBe(false);
  });

  test("takes the best by itself and says why not a better one", async () => {
    const events: EngineEvent[] = [];
    const engine = await createEngine("auto", { onEvent: (event) => events.push(event) });
    if (engine.ep === "webgpu") {
      expect(engine.info.fallbackReason).toBeUndefined();
    } else {
      expect(engine.ep).toBe("cpu");
      expect(engine.info.fallbackReason).toMatch(/webgpu/i);
      expect(events).toEqual([
        { type: "fallback", ep: "cpu", reason: engine.info.fallbackReason },
        { type: "loading", ep: "cpu" },
      ]);
    }
    await engine.dispose();
  });

  test.each([[0], [-1], [1.5], [NaN]])("refuses %d threads", async (threads) => {
    await expect(createEngine("wasm", { threads })).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringContaining("threads"),
    });
  });

  test("refuses a provider it does not know", async () => {
    await expect(createEngine("cuda" as never)).rejects.toMatchObject({
      code: "bad-input",
      message: "createEngine: expected cpu, wasm, webgpu or auto, got cuda",
    });
  });

  test.each(["cpu", "wasm"] as const)("runs %s with the threads asked for", async (ep) => {
    for (const threads of [1, 3]) {
      const engine = await createEngine(ep, { threads });
      expect(engine.info.threads).toBe(threads);
      const session = await engine.createSession(TEST_CASE.model, { name: "descent" });
      expect([...(await session.run(FEEDS, { next: "host" })).host("next").data]).toEqual([-1, 0, 1, 2]);
      await engine.dispose();
    }
  });

  test.each([
    ["node", 2, 2],
    ["node", 16, 8],
    ["browser", 1, 1],
    ["browser", 2, 2],
    ["browser", 4, 3],
    ["browser", 16, 8],
  ] as const)("in %s with %i cores wasm has %i threads: a page keeps a core where it can", (where, cores, threads) => {
    expect(defaultWasmThreads(where, cores)).toBe(threads);
  });

  test.each(["cpu", "wasm", "webgpu"])("lets the process end after %s was disposed", (ep) => {
    const script = join(ROOT, "test", "support", "engineProcess.ts");
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", script, ep], {
      encoding: "utf8",
      timeout: 120_000,
    });
    expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: `${ep} [2]\n` });
  });

  test("keeps what Dawn reports into when WebGPU is let go of and garbage is collected", () => {
    const script = join(ROOT, "test", "support", "dawnProcess.ts");
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", "--import", "tsx", script], {
      encoding: "utf8",
      timeout: 120_000,
    });
    expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: "not mapped\nend\n" });
  });
});

describe("what a process had resident at most", () => {
  test("is its own, not that of the one that started it", () => {
    const { pathname } = new URL(import.meta.resolve("#platform"));
    const child = `import("${pathname}").then(({ platform }) => console.log(platform.processPeakBytes()))`;
    // A process of a gigabyte starts another.
    const parent = `
      const { spawnSync } = require("node:child_process");
      const large = new Uint8Array(2 ** 30).fill(1);
      const args = ["--import", "tsx", "-e", ${JSON.stringify(child)}];
      process.stdout.write(spawnSync(process.execPath, args, { encoding: "utf8" }).stdout);
      process.exitCode = large[0] - 1;`;
    const { status, stdout } = spawnSync(process.execPath, ["-e", parent], { encoding: "utf8", cwd: ROOT });
    expect(status).toBe(0);
    expect(Number(stdout)).toBeGreaterThan(2 ** 24);
    expect(Number(stdout)).toBeLessThan(2 ** 29);
  });
});

test("what tensors held at most stands beside what a process had resident at most, however it grows later", async () => {
  const engine = await createEngine("cpu");
  const tensor = engine.upload(float32([2 ** 20], () => 1));
  tensor.dispose();
  const before = engine.memory.peak!;
  expect(before.tensorBytes.other).toBe(2 ** 22);
  const large = new Uint8Array(before.totalBytes).fill(1);
  const after = engine.memory.peak!;
  expect(after.totalBytes).toBeGreaterThan(before.totalBytes * 1.2);
  expect(after.tensorBytes).toEqual(before.tensorBytes);
  expect(large[0]).toBe(1);
  await engine.dispose();
});

describe("self-test", () => {
  test("passes equal engines and reports the worst difference", async () => {
    const [candidate, reference] = [await createEngine("cpu"), await createEngine("wasm")];
    const report = await selfTest(candidate, reference, [TEST_CASE]);
    expect(report.differences).toHaveLength(2);
    expect(report.worst.relativeError).toBeLessThan(1e-6);
    expect([candidate.live, reference.live]).toEqual(
      Array.from({ length: 2 }, () => ({ tensors: 0, bytes: 0, sessions: 0 })),
    );
    await Promise.all([candidate.dispose(), reference.dispose()]);
  });

  test("refuses a device whose numbers differ, with the figures", async () => {
    const [candidate, reference] = [await createEngine("cpu"), await createEngine("wasm")];
    // Stands for a GPU that miscomputes: the candidate loads another graph.
    const createSession = candidate.createSession.bind(candidate);
    candidate.createSession = (_model, options) => createSession(wrongModel(), options);
    await expect(selfTest(candidate, reference, [TEST_CASE])).rejects.toMatchObject({
      code: "device-refused",
      message: expect.stringMatching(
        /^self-test of cpu: output 'next' of graph 'descent' differs from wasm by 8\.2e-3 \(allowed 1\.0e-3\)$/,
      ),
      details: { differences: [{ output: "next" }, { output: "norm", relativeError: 0 }] },
    });
    await expect(selfTest(candidate, reference, [{ ...TEST_CASE, tolerance: 0.1 }])).resolves.toMatchObject({
      worst: { output: "next" },
    });
    await Promise.all([candidate.dispose(), reference.dispose()]);
  });

  test("refuses a device that gives NaN where the reference does not, or fails", async () => {
    const [candidate, reference] = [await createEngine("cpu"), await createEngine("wasm")];
    const createSession = candidate.createSession.bind(candidate);
    const nan = new GraphBuilder("nan");
    nan.output(nan.log(nan.neg(nan.input("x", "float32", [2]))), "y");
    const fine = new GraphBuilder("fine");
    fine.output(fine.identity(fine.input("x", "float32", [2])), "y");
    const test: SelfTestCase = {
      name: "nan",
      model: encodeModel(fine.build()),
      feeds: { x: float32([2], () => 1) },
      outputs: ["y"],
    };
    candidate.createSession = (_model, options) => createSession(encodeModel(nan.build()), options);
    await expect(selfTest(candidate, reference, [test])).rejects.toMatchObject({
      code: "device-refused",
      details: { differences: [{ relativeError: Infinity }] },
    });
    candidate.createSession = (_model, options) => createSession(Uint8Array.of(1), options);
    await expect(selfTest(candidate, reference, [test])).rejects.toMatchObject({
      code: "device-refused",
      message: expect.stringContaining("graph 'nan' fails"),
    });
    await Promise.all([candidate.dispose(), reference.dispose()]);
  });

  test("runs before a WebGPU engine is handed out, which says what was measured", async () => {
    const events: EngineEvent[] = [];
    const engine = await createEngine("webgpu", {
      onEvent: (event) => events.push(event),
      selfTest: async (candidate, reference) =>
        `differs by ${(await selfTest(candidate, reference, [TEST_CASE])).worst.relativeError}`,
    });
    expect(engine.info.selfTest).toMatch(/^differs by \d/);
    expect(events.at(-1)).toEqual({ type: "self-test", ep: "webgpu", result: engine.info.selfTest });
    expect(engine.live.sessions).toBe(0);
    await engine.dispose();
    const refusal = new TutelageError("device-refused", "wrong numbers");
    await expect(createEngine("webgpu", { selfTest: () => Promise.reject(refusal) })).rejects.toBe(refusal);
  });
});

test("large outputs of onnxruntime-node do not have V8 mark the heap in steps", async () => {
  const steps: PerformanceEntry[] = [];
  const engine = await createEngine("cpu", { threads: 1 });
  const size = 2 ** 20;
  const session = await engine.createSession(descentModel(size), { name: "descent" });
  const [p, grad, next] = [0, 1, 2].map(() => engine.zeros("float32", [size]));
  const feeds = { p: p!, grad: grad!, rate: float32([], [1]) };
  const isStep = (entry: PerformanceEntry): boolean =>
    (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail.kind ===
    constants.NODE_PERFORMANCE_GC_INCREMENTAL;
  const observer = new PerformanceObserver((list) => steps.push(...list.getEntries().filter(isStep)));
  observer.observe({ entryTypes: ["gc"] });
  // 4 MB each: a dozen times what V8 takes before it looks at the heap.
  for (let run = 0; run < 200; run++) await session.run(feeds, { next: next!, norm: "host" });
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  expect(steps).toEqual([]);
  await engine.dispose();
});

describe("a WASM instance that crashes", () => {
  test("is a lost device for its engine and is not used again", async () => {
    const threads = 5;
    let crash = false;
    // The fault: an instruction that traps, as a corrupted heap would give.
    const faulty: typeof platform = {
      ...platform,
      async loadOrtWasm(count) {
        const module = await platform.loadOrtWasm(count);
        const run = module._OrtRun.bind(module);
        return Object.assign(module, {
          _OrtRun: (...parameters: Parameters<typeof run>) => {
            if (crash) throw new WebAssembly.RuntimeError("unreachable");
            return run(...parameters);
          },
        });
      },
    };
    const engine = new EngineCore(await openWasmBackend(faulty, threads));
    const session = await engine.createSession(TEST_CASE.model, { name: "descent" });
    const tensor = engine.zeros("float32", [4]);
    await session.run(FEEDS, { next: "host" });
    crash = true;
    await expect(session.run(FEEDS, { next: "host" })).rejects.toMatchObject({
      code: "device-lost",
      message: expect.stringContaining("unreachable"),
    });
    await expect(engine.read(tensor)).rejects.toMatchObject({ code: "device-lost" });
    expect(engine.lost.aborted).toBe(true);
    await engine.dispose();
    expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });

    const next = await createEngine("wasm", { threads });
    const again = await next.createSession(TEST_CASE.model, { name: "descent" });
    expect([...(await again.run(FEEDS, { next: "host" })).host("next").data]).toEqual([-1, 0, 1, 2]);
    await next.dispose();
  });
});

describe("memory that is not there", () => {
  test.each([
    ["cpu", [0x10_0000_0000_0000]],
    ["wasm", [0x4000_0000]],
    ["wasm", [0xc000_0000]],
    ["wasm", [0x3fff_fc00]],
  ] as const)("is out-of-memory on %s for %j floats, and the engine goes on", async (ep, shape) => {
    const engine = await createEngine(ep, { threads: 1 });
    expect(() => engine.zeros("float32", shape)).toThrowError(expect.objectContaining({ code: "out-of-memory" }));
    expect(engine.live.tensors).toBe(0);
    const session = await engine.createSession(TEST_CASE.model, { name: "descent" });
    expect([...(await session.run(FEEDS, { next: "host" })).host("next").data]).toEqual([-1, 0, 1, 2]);
    await engine.dispose();
  });
});

test("a run on wasm that needs more than its addresses count is out-of-memory with advice, and session and engine go on", async () => {
  const engine = await createEngine("wasm", { threads: 1 });
  const g = new GraphBuilder("outer");
  const [x, y] = [g.input("x", "float32", ["n", 1]), g.input("y", "float32", [1, "n"])];
  g.output(g.reduceSum(g.exp(g.matmul(x, y)), [0, 1]), "sum");
  const session = await engine.createSession(encodeModel(g.build()), { name: "outer product" });
  const run = (n: number) => {
    const data = new Float32Array(n);
    const feeds = { x: { type: "float32", shape: [n, 1], data }, y: { type: "float32", shape: [1, n], data } } as const;
    return session.run(feeds, { sum: "host" });
  };
  await expect(run(36_000)).rejects.toMatchObject({
    code: "out-of-memory",
    message: expect.stringMatching(/session 'outer product'.*smaller batch.*gradient checkpointing.*LoRA/s) as string,
  });
  expect((await run(10)).host("sum").data[0]).toBe(100);
  await engine.dispose();
});

describe("errors of ONNX Runtime", () => {
  test.each([
    ["std::bad_alloc", "out-of-memory"],
    ["RangeError: Array buffer allocation failed", "out-of-memory"],
    ["vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY", "out-of-memory"],
    ["Failed to allocate memory for requested buffer of size 123", "out-of-memory"],
    ["[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Tensor shape is too large", "out-of-memory"],
    ["Non-zero status code returned while running Gather node", "internal"],
  ])("run: %s is %s", (message, code) => {
    const cause = new Error(message);
    expect(runError("session 's'", cause)).toMatchObject({ code, cause, message: expect.stringContaining(message) });
  });

  test.each([
    ["ERROR_CODE: 9, ERROR_MESSAGE: Could not find an implementation for Foo(1)", "unsupported"],
    [
      "This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled by the user.",
      "unsupported",
    ],
    ["Load model from memory failed: Protobuf parsing failed.", "bad-input"],
  ])("load: %s is %s", (message, code) => {
    expect(sessionError("session 's'", new Error(message))).toMatchObject({ code });
  });
});

test("a queue runs one task at a time, in order, past rejections", async () => {
  const queue = new TaskQueue();
  const log: string[] = [];
  const task =
    (name: string, fail = false) =>
    async () => {
      log.push(`${name} starts`);
      await new Promise((resolve) => setTimeout(resolve, 2));
      log.push(`${name} ends`);
      if (fail) throw new Error(name);
      return name;
    };
  const settled = await Promise.allSettled([queue.add(task("a")), queue.add(task("b", true)), queue.add(task("c"))]);
  expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(log).toEqual(["a starts", "a ends", "b starts", "b ends", "c starts", "c ends"]);
});

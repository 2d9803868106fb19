/**
 * @file What every engine must do, whatever the provider: the suite that Node runs over
 * cpu, wasm and webgpu, and Chromium over wasm and webgpu. Tiny graphs on the real
 * ONNX Runtime; one engine per provider, as its first GPU pipelines compile slowly.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import type { DataType, Tensor, TypedArray } from "../../src/onnx/types.ts";
import { createEngine, type EngineEvent } from "../../src/runtime/createEngine.ts";
import type { DeviceTensor, Engine, ExecutionProvider, Session } from "../../src/runtime/types.ts";

export function float32(shape: readonly number[], values: ArrayLike<number> | ((index: number) => number)): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const data =
    typeof values === "function"
      ? Float32Array.from({ length: size }, (_, index) => values(index))
      : Float32Array.from(values);
  return { type: "float32", shape, data };
}

/** next = p − rate · grad, and norm = Σ grad². */
export function descentModel(size: number): Uint8Array {
  const graph = new GraphBuilder("descent");
  const p = graph.input("p", "float32", [size]);
  const grad = graph.input("grad", "float32", [size]);
  const rate = graph.input("rate", "float32", []);
  graph.output(graph.sub(p, graph.mul(grad, rate)), "next");
  graph.output(graph.reduceSum(graph.mul(grad, grad), [0], false), "norm");
  return encodeModel(graph.build());
}

function addModel(): Uint8Array {
  const graph = new GraphBuilder("add");
  const a = graph.input("a", "float32", ["rows", 4]);
  const b = graph.input("b", "float32", ["rows", 4]);
  graph.output(graph.add(a, b), "sum");
  return encodeModel(graph.build());
}

function copyModel(): Uint8Array {
  const graph = new GraphBuilder("copy");
  graph.output(graph.identity(graph.input("x", "float32", [8])), "y");
  return encodeModel(graph.build());
}

/** idsOut = ids + ids as int32; what Gather-like graphs feed. */
function doubleIdsModel(type: "int32" | "int64"): Uint8Array {
  const graph = new GraphBuilder("ids");
  const ids = graph.input("ids", type, [3]);
  const table = graph.input("table", "float32", [5, 2]);
  graph.output(graph.gather(table, ids), "rows");
  return encodeModel(graph.build());
}

const SIZE = 6;
const SAMPLES: readonly { readonly type: DataType; readonly shape: readonly number[]; readonly data: TypedArray }[] = [
  { type: "float32", shape: [2, 3], data: Float32Array.of(1, -2, 3.5, NaN, Infinity, -0) },
  { type: "float32", shape: [], data: Float32Array.of(7) },
  { type: "float32", shape: [0, 4], data: new Float32Array(0) },
  { type: "float64", shape: [3], data: Float64Array.of(Math.PI, -1e300, 0) },
  { type: "float16", shape: [3], data: Uint16Array.of(0x3c00, 0x8000, 0x7bff) },
  { type: "int32", shape: [5], data: Int32Array.of(-2147483648, -1, 0, 1, 2147483647) },
  { type: "int64", shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) },
  { type: "uint8", shape: [5], data: Uint8Array.of(0, 1, 127, 128, 255) },
  { type: "int8", shape: [7], data: Int8Array.of(-128, -1, 0, 1, 2, 3, 127) },
  { type: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
];

export function engineSuite(ep: ExecutionProvider): void {
  describe(`engine ${ep}`, () => {
    let engine: Engine;
    let descent: Session;
    const events: EngineEvent[] = [];
    const owned: DeviceTensor[] = [];

    const keep = (tensor: DeviceTensor): DeviceTensor => {
      owned.push(tensor);
      return tensor;
    };
    const upload = (tensor: Tensor): DeviceTensor => keep(engine.upload(tensor));
    const feeds = (step = 0): { p: Tensor; grad: Tensor; rate: Tensor } => ({
      p: float32([SIZE], (index) => index + step),
      grad: float32([SIZE], (index) => index / 4 - step),
      rate: float32([], [0.5]),
    });
    const expectedNext = (step = 0): number[] =>
      Array.from({ length: SIZE }, (_, index) => index + step - 0.5 * (index / 4 - step));
    const expectedNorm = (step = 0): number =>
      Array.from({ length: SIZE }, (_, index) => (index / 4 - step) ** 2).reduce((a, b) => a + b);

    beforeAll(async () => {
      engine = await createEngine(ep, { onEvent: (event) => events.push(event) });
      descent = await engine.createSession(descentModel(SIZE), { name: "descent", disableCpuFallback: true });
    });
    afterEach(() => {
      for (const tensor of owned.splice(0)) tensor.dispose();
      expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 1 });
    });
    afterAll(async () => {
      await engine.dispose();
      expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
      await expect(engine.createSession(copyModel(), { name: "late" })).rejects.toMatchObject({ code: "disposed" });
      await expect(descent.run(feeds(), { next: "host" })).rejects.toMatchObject({ code: "disposed" });
      expect(() => engine.zeros("float32", [1])).toThrowError(expect.objectContaining({ code: "disposed" }));
      await engine.dispose();
    });

    test("says what it runs on", () => {
      expect(engine.ep).toBe(ep);
      expect(engine.info).toMatchObject({ ep, threads: expect.any(Number) });
      expect(engine.info.version).toMatch(
        ep === "cpu" ? /^onnxruntime-node \d+\.\d+\.\d+/ : /^onnxruntime-web \d+\.\d+\.\d+/,
      );
      expect(engine.info.fallbackReason).toBeUndefined();
      expect(events.filter(({ type }) => type !== "download")).toEqual([{ type: "loading", ep }]);
      // In a browser the engine's file is fetched first: all of it, of a size that was known.
      for (const event of events)
        if (event.type === "download") {
          expect(event).toMatchObject({ ep, file: expect.stringMatching(/^ort-wasm-simd-threaded[.\w]*$/) });
          expect(event.loadedBytes).toBeLessThanOrEqual(event.totalBytes);
        }
      const fetched = events.findLast(({ type }) => type === "download");
      if (fetched?.type === "download") expect(fetched.loadedBytes).toBe(fetched.totalBytes);
      if ("window" in globalThis && ep === "wasm") expect(fetched).toBeDefined();
      if (ep === "webgpu") {
        expect(engine.info.adapter).toMatch(/\w/);
        expect(engine.info.limits?.["maxBufferSize"]).toBeGreaterThan(2 ** 27);
      }
    });

    test.each(SAMPLES)("gives $type $shape back as it was uploaded", async ({ type, shape, data }) => {
      const tensor = upload({ type, shape, data });
      expect(tensor).toMatchObject({ type, shape, byteLength: data.byteLength, disposed: false });
      const back = await engine.read(tensor);
      expect(back).toMatchObject({ type, shape });
      expect(back.data).toEqual(data);
    });

    test("copies on upload and on read", async () => {
      const data = Float32Array.of(1, 2, 3, 4);
      const tensor = upload({ type: "float32", shape: [4], data });
      data.fill(9);
      const first = await engine.read(tensor);
      first.data.fill(7 as never);
      expect([...(await engine.read(tensor)).data]).toEqual([1, 2, 3, 4]);
    });

    test("makes tensors of zeros", async () => {
      expect([...(await engine.read(keep(engine.zeros("float32", [2, 3])))).data]).toEqual([0, 0, 0, 0, 0, 0]);
      expect([...(await engine.read(keep(engine.zeros("int64", [1])))).data]).toEqual([0n]);
    });

    test("counts tensors and bytes until they are disposed, once", () => {
      const [a, b] = [engine.zeros("float32", [10]), engine.zeros("uint8", [3])];
      expect(engine.live).toMatchObject({ tensors: 2, bytes: 43 });
      a.dispose();
      a.dispose();
      expect(engine.live).toMatchObject({ tensors: 1, bytes: 3 });
      b[Symbol.dispose]();
      expect(engine.live).toMatchObject({ tensors: 0, bytes: 0 });
    });

    test("runs host feeds to host outputs", async () => {
      const result = await descent.run(feeds(), { next: "host", norm: "host" });
      expect(result.host("next")).toMatchObject({ type: "float32", shape: [SIZE] });
      expect([...result.host("next").data]).toEqual(expectedNext());
      expect(result.host("norm").shape).toEqual([]);
      expect(result.host("norm").data[0]).toBeCloseTo(expectedNorm(), 5);
    });

    test("returns only the outputs that were asked for, where they were asked for", async () => {
      const result = await descent.run(feeds(), { norm: "host" });
      expect(() => result.host("next")).toThrow(/was not asked for/);
      expect(() => result.device("norm")).toThrow(/was not asked for/);
    });

    test("leaves outputs on the device, owned by the caller", async () => {
      const result = await descent.run(feeds(), { next: "device" });
      const next = keep(result.device("next"));
      expect([...(await engine.read(next)).data]).toEqual(expectedNext());
    });

    test("writes into a given tensor and returns that very tensor", async () => {
      const { p, grad, rate } = feeds();
      const [onDevice, target] = [upload(p), keep(engine.zeros("float32", [SIZE]))];
      const result = await descent.run({ p: onDevice, grad, rate }, { next: target, norm: "host" });
      expect(result.device("next")).toBe(target);
      expect([...(await engine.read(target)).data]).toEqual(expectedNext());
      expect([...(await engine.read(onDevice)).data]).toEqual([...p.data]);
    });

    test("never lets an output share memory with a feed", async () => {
      const copy = await engine.createSession(copyModel(), { name: "copy" });
      const source = upload(float32([8], (index) => index));
      const out = keep((await copy.run({ x: source }, { y: "device" })).device("y"));
      const host = (await copy.run({ x: source }, { y: "host" })).host("y");
      host.data.fill(5 as never);
      await copy.run({ x: float32([8], () => 9) }, { y: out });
      expect([...(await engine.read(source)).data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect([...(await engine.read(out)).data]).toEqual(Array.from({ length: 8 }, () => 9));
      await copy.dispose();
    });

    test("ping-pongs a parameter 200 times with nothing left over", async () => {
      let [p, spare] = [engine.upload(float32([SIZE], () => 1)), engine.zeros("float32", [SIZE])];
      const grad = engine.upload(float32([SIZE], () => 0.25));
      const rate = engine.upload(float32([], [0.125]));
      // The peak of a process is of all that runs in it.
      const now = () => ({ live: engine.live, memory: { ...engine.memory, peak: undefined } });
      let before = now();
      for (let step = 0; step < 200; step++) {
        // By then ONNX Runtime has its own buffers for both kinds of run.
        if (step === 20) before = now();
        await descent.run({ p, grad, rate }, step % 20 === 0 ? { next: spare, norm: "host" } : { next: spare });
        [p, spare] = [spare, p];
      }
      expect(now()).toEqual(before);
      // 1 − 200 · 2⁻⁵ is exact in float32 at every step.
      expect([...(await engine.read(p)).data]).toEqual(Array.from({ length: SIZE }, () => 1 - 200 / 32));
      for (const tensor of [p, spare, grad, rate]) tensor.dispose();
    });

    test("serialises a hundred calls made at once, each with its own answer", async () => {
      const results = await Promise.all(
        Array.from({ length: 100 }, async (_, step) => {
          const result = await descent.run(feeds(step), { next: "host" });
          return [...result.host("next").data];
        }),
      );
      expect(results).toEqual(results.map((_, step) => expectedNext(step)));
    });

    test("answers calls in the order they were made", async () => {
      const order: number[] = [];
      await Promise.all(
        [0, 1, 2, 3].map((step) => descent.run(feeds(step), { norm: "host" }).then(() => order.push(step))),
      );
      expect(order).toEqual([0, 1, 2, 3]);
    });

    test("is not held up by calls that fail", async () => {
      const { p, grad } = feeds();
      const calls = [
        descent.run(feeds(1), { next: "host" }),
        descent.run({ p, grad }, { next: "host" }),
        engine.createSession(Uint8Array.of(1, 2, 3), { name: "broken" }),
        descent.run(feeds(2), { next: "host" }),
      ] as const;
      const settled = await Promise.allSettled(calls);
      expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
      expect([...(await calls[3]).host("next").data]).toEqual(expectedNext(2));
    });

    test("disposing a tensor right after the call that uses it is safe", async () => {
      const { p, grad, rate } = feeds();
      const onDevice = engine.upload(p);
      const pending = descent.run({ p: onDevice, grad, rate }, { next: "host" });
      const reading = engine.read(onDevice);
      onDevice.dispose();
      expect(engine.live.tensors).toBe(0);
      expect([...(await pending).host("next").data]).toEqual(expectedNext());
      expect([...(await reading).data]).toEqual([...p.data]);
      await expect(descent.run({ p: onDevice, grad, rate }, { next: "host" })).rejects.toMatchObject({
        code: "disposed",
      });
      await expect(engine.read(onDevice)).rejects.toMatchObject({ code: "disposed" });
    });

    test("binds symbolic dimensions by the feeds", async () => {
      const add = await engine.createSession(addModel(), { name: "add" });
      for (const rows of [1, 3]) {
        const a = float32([rows, 4], (index) => index);
        const result = await add.run({ a, b: a }, { sum: "device" });
        const sum = keep(result.device("sum"));
        expect(sum.shape).toEqual([rows, 4]);
        expect([...(await engine.read(sum)).data]).toEqual([...a.data].map((value) => 2 * Number(value)));
      }
      const [one, two] = [float32([1, 4], () => 1), float32([2, 4], () => 1)];
      await expect(add.run({ a: one, b: two }, { sum: "host" })).rejects.toMatchObject({
        code: "bad-input",
        message: "session 'add', input 'b': expected float32 [1,4], got float32 [2,4]",
      });
      await add.dispose();
    });

    test("runs with empty tensors", async () => {
      const add = await engine.createSession(addModel(), { name: "add" });
      const [empty, target] = [upload(float32([0, 4], [])), keep(engine.zeros("float32", [0, 4]))];
      const result = await add.run({ a: empty, b: float32([0, 4], []) }, { sum: target });
      expect((await engine.read(result.device("sum"))).data).toEqual(new Float32Array(0));
      expect((await add.run({ a: empty, b: empty }, { sum: "host" })).host("sum").data).toHaveLength(0);
      await add.dispose();
    });

    test.each(["int32", "int64"] as const)("takes %s indices", async (type) => {
      const session = await engine.createSession(doubleIdsModel(type), { name: "ids" });
      const ids: Tensor =
        type === "int32"
          ? { type, shape: [3], data: Int32Array.of(4, 0, 4) }
          : { type, shape: [3], data: BigInt64Array.of(4n, 0n, 4n) };
      const result = await session.run({ ids, table: upload(float32([5, 2], (index) => index)) }, { rows: "host" });
      expect([...result.host("rows").data]).toEqual([8, 9, 0, 1, 8, 9]);
      await session.dispose();
    });

    test("refuses wrong feeds and targets by name, before anything runs", async () => {
      const { p, grad, rate } = feeds();
      const other = upload(float32([SIZE + 1], () => 0));
      const right = upload(p);
      const gone = engine.upload(p);
      gone.dispose();
      const cases: readonly (readonly [Record<string, unknown>, Record<string, unknown>, string, string])[] = [
        [
          { p, grad },
          { next: "host" },
          "bad-input",
          "session 'descent', input 'rate': expected a tensor float32 [], got nothing",
        ],
        [
          { p, grad, rate, extra: p },
          { next: "host" },
          "bad-input",
          "session 'descent': expected inputs p, grad, rate, got an input 'extra'",
        ],
        [
          { p, grad: other, rate },
          { next: "host" },
          "bad-input",
          "session 'descent', input 'grad': expected float32 [6], got float32 [7]",
        ],
        [
          { p, grad: { type: "int32", shape: [6], data: new Int32Array(6) }, rate },
          { next: "host" },
          "bad-input",
          "input 'grad': expected float32 [6], got int32 [6]",
        ],
        [
          { p: { ...p, data: new Float32Array(5) }, grad, rate },
          { next: "host" },
          "bad-input",
          "input 'p': expected 6 elements for shape [6], got 5",
        ],
        [
          { p: { ...p, data: new Int32Array(6) }, grad, rate },
          { next: "host" },
          "bad-input",
          "input 'p': expected a Float32Array for float32, got Int32Array",
        ],
        [{ p: gone, grad, rate }, { next: "host" }, "disposed", "used after it was disposed"],
        [
          { p, grad, rate },
          { nothing: "host" },
          "bad-input",
          "session 'descent': expected outputs next, norm, got an output 'nothing'",
        ],
        [{ p, grad, rate }, {}, "bad-input", "expected at least one of the outputs next, norm, got none"],
        [
          { p, grad, rate },
          { next: other },
          "bad-input",
          "output 'next': expected float32 [6], got a target float32 [7]",
        ],
        [{ p, grad, rate }, { next: gone }, "disposed", "used after it was disposed"],
        [{ p: right, grad, rate }, { next: right }, "bad-input", "got the same tensor twice"],
      ];
      for (const [given, outputs, code, message] of cases) {
        await expect(descent.run(given as never, outputs as never), message).rejects.toMatchObject({
          code,
          message: expect.stringContaining(message),
        });
      }
      const foreign = await createEngine("wasm", { threads: 1 });
      const theirs = foreign.upload(p);
      await expect(descent.run({ p: theirs, grad, rate }, { next: "host" })).rejects.toMatchObject({
        code: "bad-input",
        message: expect.stringContaining("another engine"),
      });
      await expect(engine.read(theirs)).rejects.toMatchObject({ code: "bad-input" });
      await foreign.dispose();
    });

    test("refuses tensors whose data do not fit", () => {
      expect(() => engine.upload({ type: "float32", shape: [3], data: new Float32Array(2) })).toThrow(
        /expected 3 elements for shape \[3\], got 2/,
      );
      expect(() => engine.upload({ type: "int64", shape: [1], data: new Float32Array(1) })).toThrow(
        /expected a BigInt64Array for int64/,
      );
      expect(() => engine.zeros("float32", [-1])).toThrow(/expected whole dimensions ≥ 0, got \[-1\]/);
    });

    test("refuses what is no model", async () => {
      await expect(engine.createSession(Uint8Array.of(8, 8, 255, 255), { name: "m" })).rejects.toMatchObject({
        code: "bad-input",
        message: expect.stringMatching(/^session 'm': expected an ONNX model/),
      });
      await expect(engine.createSession(new Uint8Array(0), { name: "m" })).rejects.toMatchObject({ code: "bad-input" });
    });

    test("releases sessions, once, after the runs queued before", async () => {
      const copy = await engine.createSession(copyModel(), { name: "copy" });
      expect(engine.live.sessions).toBe(2);
      const pending = copy.run({ x: float32([8], () => 3) }, { y: "host" });
      await Promise.all([copy.dispose(), copy.dispose()]);
      expect([...(await pending).host("y").data]).toEqual(Array.from({ length: 8 }, () => 3));
      expect(engine.live.sessions).toBe(1);
      await copy.dispose();
      await expect(copy.run({ x: float32([8], () => 3) }, { y: "host" })).rejects.toMatchObject({ code: "disposed" });
    });

    test("an engine answers what was queued before it is disposed", async () => {
      const second = await createEngine(ep);
      const session = await second.createSession(copyModel(), { name: "copy" });
      const pending = session
        .run({ x: float32([8], (index) => index) }, { y: "device" })
        .then((result) => second.read(result.device("y")).catch((error: { code: string }) => error.code));
      const direct = session.run({ x: float32([8], (index) => index) }, { y: "host" });
      await second.dispose();
      expect([...(await direct).host("y").data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      // The read came after the dispose.
      expect(await pending).toBe("disposed");
      expect(second.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
      expect(second.lost.aborted).toBe(false);
      // The first engine shares ONNX Runtime with the second and goes on.
      expect([...(await descent.run(feeds(), { next: "host" })).host("next").data]).toEqual(expectedNext());
    });
  });
}

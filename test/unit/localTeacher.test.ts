/** @file A model run here as teacher: transformers.js itself on a tiny exported model, the worker's messages, sharing between lanes, and a whole loop in Node. */
import { readFileSync } from "node:fs";
import { MessageChannel } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { localChatModel } from "../../src/teacher/local/localChat.ts";
import { objectWatcher } from "../../src/teacher/local/jsonEnd.ts";
import { LocalShelf } from "../../src/teacher/local/localShelf.ts";
import { connectLocalModel, serveLocalModel } from "../../src/teacher/local/localWorker.ts";
import type { MessageEnd } from "../../src/teacher/local/localWorker.ts";
import { openTransformersModel } from "../../src/teacher/local/transformersModel.ts";
import type { LocalModel, LocalReply, LocalRequest } from "../../src/teacher/local/types.ts";
import { TeacherError } from "../../src/teacher/teacherError.ts";
import { chatTeacher, seeds } from "../support/chatTeachers.ts";
import { eventually } from "../support/eventually.ts";
import { CPU, runCli, Workspace } from "../support/runCli.ts";
import { exportTinyTeacher } from "../support/tinyTeacher.ts";

const space = new Workspace();
let tiny: string;
beforeAll(async () => {
  tiny = await exportTinyTeacher(space.path);
});
afterAll(() => space.remove());

const ASKED: LocalRequest = {
  messages: [
    { role: "system", content: "You are short." },
    { role: "user", content: "One and one?" },
  ],
  maxOutputTokens: 12,
  seed: 1,
};
const [SEED] = seeds(1);

describe("a model in transformers.js", () => {
  it("samples by the seed, counts its tokens, says why it ended and where it runs", async () => {
    const told: number[] = [];
    const settings = { model: tiny, dtype: "fp32", device: "auto" } as const;
    const model = await openTransformersModel(settings, {
      onProgress: ({ loadedBytes }) => told.push(loadedBytes),
    });
    try {
      expect(model.about).toEqual({ device: "cpu", dtype: "fp32" });
      const say = (change: Partial<LocalRequest>): Promise<LocalReply> =>
        model.generate({ ...ASKED, ...change }, () => false);
      const first = await say({});
      expect(first.completionTokens).toBeLessThanOrEqual(12);
      expect((await say({ maxOutputTokens: 1 })).finishReason).toBe("length");
      expect(first.promptTokens).toBeGreaterThan(20);
      expect(await say({})).toEqual(first);
      expect((await say({ seed: 2 })).text).not.toBe(first.text);
      const greedy = await say({ temperature: 0 });
      expect(await say({ temperature: 0, seed: 2 })).toEqual(greedy);
      // Stopped between two tokens, not at the end.
      let looks = 0;
      const stopped = await model.generate({ ...ASKED, maxOutputTokens: 2000 }, () => ++looks >= 3);
      expect(stopped.completionTokens).toBeLessThan(10);
      const long = say({ messages: [{ role: "user", content: "x".repeat(9000) }] });
      await expect(long).rejects.toMatchObject({ kind: "request", message: expect.stringContaining("does not fit") });
    } finally {
      await model.dispose();
    }
  });

  it("that is not there, or not in this precision, is named", async () => {
    const settings = { model: tiny, dtype: "q4", device: "cpu" } as const;
    await expect(openTransformersModel(settings)).rejects.toMatchObject({
      kind: "model",
      message: expect.stringContaining("dtype q4"),
    });
  });
});

it("a JSON object ends where its braces do, not inside texts and thoughts", () => {
  const endsAt = (text: string): number => {
    const watch = objectWatcher();
    return text.split("").findIndex((letter) => watch(letter));
  };
  const object = String.raw`{"a": "} \" }", "b": {"c": 1}}`;
  expect(endsAt(`${object} and so on`)).toBe(object.length - 1);
  expect(endsAt(`<think>{"a": 1}</think>${object} {`)).toBe("<think></think>".length + 8 + object.length - 1);
  expect(endsAt("no object at all }")).toBe(-1);
  expect(endsAt('{"a": [1, 2')).toBe(-1);
});

/** A model that says `texts` in turn and notes what happens to it. */
function scripted(texts: readonly string[]): LocalModel & { readonly log: string[] } {
  const log: string[] = [];
  let said = 0;
  return {
    log,
    about: { device: "wasm", dtype: "q4", fallbackReason: "this browser has no WebGPU" },
    async generate({ messages }, stopped) {
      const number = said++;
      log.push(`begin ${number}`);
      if (texts[number] === "wait") while (!stopped()) await new Promise((resolve) => setTimeout(resolve, 1));
      if (texts[number] === "fail") throw new TeacherError("unavailable", "out of memory");
      log.push(`end ${number}`);
      return { text: texts[number] ?? "", finishReason: "stop", promptTokens: messages.length, completionTokens: 3 };
    },
    dispose: async () => void log.push("dispose"),
  };
}

/** A worker that serves `model`, in this thread; `crash` is what a browser tells of one that died. */
function fakeWorker(model: LocalModel): MessageEnd & { terminate(): void; readonly crash: () => void } {
  const { port1, port2 } = new MessageChannel();
  const listeners = new Map<string, (event: unknown) => void>();
  const end = (port: typeof port1): MessageEnd => ({
    postMessage: (message) => port.postMessage(message),
    addEventListener: (type, listener) => {
      if (type === "message") port.on("message", (data: unknown) => listener({ data }));
      else listeners.set(type, listener);
    },
  });
  serveLocalModel(end(port2), (_, onProgress) => {
    onProgress({ path: "model.onnx", loadedBytes: 5, totalBytes: 10 });
    return Promise.resolve(model);
  });
  return {
    ...end(port1),
    terminate: () => port1.close(),
    crash: () => listeners.get("error")?.({ message: "out of memory" }),
  };
}

describe("a model behind a worker", () => {
  it("is loaded once for two lanes, asked by one at a time, and freed by the last", async () => {
    const model = scripted([`{"question": "Q"}`, `{"question": "R"}`]);
    let workers = 0;
    let ended = 0;
    const shelf = new LocalShelf(() => {
      workers++;
      const worker = fakeWorker(model);
      return connectLocalModel({ ...worker, terminate: () => (ended++, worker.terminate()) });
    });
    const settings = { model: "org/tiny" };
    const progress: number[] = [];
    const lanes = [1, 2].map(() => localChatModel(settings, (own) => shelf.hold(own)));
    const found = await Promise.all(
      lanes.map((lane) => lane.prepare({ onProgress: ({ loadedBytes }) => progress.push(loadedBytes) })),
    );
    expect(found).toEqual([model.about, model.about]);
    expect(progress).toEqual([5, 5]);
    const request = { ...ASKED, format: "prompt", schema: {} } as const;
    const signal = new AbortController().signal;
    const replies = await Promise.all(lanes.map((lane) => lane.complete(request, signal)));
    expect(replies.map(({ text }) => text)).toEqual([`{"question": "Q"}`, `{"question": "R"}`]);
    expect(model.log).toEqual(["begin 0", "end 0", "begin 1", "end 1"]);
    expect(workers).toBe(1);
    lanes[0]!.close();
    expect(ended).toBe(0);
    lanes[1]!.close();
    expect(ended).toBe(1);
  });

  it("goes through prompts, repair and usage as every chat model does", async () => {
    const model = scripted([
      "I would rather not.",
      `Well: {"question": "What is 1 + 1?"`,
      "nonsense",
      "still nonsense",
    ]);
    const shelf = new LocalShelf(() => connectLocalModel(fakeWorker(model)));
    const teacher = chatTeacher(
      { structured: "prompt" },
      { provider: "transformers", holdModel: (own) => shelf.hold(own) },
    );
    const { value, usage } = await teacher.propose(SEED!, "vary", { rng: new Rng(1) });
    expect(value.question).toBe("What is 1 + 1?");
    // Asked again with what was wrong: two messages, then four.
    expect(usage).toMatchObject({ requests: 2, promptTokens: 6, completionTokens: 6, costUsd: 0 });
    await expect(teacher.propose(SEED!, "vary", { rng: new Rng(2) })).rejects.toMatchObject({ kind: "reply" });
    expect(teacher.description?.()).toBeUndefined();
    await teacher.prepare?.({});
    expect(teacher.description?.()).toEqual(model.about);
    teacher.close?.();
  });

  it("stops between tokens when it is told to, and says so at once", async () => {
    const model = scripted(["wait", `{"question": "Q"}`]);
    const host = connectLocalModel(fakeWorker(model));
    const shelf = new LocalShelf(() => host);
    const held = shelf.hold({ model: "m", dtype: "q4", device: "auto" });
    const abort = new AbortController();
    const waiting = held.generate(ASKED, abort.signal);
    await eventually(() => expect(model.log).toEqual(["begin 0"]));
    abort.abort(new TeacherError("timeout", "too long"));
    await expect(waiting).rejects.toThrow("too long");
    const next = await held.generate(ASKED, new AbortController().signal);
    expect(next.text).toBe(`{"question": "Q"}`);
    expect(model.log).toEqual(["begin 0", "end 0", "begin 1", "end 1"]);
    held.release();
    held.release();
  });

  it("that dies fails what was asked of it, as a teacher that is gone", async () => {
    const model = scripted(["wait"]);
    const worker = fakeWorker(model);
    const host = connectLocalModel(worker);
    await host.open({ model: "m", dtype: "q4", device: "auto" }, () => undefined);
    const waiting = host.generate(ASKED, new AbortController().signal);
    await eventually(() => expect(model.log).toEqual(["begin 0"]));
    worker.crash();
    await expect(waiting).rejects.toMatchObject({ kind: "unavailable", fatal: true });
    await expect(host.generate(ASKED, new AbortController().signal)).rejects.toThrow("out of memory");
  });
});

it("a loop in the terminal with such a teacher: nonsense is parsed, bounded, recorded and never trained on", async () => {
  const teacher = ["--teacher", "transformers", "--teacher-model", tiny, "--teacher-dtype", "fp32"];
  const bounded = ["--teacher-max-output-tokens", "16", "--teacher-cache", "off"];
  const check = await runCli(["teacher", "check", ...teacher, ...bounded, "--json"]);
  expect([check.status, check.records.map(({ call, ok }) => [call, ok])]).toEqual([
    1,
    [
      ["propose", false],
      ["answer", false],
      ["judge", false],
    ],
  ]);
  expect(check.err).toContain("fp32, on cpu");
  expect(check.records[0]).toMatchObject({ usage: { costUsd: 0 } });
  expect((check.records[0] as { usage: { completionTokens: number } }).usage.completionTokens).toBeLessThanOrEqual(32);

  const small = "--pool 6 --validation 2 --test 4 --rounds 1 --query-size 2 --per-seed 1 --epochs 1".split(" ");
  const run = await runCli(["loop", ...small, ...teacher, ...bounded, "--out", space.in("run"), ...CPU, "--json"]);
  expect([run.status, run.err]).toEqual([0, expect.stringContaining("2 of 2 teacher items failed")]);
  expect(run.records[1]).toMatchObject({ accepted: 0, rejected: 2 });
  const manifest = JSON.parse(readFileSync(space.in("run", "manifest.json"), "utf8")) as Record<string, unknown>;
  expect(manifest["teacherModel"]).toEqual({ device: "cpu", dtype: "fp32" });
  expect(manifest["config"]).toMatchObject({ teacher: { chat: { timeoutSeconds: 600 } } });
  const examples = readFileSync(space.in("run", "examples.jsonl"), "utf8").trimEnd().split("\n");
  expect(examples.map((line) => (JSON.parse(line) as { readonly accepted: boolean }).accepted)).toEqual([false, false]);
});

/**
 * @file `npm run bench:teacher`: what the loop adds to a teacher's own time, and whether
 * memory grows with the requests. The teacher is `tutelage serve-teacher` in a process of
 * its own; phase "teach" of a real loop with a run folder is timed against its latency, and
 * against bare `fetch` calls that say the same. `--latency MS --concurrency N --items N
 * --requests N` (of the memory's part, 0 to leave it out).
 */
import { spawn } from "node:child_process";
import { setMaxListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Rng } from "../src/core/rng.ts";
import { directorySource } from "../src/formats/node/directorySource.ts";
import { closedLoop } from "../src/loop/closedLoop.ts";
import { parseExperimentConfig } from "../src/loop/parseConfig.ts";
import { createEngine } from "../src/runtime/createEngine.ts";
import { openRunFolder } from "../src/storage/node/folderStore.ts";
import { openReplyCache } from "../src/storage/node/replyCacheFile.ts";
import { openStudent } from "../src/student/student.ts";
import { createTask } from "../src/tasks/registry.ts";
import { createChatTeacher } from "../src/teacher/chat/chatTeacher.ts";
import { ROOT } from "../scripts/setup.mjs";

const { values } = parseArgs({
  options: {
    latency: { type: "string", default: "200" },
    concurrency: { type: "string", default: "8" },
    items: { type: "string", default: "400" },
    requests: { type: "string", default: "10000" },
  },
});
const latencyMs = Number(values.latency);
const concurrency = Number(values.concurrency);
const items = Number(values.items);

// As in the terminal's program: each call in flight listens to the run's one signal. They are gone when it ends.
setMaxListeners(4 * concurrency + 10);

const task = createTask("word-problems");
const folder = mkdtempSync(join(tmpdir(), "tutelage-bench-"));

/** Work against a server of its own with that mean latency. */
async function withServer<T>(latency: number, work: (url: string) => Promise<T>): Promise<T> {
  const program = [join(ROOT, "scripts", "tutelage.mjs"), "serve-teacher", "--port", "0", "--json"];
  const child = spawn(process.execPath, [...program, "--latency", String(latency)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    let text = "";
    for await (const piece of child.stdout) {
      text += String(piece);
      if (text.includes("\n")) break;
    }
    child.stdout.destroy();
    const { url } = JSON.parse(text.split("\n")[0] ?? "") as { readonly url: string };
    return await work(url);
  } finally {
    child.kill("SIGKILL");
  }
}

const chatOf = (url: string) => ({ url, model: "tutelage-solver", concurrency, timeoutSeconds: 60 });

/** Milliseconds from the start of phase "teach" to its end. */
async function teachMs(url: string): Promise<{ readonly wallMs: number; readonly cpuMs: number }> {
  const config = parseExperimentConfig({
    task: { pool: 200, validation: 0, test: 1 },
    strategy: { name: "random" },
    rounds: 1,
    querySize: Math.ceil(items / 4),
    perSeed: 4,
    teacher: { name: "openai", chat: chatOf(url) },
  });
  const { chat } = config.teacher;
  if (chat === undefined) throw new Error("a chat teacher has settings");
  const engine = await createEngine("cpu", { threads: 1 });
  const student = await openStudent(engine, { source: directorySource("public/student"), seed: 1 });
  const store = await openRunFolder(join(folder, "run"));
  const cache = await openReplyCache(join(folder, "cache.jsonl"));
  const teacher = createChatTeacher("openai", task, chat, { cache });
  try {
    let startedMs = 0;
    let cpu = process.cpuUsage();
    for await (const record of closedLoop(config, { student, task, teacher, store })) {
      if (record.type !== "phase" || record.phase !== "teach") continue;
      if (record.state === "start") {
        startedMs = performance.now();
        cpu = process.cpuUsage();
      }
      if (record.state === "end") {
        const { user, system } = process.cpuUsage(cpu);
        return { wallMs: performance.now() - startedMs, cpuMs: (user + system) / 1000 };
      }
    }
    throw new Error("the loop never taught");
  } finally {
    await store.close();
    await student.dispose();
    await engine.dispose();
  }
}

/** Milliseconds that as many plain requests take: one client, nothing else. */
async function bareMs(url: string, requests: number): Promise<number> {
  const [seed] = task.splits({ pool: 1, validation: 0, test: 0 }, new Rng(1)).pool;
  const body = JSON.stringify({
    model: "tutelage-solver",
    messages: [{ role: "user", content: seed?.question ?? "" }],
  });
  let left = requests;
  const startedMs = performance.now();
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const response = await fetch(`${url}/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      await response.json();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return performance.now() - startedMs;
}

/** Heap in use after garbage collection, by requests made. */
async function heapByRequests(url: string, requests: number): Promise<readonly (readonly [number, number])[]> {
  setFlagsFromString("--expose_gc");
  const collect = runInNewContext("gc") as () => void;
  const config = parseExperimentConfig({ teacher: { name: "openai", chat: chatOf(url) } });
  const { chat } = config.teacher;
  if (chat === undefined) throw new Error("a chat teacher has settings");
  const teacher = createChatTeacher("openai", task, chat);
  const { pool } = task.splits({ pool: 100, validation: 0, test: 0 }, new Rng(1));
  const points: [number, number][] = [];
  const parts = 5;
  for (let part = 0; part < parts; part++) {
    let left = Math.floor(requests / parts);
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const seed = pool[left % pool.length];
        if (seed !== undefined) await teacher.propose(seed, "vary", { rng: new Rng(left + 1) });
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    collect();
    points.push([teacher.spent.requests, process.memoryUsage().heapUsed / 2 ** 20]);
  }
  return points;
}

try {
  const requests = 2 * Math.ceil(items / 4) * 4;
  const ideal = (requests * latencyMs) / concurrency;
  const { bare, loop } = await withServer(latencyMs, async (url) => ({
    bare: await bareMs(url, requests),
    loop: await teachMs(url),
  }));
  const over = (ms: number, base: number): string => `${((ms / base - 1) * 100).toFixed(1)} %`;
  console.log(
    `${requests} requests, ${concurrency} at once, mean latency ${latencyMs} ms: ${ideal.toFixed(0)} ms at best`,
  );
  console.log(`  bare fetch   ${bare.toFixed(0)} ms  (${over(bare, ideal)} over the latency)`);
  console.log(
    `  the loop     ${loop.wallMs.toFixed(0)} ms  (${over(loop.wallMs, ideal)} over the latency, ${over(loop.wallMs, bare)} over bare fetch; ${(loop.cpuMs / requests).toFixed(2)} ms of CPU a request)`,
  );
  const many = Number(values.requests);
  if (many > 0)
    for (const [count, mebibytes] of await withServer(0, (url) => heapByRequests(url, many)))
      console.log(`  heap after ${count} requests: ${mebibytes.toFixed(1)} MiB`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

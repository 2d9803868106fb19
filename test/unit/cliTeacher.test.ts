/** @file Teachers over HTTP from the command line: a whole loop with faults, its cache and replay, the check, and where a key must not be. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SERVED_MODEL, startTeacherServer } from "../../src/teacher/node/teacherServer.ts";
import type { TeacherServer, TeacherServerOptions } from "../../src/teacher/node/teacherServer.ts";
import { sayOpenAi, scriptedServer, TASK } from "../support/chatTeachers.ts";
import { CPU, runCli, Workspace } from "../support/runCli.ts";

const KEY = "sk-planted-key-9f3b1c77";
let space: Workspace;
let server: TeacherServer | undefined;
beforeEach(() => {
  space = new Workspace();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.close();
  server = undefined;
  space.remove();
});

const SMALL = "--pool 12 --validation 4 --test 8 --rounds 1 --query-size 4 --per-seed 2 --epochs 1 --seed 5".split(" ");

/** Options that ask a server started for the test. */
async function ask(options: TeacherServerOptions = {}): Promise<string[]> {
  await server?.close();
  server = await startTeacherServer(TASK, options);
  return [
    "--teacher",
    "openai",
    "--teacher-url",
    server.url,
    "--teacher-model",
    SERVED_MODEL,
    "--teacher-timeout",
    "5",
  ];
}

/** Every text in a folder. */
function everything(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n");
}
const withoutClock = (text: string): string => text.replaceAll(/"durationMs":\d+(\.\d+)?/g, '"durationMs":0');

it("a loop over HTTP with faults: every item accounted for, no key in any artefact, nothing asked twice, replayed to the byte", async () => {
  vi.stubEnv("TUTELAGE_TEACHER_KEY", KEY);
  const teacher = await ask({
    key: KEY,
    failRate: 0.2,
    faults: ["429", "500", "reset", "malformed", "truncated"],
    retryAfterSeconds: 0.01,
    wrongRate: 0.3,
  });
  const cache = ["--teacher-cache", space.in("cache.jsonl")];
  const price = ["--teacher-price", "1,2", "--teacher-max-requests", "200"];
  const first = await runCli([
    "loop",
    ...SMALL,
    ...teacher,
    ...price,
    ...cache,
    "--out",
    space.in("a"),
    ...CPU,
    "--json",
  ]);
  expect([first.status, first.err]).toEqual([0, expect.stringContaining("run:")]);
  const examples = readFileSync(space.in("a", "examples.jsonl"), "utf8").trimEnd().split("\n");
  expect(examples).toHaveLength(8);
  // Nothing that the checker would refuse is trained on.
  type Pair = { readonly question: string; readonly answer: string; readonly accepted: boolean };
  for (const pair of examples.map((line) => JSON.parse(line) as Pair))
    expect([pair, TASK.verify(pair).correct]).toEqual([pair, pair.accepted]);
  const [, round] = first.records;
  expect(round).toMatchObject({ accepted: expect.any(Number), teacher: { requests: server!.counts.requests } });
  expect((round!["accepted"] as number) + (round!["rejected"] as number)).toBe(8);
  const manifest = JSON.parse(readFileSync(space.in("a", "manifest.json"), "utf8")) as Record<string, unknown>;
  expect(manifest["prompts"]).toMatchObject({ name: "word-problems", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(first.out + first.err + everything(space.path)).not.toContain(KEY);

  // The same again from the cache: the server hears nothing, and the numbers are the same.
  const asked = server!.counts.requests;
  const second = await runCli([
    "loop",
    ...SMALL,
    ...teacher,
    ...price,
    ...cache,
    "--out",
    space.in("b"),
    ...CPU,
    "--json",
  ]);
  expect(server!.counts.requests).toBe(asked);
  expect(second.records[1]).toMatchObject({ teacher: { requests: 0, costUsd: 0, cached: expect.any(Number) } });
  expect(second.records[1]!["evaluation"]).toEqual(round!["evaluation"]);

  await server!.close();
  const replay = await runCli(["loop", "--replay-teacher", space.in("a"), "--out", space.in("c"), ...CPU, "--json"]);
  expect(replay.status).toBe(0);
  expect(withoutClock(replay.out)).toBe(withoutClock(first.out));
  for (const name of ["examples.jsonl", "rounds.jsonl"])
    expect(withoutClock(readFileSync(space.in("c", name), "utf8"))).toBe(
      withoutClock(readFileSync(space.in("a", name), "utf8")),
    );
});

it("a loop with a wrong key stops at once, says so without the key, and goes on with the right one", async () => {
  vi.stubEnv("TUTELAGE_TEACHER_KEY", KEY);
  const teacher = await ask({ key: "another key" });
  const stopped = await runCli([
    "loop",
    ...SMALL,
    ...teacher,
    "--teacher-cache",
    "off",
    "--out",
    space.in("a"),
    ...CPU,
    "--json",
  ]);
  expect(stopped.status).toBe(1);
  expect(stopped.err).toMatch(/status 401, the key was refused/);
  expect(stopped.err).toContain(`go on with: tutelage loop --resume ${space.in("a")}`);
  expect(stopped.out + stopped.err + everything(space.path)).not.toContain(KEY);
  expect(server!.counts.answered).toBe(0);
  vi.stubEnv("TUTELAGE_TEACHER_KEY", "another key");
  const resumed = await runCli(["loop", "--resume", space.in("a"), "--teacher-cache", "off", ...CPU, "--json"]);
  expect([resumed.status, resumed.records.map((record) => record["round"])]).toEqual([0, [1]]);
});

it("the check makes one call of each kind, says what is wrong in plain words, and fails with what failed", async () => {
  const teacher = await ask();
  const good = await runCli(["teacher", "check", ...teacher, "--teacher-price", "1,1", "--json"]);
  expect([good.status, good.records.map(({ call, ok }) => [call, ok])]).toEqual([
    0,
    [
      ["propose", true],
      ["answer", true],
      ["judge", true],
    ],
  ]);
  expect(good.records[1]).toMatchObject({ note: "accepted by the task's checker", usage: { requests: 1 } });
  const one = await runCli(["teacher", "check", ...teacher, "--teacher-calls", "one", "--json"]);
  expect(one.records.map(({ call }) => call)).toEqual(["pair", "answer", "judge"]);
  const unknown = await runCli(["teacher", "check", ...teacher, "--teacher-model", "nope", "--json"]);
  expect([unknown.status, unknown.records]).toEqual([
    1,
    [expect.objectContaining({ ok: false, note: expect.stringContaining('there is no model "nope"') })],
  ]);
  const solver = await runCli(["teacher", "check", "--teacher", "solver", "--json"]);
  expect([solver.status, solver.records.length]).toEqual([0, 3]);
});

it("a key that the teacher repeats in every reply, error and header is in no artefact of loop, study, check or cache", async () => {
  vi.stubEnv("TUTELAGE_TEACHER_KEY", KEY);
  const repeated = [KEY, encodeURIComponent(KEY), btoa(KEY)].join(" ");
  const leaky = await scriptedServer((_, response, number) => {
    response.setHeader("x-repeated", repeated);
    if (number % 4 === 3) {
      response.writeHead(400, { "content-type": "application/json" });
      return void response.end(JSON.stringify({ error: { message: `Bad ${repeated}`, type: repeated, code: KEY } }));
    }
    const said = { question: `Ann has ${number} pens ${repeated}. How many?`, answer: `${repeated}\n#### ${number}` };
    sayOpenAi(response, JSON.stringify({ ...said, first: 9, second: 1 }));
  });
  try {
    const teacher = ["--teacher", "openai", "--teacher-url", leaky.url, "--teacher-model", "m"];
    const cache = ["--teacher-cache", space.in("cache.jsonl")];
    const chat = { url: leaky.url, model: "m" };
    const study = space.write(
      "study.json",
      JSON.stringify({
        name: "leaky",
        experiment: {
          task: { pool: 6, validation: 4, test: 4 },
          rounds: 1,
          querySize: 2,
          perSeed: 2,
          training: { epochs: 1 },
          verification: "off",
          teacher: { name: "openai", chat },
        },
        tasks: ["word-problems"],
        strategies: ["random", "own-loss"],
        seeds: [1],
      }),
    );
    const said = [
      await runCli(["loop", ...SMALL, ...teacher, ...cache, "--verification", "off", "--out", space.in("a"), ...CPU]),
      await runCli(["loop", ...SMALL, ...teacher, ...cache, "--estimate", ...CPU, "--json"]),
      await runCli(["study", study, ...cache, "--out", space.in("study"), ...CPU, "--json"]),
      await runCli(["teacher", "check", ...teacher, "--json"]),
      await runCli(["teacher", "import", space.in("cache.jsonl"), "--teacher-cache", space.in("again.jsonl")]),
    ];
    expect(said.map(({ status }) => status)).toEqual([0, 0, 0, expect.any(Number), 0]);
    const printed = said.map(({ out, err }) => out + err).join("\n");
    const kept = everything(space.path);
    for (const form of [KEY, encodeURIComponent(KEY), btoa(KEY), KEY.slice(3)])
      expect([form, printed.includes(form), kept.includes(form)]).toEqual([form, false, false]);
    // The words around it are there.
    for (const path of [["a", "examples.jsonl"], ["a", "journal.jsonl"], ["again.jsonl"]])
      expect(readFileSync(space.in(...path), "utf8")).toContain("[key]");
    expect(space.list("study")).toEqual(expect.arrayContaining(["report.html", "report.json", "runs"]));
    expect(printed).toContain("[key]");
  } finally {
    await leaky.close();
  }
});

it("keys come from the environment alone, and a provider's own key goes to that provider alone", async () => {
  vi.stubEnv("TUTELAGE_TEACHER_KEY", "");
  vi.stubEnv("ANTHROPIC_API_KEY", KEY);
  const option = await runCli(["loop", `--teacher-key=${KEY}`]);
  expect([option.status, option.err]).toEqual([2, expect.stringContaining("Set TUTELAGE_TEACHER_KEY instead")]);
  const elsewhere = await runCli([
    "teacher",
    "check",
    ..."--teacher anthropic --teacher-model m --teacher-url http://127.0.0.1:9".split(" "),
  ]);
  expect([elsewhere.status, elsewhere.err]).toEqual([2, expect.stringContaining("(TUTELAGE_TEACHER_KEY), got none")]);
  const inAddress = await runCli([
    "teacher",
    "check",
    "--teacher",
    "openai",
    "--teacher-model",
    "m",
    "--teacher-url",
    `http://h/v1?key=${KEY}`,
  ]);
  const inFile = space.write("e.json", JSON.stringify({ teacher: { name: "openai", chat: { model: "m", key: KEY } } }));
  const asSetting = await runCli(["loop", inFile]);
  expect([inAddress.status, asSetting.status]).toEqual([2, 2]);
  expect([option, elsewhere, inAddress, asSetting].map(({ out, err }) => out + err).join("\n")).not.toContain(KEY);
});

it("settings of chat teachers are checked before anything is sent", async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["--teacher", "openai"], "teacher.chat"],
    [["--teacher", "solver", "--teacher-model", "m"], "teacher.chat"],
    [["--teacher", "openai", "--teacher-model", "m", "--teacher-url", "http://h", "--teacher-max-cost", "1"], "price"],
    [["--teacher", "openai", "--teacher-model", "m", "--teacher-calls", "three"], "calls"],
    [["--teacher", "openai", "--teacher-model", "m", "--teacher-price", "1"], "--teacher-price"],
    [["--teacher", "openai", "--teacher-model", "m", "--teacher-concurrency", "0"], "concurrency"],
    [["--teacher", "bard"], "teacher.name"],
  ];
  for (const [args, named] of cases) {
    const { status, err } = await runCli(["loop", ...args, ...SMALL, "--teacher-cache", "off", ...CPU]);
    expect([args, status, err]).toEqual([args, 2, expect.stringContaining(named)]);
  }
});

it("prints prompts to be changed, takes them back, and checks a teacher on data of one's own", async () => {
  const printed = await runCli(["teacher", "prompts", "--task", "game24"]);
  const templates = JSON.parse(printed.out) as Record<string, string>;
  expect(Object.keys(templates).sort()).toEqual(["answer", "judge", "pair", "propose", "system"]);
  const prompts = space.write("prompts.json", JSON.stringify({ ...templates, system: "Answer as a pirate." }));
  const data = space.rows("capitals.jsonl", [
    { question: "Capital of France?", answer: "Paris" },
    { question: "Capital of Italy?", answer: "Rome" },
    { question: "Capital of Spain?", answer: "Madrid" },
  ]);
  const seen: string[] = [];
  const said = await scriptedServer(({ body }, response) => {
    seen.push(JSON.stringify(body["messages"]));
    sayOpenAi(response, JSON.stringify({ question: "Capital of Peru?", answer: "Lima", first: 9, second: 1 }));
  });
  try {
    const teacher = ["--teacher", "openai", "--teacher-url", said.url, "--teacher-model", "m"];
    const own = ["--task-data", data, "--checker", "exact", "--teacher-prompts", prompts, "--json"];
    const { status, records, err } = await runCli(["teacher", "check", ...teacher, ...own]);
    expect([status, err, records.map(({ call, ok }) => [call, ok])]).toEqual([
      0,
      "",
      [
        ["propose", true],
        ["answer", true],
        ["judge", true],
      ],
    ]);
    expect(seen).toHaveLength(4);
    for (const messages of seen) expect(messages).toMatch(/Answer as a pirate.*Capital of/s);
    const broken = space.write("broken.json", JSON.stringify({ propose: "No place for it." }));
    const refused = await runCli(["teacher", "check", ...teacher, "--teacher-prompts", broken]);
    expect([refused.status, refused.err]).toEqual([2, expect.stringContaining("{{question}}")]);
  } finally {
    await said.close();
  }
});

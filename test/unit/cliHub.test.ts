/** @file Students by their name on a hub, on the command line: fetched, said, cached, listed, deleted. */
import { mkdirSync, readFileSync, readdirSync, cpSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { COMMIT, startFakeHub, type FakeHub } from "../support/fakeHub.ts";
import { adapterDirectory, studentDirectory } from "../support/goldens.ts";
import { CPU, runCli, Workspace, type CliResult } from "../support/runCli.ts";
import { tinyStudentSource } from "../support/tinyStudent.ts";

const ID = "some-org/some-model";
const directory = studentDirectory("llama-gqa-tied");
const filesOf = (folder: string): Map<string, Uint8Array> =>
  new Map(readdirSync(folder).map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]));
const files = filesOf(directory);

let hub: FakeHub;
let space: Workspace;
beforeEach(async () => {
  const tiny = await tinyStudentSource();
  const tinyFiles = new Map<string, Uint8Array>();
  for (const name of (await tiny.list?.()) ?? []) tinyFiles.set(name, await tiny.read(name));
  hub = await startFakeHub({
    [ID]: { commit: COMMIT, files, revisions: { main: COMMIT, v1: COMMIT } },
    "some-org/long": { commit: COMMIT, files: tinyFiles },
    "gated/model": { commit: COMMIT, files, token: "hf_secret" },
  });
  space = new Workspace();
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  vi.stubEnv("HF_TOKEN", "");
  vi.stubEnv("HF_TOKEN_PATH", "");
  vi.stubEnv("HF_HOME", space.in("hf"));
  vi.stubEnv("TUTELAGE_CACHE", space.in("cache"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub[Symbol.asyncDispose]();
  space.remove();
});

const score = (student: string, terminal = false): Promise<CliResult> => {
  const data = space.rows("rows.jsonl", [{ prompt: "Tom has", completion: " 3 apples." }]);
  return runCli(["score", "--student", student, "--data", data, ...CPU], { terminal });
};

test("scores a model by its name as its directory, and from the cache without the hub", async () => {
  const expected = await score(directory);
  const fetched = await score(ID);
  expect(fetched.err).toMatch(
    /student: some-org\/some-model of http.* at commit 01234567 \(\d+ kB fetched in .* s, .*B\/s\)/,
  );
  expect(fetched.out).toBe(expected.out);
  const requests = hub.requests.length;
  const pinned = await score(`${ID}@${COMMIT}`);
  expect(pinned.err).toMatch(/\(from the cache\)/);
  expect(pinned.out).toBe(expected.out);
  expect(hub.requests.length).toBe(requests);
  expect((await score(`hub:${ID}@v1`)).out).toBe(expected.out);
});

test("scores a model whose weights are an ONNX decoder with its data beside it, and fetches no other", async () => {
  const exported = space.in("exported");
  expect((await runCli(["export", "--student", directory, "--out", exported, "--format", "onnx", ...CPU])).status).toBe(
    0,
  );
  const model = new Uint8Array(readFileSync(join(exported, "onnx", "model.onnx")));
  const onnx = new Map(files).set("onnx/model.onnx", model);
  onnx.set("onnx/model.onnx_data", Uint8Array.of(1, 2, 3)).set("onnx/model_q4.onnx", Uint8Array.of(4));
  onnx.delete("model.safetensors");
  await using other = await startFakeHub({ [ID]: { commit: COMMIT, files: onnx } });
  vi.stubEnv("HF_ENDPOINT", other.endpoint);
  const [fetched, local] = [await score(ID), await score(exported)];
  expect(fetched.status).toBe(0);
  expect(fetched.out).toBe(local.out);
  const paths = other.requests.map(({ path }) => path).join("\n");
  expect(paths).toContain("onnx/model.onnx_data");
  expect(paths).not.toContain("model_q4");
});

test("shows on a terminal how much has come, and how fast", async () => {
  const { err } = await score(ID, true);
  expect(err).toMatch(/some-org\/some-model: [\d.]+ k?B of [\d.]+ k?B, [\d.]+ .?B\/s {2}model\.safetensors/);
});

test("takes a local directory of that name, and says so", async () => {
  const before = process.cwd();
  mkdirSync(space.in("some-org"));
  cpSync(directory, space.in("some-org", "some-model"), { recursive: true });
  process.chdir(space.path);
  try {
    const result = await score(ID);
    expect(result.status).toBe(0);
    expect(result.err).toMatch(/student: the directory some-org\/some-model; .* write hub:some-org\/some-model/);
    expect(hub.requests).toEqual([]);
    expect((await score(`hub:${ID}`)).err).toMatch(/fetched in/);
  } finally {
    process.chdir(before);
  }
});

describe("an adapter", () => {
  const folder = adapterDirectory("llama-untied");
  const base = studentDirectory("llama-untied");
  const withAdapter = (adapter: string): Promise<CliResult> =>
    runCli([
      "score",
      "--student",
      base,
      "--adapter",
      adapter,
      "--data",
      space.rows("rows.jsonl", [{ prompt: "Tom has", completion: " 3 apples." }]),
      ...CPU,
    ]);

  test("is fetched by its name, its two files alone, and then taken from the cache; a student beside it still comes", async () => {
    const both = new Map([...filesOf(base), ...filesOf(folder)]).set("optimizer.pt", Uint8Array.of(1));
    await using other = await startFakeHub({ "me/tuned": { commit: COMMIT, files: both, token: "hf_secret" } });
    vi.stubEnv("HF_ENDPOINT", other.endpoint);
    expect((await withAdapter("me/tuned")).err).toMatch(/me\/tuned.*it is gated/s);
    vi.stubEnv("HF_TOKEN", "hf_secret");
    const [fetched, local] = [await withAdapter("me/tuned"), await withAdapter(folder)];
    expect(fetched.err).toMatch(/adapter: me\/tuned of http.* at commit 01234567 \(.* fetched in/);
    expect([fetched.status, fetched.out]).toEqual([0, local.out]);
    expect(fetched.out).not.toBe((await score(base)).out);
    const resolved = other.requests.filter(({ path }) => path.includes("/resolve/")).map(({ path }) => path);
    expect(new Set(resolved.map((path) => path.split("/").at(-1)))).toEqual(new Set(readdirSync(folder)));
    expect((await withAdapter(`me/tuned@${COMMIT}`)).err).toMatch(/adapter: me\/tuned.*\(from the cache\)/);
    expect((await score("me/tuned")).out).toBe((await score(base)).out);
  });

  test("that a repository does not have is refused", async () => {
    const { status, err } = await withAdapter(ID);
    expect(err).toMatch(/some-model@main: expected a file adapter_config\.json, got none.*not an adapter/);
    expect(status).toBe(2);
  });
});

describe("is refused with what to do", () => {
  test.each([
    [
      "nobody/nothing",
      /nobody\/nothing@main: expected a model on http.*RepoNotFound.*no directory nobody\/nothing here either/,
    ],
    ["gated/model", /it is gated\. Accept its terms at .*, and give your token \(HF_TOKEN\)/],
    ["hub:name", /--student: expected a model as org\/name or org\/name@revision, got "name"/],
    [`${ID}@v2`, /expected a revision of the model/],
  ])("%s", async (student, message) => {
    const result = await score(student);
    expect(result.err).toMatch(message);
    expect(result.status).toBe(2);
    expect(result.out).toBe("");
  });

  test("a hub that cannot be reached: a failure for what is surely a model, else bad input", async () => {
    await hub[Symbol.asyncDispose]();
    for (const [student, status] of [
      [`hub:${ID}`, 1],
      [ID, 2],
    ] as const) {
      const result = await score(student);
      expect(result.err).toMatch(/expected an answer from the hub, got .*Check the network and HF_ENDPOINT/);
      expect(result.status).toBe(status);
    }
  });
});

test("reads a gated model with the token of the environment or of huggingface_hub's file, and never shows it", async () => {
  vi.stubEnv("HF_TOKEN", "hf_wrong");
  const refused = await score("gated/model");
  expect(refused.err).toMatch(/check what your token may read/);
  expect(refused.err).not.toContain("hf_wrong");
  vi.stubEnv("HF_TOKEN", "");
  mkdirSync(space.in("hf"));
  space.write("hf/token", "hf_secret\n");
  const result = await score("gated/model");
  expect(result.status).toBe(0);
  expect(result.err + result.out).not.toContain("hf_secret");
});

describe("tutelage cache", () => {
  test("lists and deletes models", async () => {
    await score(ID);
    const { records } = await runCli(["cache", "list"]);
    expect(records).toMatchObject([{ id: ID, commit: COMMIT, revisions: ["main"], complete: true }]);
    expect((await runCli(["cache", "list"], { terminal: true })).out).toMatch(
      /^some-org\/some-model@01234567 \(main\) {2}\d+ kB\n$/,
    );
    const wrong = await runCli(["cache", "delete", `${ID}@v7`]);
    expect([wrong.status, wrong.err]).toEqual([2, expect.stringMatching(/expected a model in the cache, got/)]);
    const deleted = await runCli(["cache", "delete", `${ID}@${COMMIT.slice(0, 8)}`]);
    expect(deleted.records).toMatchObject([{ id: ID, deleted: true }]);
    expect((await runCli(["cache", "list"])).out).toBe("");
  });

  test.each([[[]], [["list", "x"]], [["delete"]], [["clear"]]])("refuses %j", async (args: string[]) => {
    const result = await runCli(["cache", ...args]);
    expect(result.err).toMatch(/tutelage cache: expected list, or delete with the names of models/);
    expect(result.status).toBe(2);
  });
});

test("a run keeps the commit of its student", async () => {
  const settings = ["--rounds", "0", "--pool", "2", "--test", "2", "--query-size", "1", ...CPU];
  const result = await runCli(["loop", "--student", "some-org/long", "--out", space.in("run"), ...settings]);
  expect(result.err).not.toMatch(/^tutelage/m);
  const manifest = JSON.parse(readFileSync(space.in("run", "manifest.json"), "utf8")) as {
    readonly config: { readonly student: string };
  };
  expect(manifest.config.student).toBe(`hub:some-org/long@${COMMIT}`);
  const resumed = await runCli(["loop", "--resume", space.in("run"), ...CPU]);
  expect(resumed.status).toBe(0);
});

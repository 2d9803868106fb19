/**
 * @file Models from a hub on loopback: only what is needed, checked, continued where the
 * connection broke; and every way in which a hub can fail, with nothing wrong in the cache.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TutelageError } from "../../src/core/errors.ts";
import { loadWeights } from "../../src/formats/checkpoint.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { engineDownload } from "../../src/hub/engineDownload.ts";
import { fetchModel, type FetchedModel } from "../../src/hub/fetchModel.ts";
import { createHasher } from "../../src/hub/hash.ts";
import { HubClient, type HubClientOptions } from "../../src/hub/hubClient.ts";
import { parseHubId } from "../../src/hub/hubId.ts";
import { ModelCache } from "../../src/hub/modelCache.ts";
import { folderFiles } from "../../src/hub/node/folderFiles.ts";
import { createNodeHasher } from "../../src/hub/node/nodeHasher.ts";
import type { DownloadProgress } from "../../src/hub/types.ts";
import { COMMIT, entryOf, startFakeHub, type FakeHub } from "../support/fakeHub.ts";
import { studentDirectory } from "../support/goldens.ts";

const ID = "some-org/some-model";
const WEIGHTS = "model.safetensors";
const directory = studentDirectory("llama-gqa-tied");
const files = new Map<string, Uint8Array>(
  readdirSync(directory).map((name) => [name, new Uint8Array(readFileSync(join(directory, name)))]),
);
const size = files.get(WEIGHTS)!.length;
const withMore = new Map(files)
  .set("README.md", new Uint8Array(10))
  .set("pytorch_model.bin", new Uint8Array(5000))
  .set("onnx/model.onnx", new Uint8Array(5000));

let hub: FakeHub;
let folder: string;
beforeEach(async () => {
  hub = await startFakeHub({
    [ID]: { commit: COMMIT, files: withMore, revisions: { main: COMMIT, "refs/pr/1": COMMIT } },
    "gated/model": { commit: COMMIT, files, token: "hf_secret" },
  });
  folder = mkdtempSync(join(tmpdir(), "tutelage-hub-"));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const cache = (): ModelCache => new ModelCache(folderFiles(join(folder, "models")));
const client = (options: HubClientOptions = {}): HubClient =>
  new HubClient({ endpoint: hub.endpoint, retryMs: 1, retries: 3, ...options });
const fetch = (text = ID, options: HubClientOptions = {}): Promise<FetchedModel> =>
  fetchModel(client(options), cache(), parseHubId(text)!);
const stored = (path = WEIGHTS): string =>
  join(folder, "models", "some-org--some-model", COMMIT, "files", ...path.split("/"));
const storedBytes = (path = WEIGHTS): number => statSync(stored(path), { throwIfNoEntry: false })?.size ?? 0;

/** The model in the cache is the one on the hub, and whole. */
async function expectWhole(model: FetchedModel): Promise<void> {
  expect(await loadWeights(model.source)).toEqual(await loadWeights(directorySource(directory)));
  for (const [name, bytes] of files) expect(await model.source.read(name)).toEqual(bytes);
}

/** A fetch that fails so, leaves nothing that passes for a model, and succeeds when it is tried again. */
async function expectFailure(message: RegExp, code: string, options: HubClientOptions = {}): Promise<void> {
  const error: unknown = await fetch(ID, options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TutelageError);
  expect((error as TutelageError).message).toMatch(message);
  expect((error as TutelageError).code).toBe(code);
  expect((await cache().list()).some(({ complete }) => complete)).toBe(false);
  await expectWhole(await fetch());
}

describe("a model", () => {
  test("is fetched with only the files that a student needs, at the commit of its revision", async () => {
    const model = await fetch();
    expect(model.commit).toBe(COMMIT);
    expect(model.fetchedBytes).toBe([...files.values()].reduce((sum, bytes) => sum + bytes.length, 0));
    expect(await model.source.list?.()).toEqual([...files.keys()].sort());
    await expectWhole(model);
    const paths = hub.requests.map(({ path }) => path);
    expect(paths).not.toEqual(expect.arrayContaining([expect.stringMatching(/README|\.bin|onnx/)]));
    // Small files first: what is no student is known before its weights come.
    expect(paths.at(-1)).toMatch(/model\.safetensors$/);
  });

  test("that is in the cache is not fetched again", async () => {
    await fetch();
    const before = hub.requests.length;
    const again = await fetch();
    expect(again.fetchedBytes).toBe(0);
    expect(hub.requests.slice(before).map(({ path }) => path)).toEqual([`/api/models/${ID}/revision/main`]);
    await expectWhole(again);
    const asked = hub.requests.length;
    await expectWhole(await fetch(`${ID}@${COMMIT}`));
    expect(hub.requests.length).toBe(asked);
  });

  test("of another branch with slashes in its name is found", async () => {
    await expectWhole(await fetch(`${ID}@refs/pr/1`));
  });

  test("is listed over several pages", async () => {
    hub.pageSize = 2;
    await expectWhole(await fetch());
  });

  test("in shards is fetched with those that the index names", async () => {
    const sharded = studentDirectory("llama3-scaling-sharded");
    const parts = new Map(
      readdirSync(sharded).map((name) => [name, new Uint8Array(readFileSync(join(sharded, name)))]),
    );
    parts.set("model-00099-of-00099.safetensors", new Uint8Array(2000));
    await using other = await startFakeHub({ [ID]: { commit: COMMIT, files: parts } });
    const model = await fetchModel(new HubClient({ endpoint: other.endpoint }), cache(), parseHubId(ID)!);
    expect(await loadWeights(model.source)).toEqual(await loadWeights(directorySource(sharded)));
    expect(await model.source.has("model-00099-of-00099.safetensors")).toBe(false);
  });

  test("is taken from the cache with a word when the hub cannot be reached", async () => {
    await fetch();
    await hub[Symbol.asyncDispose]();
    const warnings: string[] = [];
    const model = await fetchModel(client({ retries: 0 }), cache(), parseHubId(ID)!, {
      onWarning: (message) => warnings.push(message),
    });
    await expectWhole(model);
    expect(warnings.join()).toMatch(
      /taken from the cache as of commit 01234567, because .*expected an answer from the hub/,
    );
    await expect(fetchModel(client({ retries: 0 }), cache(), parseHubId("a/b")!)).rejects.toThrow(/expected an answer/);
  });

  test("tells how far it is, up to the end", async () => {
    const told: DownloadProgress[] = [];
    await fetchModel(client(), cache(), parseHubId(ID)!, { onProgress: (progress) => told.push(progress) });
    const last = told.at(-1)!;
    expect(last).toMatchObject({ id: ID, path: WEIGHTS, loadedBytes: last.totalBytes });
    expect(last.bytesPerSecond).toBeGreaterThan(0);
    const loaded = told.map(({ loadedBytes }) => loadedBytes);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
  });

  test("of the engine's files adds them up, and leaves out what is here at once", () => {
    let nowMs = 0;
    const told: DownloadProgress[] = [];
    const add = engineDownload(
      (progress) => told.push(progress),
      () => nowMs,
    );
    add("first", 10, 10);
    expect(told).toEqual([]);
    nowMs = 1000;
    add("second", 5, 20);
    expect(told.at(-1)).toMatchObject({ id: "ONNX Runtime", subject: "engine", path: "second", totalBytes: 30 });
    add("second", 20, 20);
    expect(told.at(-1)).toMatchObject({ path: "second", loadedBytes: 30, totalBytes: 30 });
    // The host unpacked the file: more comes than was said.
    add("second", 40, 40);
    expect(told.at(-1)).toMatchObject({ loadedBytes: 30, totalBytes: 30 });
  });
});

describe("a broken connection", () => {
  test("is continued from where it broke, as often as it gets further", async () => {
    const cuts = [1000, 1, 2000, 3000, 500, 700].map((after) => ({ kind: "cut", after }) as const);
    hub.fail(WEIGHTS, ...cuts);
    await expectWhole(await fetch(ID, { retries: 1 }));
    const asked = hub.ranges(WEIGHTS).map((range) => Number(range?.slice("bytes=".length, -1) ?? 0));
    // Each part is asked for twice: at the hub, and where it redirects to.
    expect([...new Set(asked)]).toEqual([0, 1000, 1001, 3001, 6001, 6501, 7201]);
  });

  test("is not continued with another file: then it begins anew", async () => {
    hub.fail(WEIGHTS, { kind: "cut", after: 5000, etag: '"older"' });
    await expectWhole(await fetch());
    expect(new Set(hub.ranges(WEIGHTS))).toEqual(new Set([undefined, "bytes=5000-"]));
    expect(hub.ranges(WEIGHTS).at(-1)).toBeUndefined();
  });

  test("leaves its part to the next fetch, in another process or session", async () => {
    hub.fail(WEIGHTS, { kind: "cut", after: 5000 }, { kind: "refuse" }, { kind: "refuse" });
    await expect(fetch(ID, { retries: 1 })).rejects.toThrow(/times in a row|expected an answer from the hub/);
    expect(storedBytes()).toBe(5000);
    expect(await cache().list()).toMatchObject([{ id: ID, complete: false }]);
    const before = hub.requests.length;
    const model = await fetch();
    expect(model.fetchedBytes).toBe(size - 5000);
    expect(hub.requests.slice(before).filter(({ range }) => range === "bytes=5000-")).toHaveLength(2);
    await expectWhole(model);
  });

  test("begins anew where the server does not know ranges", async () => {
    hub.forgetRanges();
    hub.fail(WEIGHTS, { kind: "cut", after: 5000 }, { kind: "cut", after: 6000 });
    await expectWhole(await fetch());
  });

  test("that never gets further ends", async () => {
    hub.forgetRanges();
    hub.fail(WEIGHTS, ...Array.from({ length: 10 }, () => ({ kind: "cut", after: 5000 }) as const));
    await expect(fetch(ID, { retries: 2 })).rejects.toThrow(/expected \d+ bytes, got .*3 times in a row/);
    expect(hub.ranges(WEIGHTS).length).toBeLessThanOrEqual(10);
  });

  test("is also one that falls silent, or ends early in order", async () => {
    hub.fail(WEIGHTS, { kind: "silence", after: 4000 }, { kind: "short", after: 3000 });
    await expectWhole(await fetch(ID, { silenceMs: 300 }));
    expect(new Set(hub.ranges(WEIGHTS))).toEqual(new Set([undefined, "bytes=4000-", "bytes=7000-"]));
  });

  test("of the API is tried again", async () => {
    hub.fail("/revision/main", { kind: "refuse" });
    hub.fail(`/tree/${COMMIT}`, { kind: "status", status: 502 }, { kind: "refuse" });
    await expectWhole(await fetch());
  });
});

describe("fails with a clear error and leaves nothing half-written in use:", () => {
  test("content of another hash", async () => {
    hub.fail(WEIGHTS, { kind: "content", bytes: new Uint8Array(size) });
    const sha256 = createHash("sha256").update(files.get(WEIGHTS)!).digest("hex");
    await expectFailure(
      new RegExp(`${ID}/${WEIGHTS}: expected content of sha256 ${sha256}, got [0-9a-f]{64}`),
      "network",
    );
  });

  test("a small file of another hash", async () => {
    const wrong = files.get("tokenizer_config.json")!.map((byte) => byte ^ 1);
    hub.fail("tokenizer_config.json", { kind: "content", bytes: wrong });
    await expectFailure(/tokenizer_config\.json: expected content of git-sha1 [0-9a-f]{40}, got/, "network");
    expect(storedBytes("tokenizer_config.json")).toBe(wrong.length);
  });

  test("a longer or shorter file than the hub lists", async () => {
    for (const bytes of [new Uint8Array(size + 1), new Uint8Array(size - 1)]) {
      hub.fail(WEIGHTS, { kind: "content", bytes });
      await expect(fetch()).rejects.toThrow(
        new RegExp(`expected ${size} bytes, as the hub lists, got ${bytes.length}`),
      );
      expect(storedBytes()).toBe(0);
    }
    await expectWhole(await fetch());
  });

  test("a part of another place than was asked for", async () => {
    const headers = { "content-range": `bytes 0-${size - 1}/${size}` };
    hub.fail(WEIGHTS, { kind: "cut", after: 5000 }, { kind: "status", status: 206, headers });
    await expectFailure(/expected bytes from 5000 on, got bytes 0-/, "network");
  });

  test("a part that ends where the server has nothing more", async () => {
    hub.list(WEIGHTS, { ...entryOf(WEIGHTS, files.get(WEIGHTS)!), lfs: { oid: "0".repeat(64), size: size + 5 } });
    hub.fail(WEIGHTS, { kind: "short", after: size });
    await expect(fetch()).rejects.toThrow(/expected \d+ bytes, as the hub lists, got at most \d+ \(HTTP status 416\)/);
  });

  test("a part in the cache that was damaged is fetched again as a whole", async () => {
    hub.fail(WEIGHTS, { kind: "cut", after: 5000 }, { kind: "refuse" });
    await expect(fetch(ID, { retries: 0 })).rejects.toThrow(/expected/);
    writeFileSync(stored(), new Uint8Array(5000));
    await expectWhole(await fetch());
  });

  test("a busy hub: waits as long as it asks, but not for ever", async () => {
    const busy = (seconds: string) => ({ kind: "status", status: 429, headers: { "retry-after": seconds } }) as const;
    hub.fail(WEIGHTS, busy("0"), busy(new Date(Date.now() - 5000).toUTCString()), { kind: "status", status: 503 });
    await expectWhole(await fetch());
    await cache().delete(ID, COMMIT);
    hub.fail(WEIGHTS, busy("3600"));
    await expectFailure(
      /expected an answer now, got HTTP status 429 with a wait of 3600 s.*try again after/,
      "network",
    );
    await cache().delete(ID, COMMIT);
    hub.fail(WEIGHTS, ...Array.from({ length: 4 }, () => busy("0")));
    await expectFailure(/expected an answer from the hub, got HTTP status 429/, "network");
  });

  test("a listing that cannot be one", async () => {
    hub.list(WEIGHTS, { type: "file", path: WEIGHTS, size: 5 });
    await expect(fetch()).rejects.toThrow(/model\.safetensors: expected a git-sha1 to check it by, got nothing/);
    hub.fail("/revision/main", { kind: "content", bytes: new TextEncoder().encode("<html>") });
    await expect(fetch()).rejects.toThrow(/revision\/main: expected valid JSON/);
  });

  test("a stop by the user", async () => {
    hub.fail(WEIGHTS, { kind: "silence", after: 4000 });
    const abort = new AbortController();
    const stopped = fetchModel(client(), cache(), parseHubId(ID)!, {
      signal: abort.signal,
      onProgress: ({ path }) => {
        // While the weights come.
        if (path === WEIGHTS) setTimeout(() => abort.abort(), 100);
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: "aborted" });
    await expectWhole(await fetch(ID, { silenceMs: 1000 }));
  });
});

describe("is refused", () => {
  test.each([
    [
      "nobody/nothing",
      /nobody\/nothing@main: expected a model on http.*, got HTTP status 404 \(RepoNotFound\).*HF_TOKEN/,
    ],
    [`${ID}@v9`, /some-model@v9: expected a revision of the model .*RevisionNotFound/],
    [
      "gated/model",
      /gated\/model\/config\.json: expected a model that may be read, got HTTP status 401 \(GatedRepo\): it is gated\. Accept its terms at http.*gated\/model, and give your token/,
    ],
  ])("%s", async (id, message) => {
    await expect(fetch(id)).rejects.toThrow(message);
    await expect(fetch(id)).rejects.toMatchObject({ code: "bad-input" });
  });

  test.each([
    ["config.json", /expected a file config\.json, got none\. This is not a language model/],
    ["tokenizer.json", /expected a file tokenizer\.json, got none\. Tokenizers of other formats/],
    [WEIGHTS, /expected weights as model\.safetensors, .*, got only pytorch_model\.bin\. Convert them/],
  ])("a model without %s, before anything is fetched", async (absent, message) => {
    const part = new Map(withMore);
    part.delete(absent);
    if (absent === WEIGHTS) for (const path of part.keys()) if (path.endsWith(".onnx")) part.delete(path);
    await using other = await startFakeHub({ [ID]: { commit: COMMIT, files: part } });
    const wanted = fetchModel(new HubClient({ endpoint: other.endpoint }), cache(), parseHubId(ID)!);
    await expect(wanted).rejects.toThrow(message);
    expect(other.requests.every(({ path }) => path.startsWith("/api/"))).toBe(true);
  });

  test("an endpoint or a token that is none", () => {
    expect(() => new HubClient({ endpoint: "ftp://x" })).toThrow(/hub endpoint: expected an address/);
    expect(() => new HubClient({ token: "two words" })).toThrow(/hub token: expected a token/);
  });
});

describe("the user's token", () => {
  test("opens a gated model, and goes to the hub alone", async () => {
    const model = await fetch("gated/model", { token: "hf_secret" });
    await expectWhole(model);
    expect(
      hub.requests.some(({ server, authorization }) => server === "hub" && authorization === "Bearer hf_secret"),
    ).toBe(true);
    const elsewhere = hub.requests.filter(({ server }) => server === "cdn");
    expect(elsewhere.length).toBeGreaterThan(0);
    expect(elsewhere.every(({ authorization }) => authorization === undefined)).toBe(true);
    expect(JSON.stringify(readAll(folder))).not.toContain("hf_secret");
  });

  test("that may not read a model is not in the error", async () => {
    const error: unknown = await fetch("gated/model", { token: "hf_wrong" }).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/HTTP status 403 .*check what your token may read/);
    expect(String(error)).not.toContain("hf_wrong");
  });
});

describe("the cache", () => {
  test("lists models with size and revisions, and deletes them", async () => {
    await fetch();
    const bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
    const [model] = await cache().list();
    expect(model).toMatchObject({ id: ID, commit: COMMIT, revisions: ["main"], complete: true });
    expect(model!.bytes).toBeGreaterThanOrEqual(bytes);
    expect(model!.bytes).toBeLessThan(bytes + 2000);
    await cache().delete(ID, COMMIT);
    expect(await cache().list()).toEqual([]);
    expect(readdirSync(join(folder, "models"))).toEqual([]);
  });

  test("says so when a file of it was changed", async () => {
    await fetch();
    writeFileSync(stored(), "short");
    const { source } = await fetch();
    await expect(source.open(WEIGHTS)).rejects.toThrow(
      /expected \d+ bytes, as were downloaded, got 5\. .*delete the model/,
    );
  });

  test("lets one download a file at a time", async () => {
    const place = cache();
    const first = await place.openDownload(ID, COMMIT, WEIGHTS);
    await expect(place.openDownload(ID, COMMIT, WEIGHTS)).rejects.toThrow(/no other process downloads/);
    await first.close();
    // A lock whose process is gone is nobody's.
    writeFileSync(`${stored()}.lock`, "999999999");
    await (await place.openDownload(ID, COMMIT, WEIGHTS)).close();
  });

  test("refuses what does not fit, before it is fetched", async () => {
    const small = { ...folderFiles(join(folder, "models")), free: async () => 1000 };
    const wanted = fetchModel(client(), new ModelCache(small), parseHubId(ID)!);
    await expect(wanted).rejects.toMatchObject({ code: "quota" });
    expect(hub.ranges(WEIGHTS)).toEqual([]);
  });
});

test.each([
  ["org/name", { id: "org/name", revision: "main" }],
  ["Org-1/na.me_2@v1.0", { id: "Org-1/na.me_2", revision: "v1.0" }],
  ["org/name@refs/pr/3", { id: "org/name", revision: "refs/pr/3" }],
  ["name", undefined],
  ["./org/name", undefined],
  ["/org/name", undefined],
  ["../name", undefined],
  ["a/b/c", undefined],
  ["org/..", undefined],
  ["org/name@", undefined],
  ["org/name@../x", undefined],
  ["https://x/y", undefined],
  ["org/na me", undefined],
])("%s names %o", (text, id) => {
  expect(parseHubId(text)).toEqual(id);
});

test("hashes are Node's own, in parts of any size", () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 256);
  const part = (kind: "sha256" | "git-sha1", create = createHasher): string => {
    const hasher = create(kind, bytes.length);
    for (let i = 0; i < bytes.length; i += 777) hasher.update(bytes.subarray(i, i + 777));
    return hasher.digest();
  };
  expect(part("sha256")).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(part("git-sha1")).toBe(createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex"));
  for (const kind of ["sha256", "git-sha1"] as const) expect(part(kind, createNodeHasher)).toBe(part(kind));
});

function readAll(place: string): string[] {
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
}

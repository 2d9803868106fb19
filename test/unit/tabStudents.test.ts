/** @file Students of a tab: from the hub, and from a folder that the user picked. Over a folder in place of the browser's storage. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadWeights } from "../../src/formats/checkpoint.ts";
import { loadAdapter } from "../../src/formats/peft.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { ModelCache } from "../../src/hub/modelCache.ts";
import { folderFiles } from "../../src/hub/node/folderFiles.ts";
import { TabStudents } from "../../src/hub/tabStudents.ts";
import type { PickedFolder, PrepareStudentContext } from "../../src/hub/types.ts";
import { COMMIT, startFakeHub, type FakeHub } from "../support/fakeHub.ts";
import { adapterDirectory, studentDirectory } from "../support/goldens.ts";

const directory = studentDirectory("llama-gqa-tied");
const files = new Map(
  readdirSync(directory).map((name) => [name, new Uint8Array(readFileSync(join(directory, name)))]),
);
let hub: FakeHub;
let folder: string;
let students: TabStudents;
beforeEach(async () => {
  hub = await startFakeHub({ "org/name": { commit: COMMIT, files, token: "hf_secret" } });
  folder = mkdtempSync(join(tmpdir(), "tutelage-tab-"));
  students = new TabStudents(new ModelCache(folderFiles(folder)), hub.endpoint);
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const context = (change: Partial<PrepareStudentContext> = {}): PrepareStudentContext => ({
  signal: new AbortController().signal,
  onProgress: () => undefined,
  onWarning: () => undefined,
  ...change,
});

test("a model on the hub is fetched with the user's token, named by its commit, listed and deleted", async () => {
  await expect(students.prepare("hub:org/name", context())).rejects.toThrow(/it is gated/);
  const name = await students.prepare("hub:org/name", context({ hubToken: "hf_secret" }));
  expect(name).toBe(`hub:org/name@${COMMIT}`);
  const source = await students.source(name);
  expect(await loadWeights(source!)).toEqual(await loadWeights(directorySource(directory)));
  // Named by its commit it needs neither token nor hub.
  expect(await students.prepare(name, context())).toBe(name);
  expect(await students.list()).toMatchObject([{ id: "org/name", commit: COMMIT, complete: true }]);
  await students.delete("org/name", COMMIT);
  expect(await students.list()).toEqual([]);
  await expect(students.source(name)).rejects.toThrow(/expected a model in the cache, got none/);
});

test("a folder is read where it is, once it was picked", async () => {
  const picked: PickedFolder = {
    name: "my model",
    files: [...files].map(([path, bytes]) => ({ path, file: new Blob([bytes]) })),
  };
  await expect(students.prepare("folder:my model", context())).rejects.toThrow(
    /student: expected the folder "my model", got none of that name\. .*choose it again/,
  );
  expect(await students.prepare("folder:my model", context({ folder: picked }))).toBe("folder:my model");
  const source = await students.source("folder:my model");
  expect(source!.name).toBe("my model");
  expect(await loadWeights(source!)).toEqual(await loadWeights(directorySource(directory)));
  // For the next run of the same page it needs not be picked again.
  expect(await students.prepare("folder:my model", context())).toBe("folder:my model");
});

test("an adapter is fetched, its two files alone, or read from a folder of its own; a student's folder of that name is another", async () => {
  const directory = adapterDirectory("llama-gqa-tied");
  const two = new Map(
    readdirSync(directory).map((name) => [name, new Uint8Array(readFileSync(join(directory, name)))]),
  );
  await using other = await startFakeHub({
    "me/tuned": { commit: COMMIT, files: new Map([...two, ["optimizer.pt", Uint8Array.of(1)]]) },
    "me/whole": { commit: COMMIT, files },
  });
  students = new TabStudents(new ModelCache(folderFiles(folder)), other.endpoint);
  const expected = await loadAdapter(directorySource(directory));
  const name = await students.prepare("hub:me/tuned", context(), "adapter");
  expect(name).toBe(`hub:me/tuned@${COMMIT}`);
  expect((await loadAdapter(await students.adapter(name))).modules).toEqual(expected.modules);
  expect((await students.list()).map(({ id, kinds }) => [id, kinds])).toEqual([["me/tuned", ["adapter"]]]);
  expect(await students.sourceAtHand("hub:me/tuned", "adapter")).toBeDefined();
  expect(await students.sourceAtHand("hub:me/tuned")).toBeUndefined();
  await expect(students.prepare("hub:me/whole", context(), "adapter")).rejects.toThrow(
    /expected a file adapter_config\.json, got none/,
  );

  const picked = {
    name: "tuned",
    files: [...two].map(([path, bytes]) => ({ path, file: new Blob([bytes]) })),
  };
  await students.prepare("folder:tuned", context({ folder: picked }), "adapter");
  expect((await loadAdapter(await students.adapter("folder:tuned"))).modules).toEqual(expected.modules);
  await expect(students.prepare("folder:tuned", context())).rejects.toThrow(/student: expected the folder "tuned"/);
  await expect(students.adapter("builtin")).rejects.toThrow(/adapter: expected hub:org\/name or folder:name/);
});

test("other names are somebody else's", async () => {
  expect(await students.prepare("builtin", context())).toBe("builtin");
  expect(await students.source("builtin")).toBeUndefined();
});

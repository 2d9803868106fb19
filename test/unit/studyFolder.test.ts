/** @file Runs moved between folders of a study: whole, without locks, and without failures that they have outlived. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { copyFailure, copyRun, runFolder, takeOver, writeFailure } from "../../src/cli/study/studyFolder.ts";
import { Workspace } from "../support/runCli.ts";

const space = new Workspace();
afterAll(() => space.remove());

test("a copied run has all files but the lock, replaces what was there, and its failure is gone", async () => {
  const [from, to] = [space.in("from"), space.in("to")];
  for (const folder of [from, to]) mkdirSync(runFolder(folder, "a"), { recursive: true });
  for (const name of ["lock", "rounds.jsonl", "measures.json"]) writeFileSync(`${runFolder(from, "a")}/${name}`, name);
  writeFileSync(`${runFolder(to, "a")}/journal.jsonl`, "old");
  await writeFailure(to, "a", new Error("once"));
  await copyRun(from, to, "a");
  expect(space.list("to", "runs", "a")).toEqual(["measures.json", "rounds.jsonl"]);
  expect(space.list("to", "failures")).toEqual([]);
});

test("a failure is copied where there is one", async () => {
  const [from, to] = [space.in("failed"), space.in("other")];
  await writeFailure(from, "a", new Error("out of memory"));
  await copyFailure(from, to, "a");
  await copyFailure(from, to, "b");
  expect(JSON.parse(readFileSync(space.in("other", "failures", "a.json"), "utf8"))).toMatchObject({
    id: "a",
    message: "out of memory",
  });
  expect(space.list("other", "failures")).toEqual(["a.json"]);
});

test("a lock is taken over from another machine, never from this one", async () => {
  const folder = space.in("locked");
  mkdirSync(runFolder(folder, "a"), { recursive: true });
  const lock = `${runFolder(folder, "a")}/lock`;
  for (const [holder, kept] of [
    ["1 here\n", true],
    ["1 there\n", false],
  ] as const) {
    writeFileSync(lock, holder);
    await takeOver(folder, "a", "here");
    expect(existsSync(lock), holder).toBe(kept);
  }
  await takeOver(folder, "a", "here");
});

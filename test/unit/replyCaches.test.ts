/** @file Teachers' replies kept across runs: in a file that survives torn lines, and in IndexedDB. */
import "fake-indexeddb/auto";
import { appendFileSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openReplyCache } from "../../src/storage/node/replyCacheFile.ts";
import { indexedDbReplyCache } from "../../src/storage/replyCacheDb.ts";
import { Rng } from "../../src/core/rng.ts";
import { chatTeacher, sayOpenAi, scriptedServer, seeds } from "../support/chatTeachers.ts";
import { runCli, Workspace } from "../support/runCli.ts";

const KEY = "a".repeat(64);
const REPLY = { text: '{"answer":"4"}', promptTokens: 9, completionTokens: 3 };

let space: Workspace;
beforeEach(() => {
  space = new Workspace();
});
afterEach(() => space.remove());

it("a file keeps replies for the next process, and loses at most a torn line", async () => {
  const path = space.in("new", "cache.jsonl");
  const first = await openReplyCache(path);
  expect(await first.get(KEY)).toBeUndefined();
  await first.put(KEY, REPLY);
  appendFileSync(path, '{"key":"bbb');
  const second = await openReplyCache(path);
  expect(await second.get(KEY)).toEqual(REPLY);
  await second.put("c".repeat(64), { ...REPLY, text: "another" });
  const third = await openReplyCache(path);
  expect([await third.get(KEY), (await third.get("c".repeat(64)))?.text]).toEqual([REPLY, "another"]);
  expect(readFileSync(path, "utf8").split("\n")).toHaveLength(4);
});

it("IndexedDB keeps replies for the next page", async () => {
  const name = `replies ${Math.floor(performance.now())}`;
  expect(await indexedDbReplyCache(name).get(KEY)).toBeUndefined();
  await indexedDbReplyCache(name).put(KEY, REPLY);
  expect(await indexedDbReplyCache(name).get(KEY)).toEqual(REPLY);
});

it("replies go from the page's store to the terminal's file and back, once each; other lines are counted, not kept", async () => {
  const name = `replies ${Math.floor(performance.now())} out`;
  const page = indexedDbReplyCache(name);
  await page.put(KEY, REPLY);
  await page.put("b".repeat(64), { ...REPLY, text: "über </script>\n\u2028" });
  const lines = await page.exportLines();
  expect(lines.split("\n")).toHaveLength(3);
  const file = space.write("saved.jsonl", `${lines}{"key":"short","text":""}\nnot JSON\n`);
  const taken = await runCli(["teacher", "import", file, "--teacher-cache", space.in("cache.jsonl"), "--json"]);
  expect([taken.status, taken.records]).toEqual([0, [{ added: 2, known: 0, unread: 2 }]]);
  const again = await runCli(["teacher", "import", file, "--teacher-cache", space.in("cache.jsonl"), "--json"]);
  expect(again.records).toEqual([{ added: 0, known: 2, unread: 2 }]);
  const other = indexedDbReplyCache(`${name} two`);
  expect(await other.importLines(readFileSync(space.in("cache.jsonl"), "utf8"))).toEqual({
    added: 2,
    known: 0,
    unread: 0,
  });
  expect(await other.exportLines()).toBe(lines);
  expect(
    await other.importLines(`{"key":"${KEY}","text":"${"x".repeat(600_001)}","promptTokens":1,"completionTokens":1}`),
  ).toEqual({
    added: 0,
    known: 0,
    unread: 1,
  });
});

it("a reply from a cache costs nothing and says so; replies that were cut off are not kept", async () => {
  const server = await scriptedServer((_, response, number) =>
    sayOpenAi(response, '{"answer":"4"}', number === 1 ? "length" : "stop"),
  );
  try {
    const cache = await openReplyCache(space.in("cache.jsonl"));
    const [seed] = seeds(1);
    const ask = (number: number) =>
      chatTeacher({ url: server.url }, { cache }).answer("What?", { rng: new Rng(number), example: seed! });
    expect((await ask(1)).usage).toMatchObject({ requests: 1, promptTokens: 10 });
    expect((await ask(1)).usage).toEqual({ ...ZERO, cached: 1 });
    await expect(ask(2)).rejects.toThrow("cut off");
    expect((await ask(2)).usage.requests).toBe(1);
    expect(server.seen).toHaveLength(3);
  } finally {
    await server.close();
  }
});

const ZERO = { requests: 0, promptTokens: 0, completionTokens: 0, costUsd: 0, durationMs: 0 };

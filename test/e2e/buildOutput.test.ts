/** @file What `npm run build` leaves: ONNX Runtime's glue and binaries as assets, once, and a page that does not carry the engine. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";

const ASSETS = join(ROOT, "dist", "assets");
const files = () => readdirSync(ASSETS);
const textOf = (name: string) => readFileSync(join(ASSETS, name), "utf8");

/** Strings that no minifier removes: of the engine's JavaScript, and of the glue that starts its threads. */
const ENGINE = "_OrtInit";
const GLUE = "em-pthread";
/** Of transformers.js. */
const TRANSFORMERS = "MusicgenForConditionalGeneration";

/** The most that hosts of static files take in one: Cloudflare Pages 25 MiB, the least of those docs/page.md names. */
const FILE_BYTES = 25 * 1024 * 1024;

test("every file is small enough for the hosts that docs/page.md names", () => {
  const sizes = readdirSync(join(ROOT, "dist"), { recursive: true, encoding: "utf8" }).map((name) => ({
    name,
    bytes: statSync(join(ROOT, "dist", name)).size,
  }));
  expect(sizes.filter(({ bytes }) => bytes > FILE_BYTES)).toEqual([]);
});

test("each WebAssembly binary is emitted once, compressed, and no chunk carries the glue", () => {
  const binaries = files().filter((name) => name.endsWith(".bin"));
  expect(files().filter((name) => name.endsWith(".wasm"))).toEqual([]);
  for (const name of binaries) {
    const plain = gunzipSync(readFileSync(join(ASSETS, name)));
    expect(WebAssembly.validate(plain.subarray(0, 8)), name).toBe(true);
  }
  const kinds = binaries.map((name) => name.replace(/-[\w-]{8}\.bin$/, ""));
  expect(new Set(kinds).size).toBe(kinds.length);
  expect(kinds.length).toBeGreaterThan(0);
  const glue = files().filter((name) => name.endsWith(".mjs"));
  expect(glue.length).toBe(binaries.length);
  for (const name of glue) expect(textOf(name), name).toContain(GLUE);
  for (const name of files().filter((file) => file.endsWith(".js"))) expect(textOf(name), name).not.toContain(GLUE);
});

test("what the page loads before a worker starts holds no ONNX Runtime", () => {
  const html = readFileSync(join(ROOT, "dist", "index.html"), "utf8");
  const queue = [...html.matchAll(/assets\/([\w.-]+\.js)/g)].map((match) => match[1]!);
  expect(queue.length).toBeGreaterThan(0);
  const seen = new Set<string>();
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const text = textOf(name);
    expect(text, name).not.toContain(ENGINE);
    for (const match of text.matchAll(/(?:import|from)\s*\(?["'`]\.\/([\w.-]+\.js)["'`]/g)) queue.push(match[1]!);
  }
});

test("transformers.js is a chunk of the teacher's worker alone, which only a teacher in the tab loads", () => {
  const scripts = files().filter((name) => name.endsWith(".js"));
  const carriers = scripts.filter((name) => textOf(name).includes(TRANSFORMERS));
  expect(carriers).toHaveLength(1);
  const users = scripts.filter((name) => textOf(name).includes(`./${carriers[0]!}`));
  expect(users.map((name) => name.replace(/-[\w-]{8}\.js$/, ""))).toEqual(["teacher.worker"]);
  const starters = scripts.filter((name) => name !== users[0] && textOf(name).includes(users[0]!));
  expect(starters.map((name) => name.replace(/-[\w-]{8}\.js$/, ""))).toEqual(["loop.worker"]);
  // Not imported there, but named: a worker is started from it.
  expect(textOf(starters[0]!)).not.toMatch(new RegExp(`(?:import|from)\\s*\\(?["'\`]\\./${users[0]!}`));
});

test("every path in the page is relative, so that the build works below any path", () => {
  const html = readFileSync(join(ROOT, "dist", "index.html"), "utf8");
  expect(html.match(/(?:src|href)="\/[^"]*"/g)).toBeNull();
});

/** Most that the first load may take, gzip, without the engine. */
const FIRST_LOAD_BYTES = 150_000;

test("the first load is at most 150 kB of JavaScript, compressed: heavy views and the engine come later", () => {
  const html = readFileSync(join(ROOT, "dist", "index.html"), "utf8");
  const queue = [...html.matchAll(/(?:src|href)="\.\/assets\/([\w.-]+\.js)"/g)].map((match) => match[1]!);
  expect(queue.length).toBeGreaterThan(0);
  // The page's own entry is imported by the script that isolates it.
  const mains = queue.flatMap((name) => [...textOf(name).matchAll(/["'`]\.\/(main-[\w.-]+\.js)["'`]/g)]);
  queue.push(...mains.map((match) => match[1]!));
  const seen = new Set<string>();
  let bytes = 0;
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const text = textOf(name);
    bytes += gzipSync(text).length;
    for (const match of text.matchAll(/(?:\bfrom|\bimport)\s*["'`]\.\/([\w.-]+\.js)["'`]/g)) queue.push(match[1]!);
  }
  expect(
    [...seen].some((name) => name.startsWith("main-")),
    [...seen].join(),
  ).toBe(true);
  expect(bytes).toBeGreaterThan(20_000);
  expect(bytes).toBeLessThan(FIRST_LOAD_BYTES);
});

/** @file Places that files come from and go to: what is missing is named, and nothing appears half-written. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BadInputError } from "../../src/core/errors.ts";
import { checkRelativePath, memorySink, memorySource, urlSource } from "../../src/formats/fileSource.ts";
import { directorySink, directorySource, readTextFile } from "../../src/formats/node/directorySource.ts";
import { BUILTIN_STUDENT_FILES } from "../../src/student/builtinFiles.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tutelage-files-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test("paths that leave their place are refused", () => {
  for (const path of ["../x", "a/../../x", "/etc/passwd", "", "a//b", "./a", "C:x", "a\\..\\b", "a\0"]) {
    expect(() => checkRelativePath(path, "here"), path).toThrow(BadInputError);
  }
  expect(checkRelativePath("a/b.c", "here")).toBe("a/b.c");
});

describe("memory", () => {
  test("reads copies, and names a missing file", async () => {
    const bytes = Uint8Array.of(1, 2);
    const source = memorySource(
      new Map<string, Uint8Array | string>([
        ["b", bytes],
        ["t", "text"],
      ]),
      "mem",
    );
    (await source.read("b"))[0] = 9;
    expect(bytes[0]).toBe(1);
    expect(await source.readText("t")).toBe("text");
    expect(await source.list?.()).toEqual(["b", "t"]);
    await expect(source.read("config.json")).rejects.toThrow(/mem: expected a file config\.json.*tokenizer\.json/);
  });

  test("a sink hands over nothing before commit, and nothing after abort", async () => {
    const received: string[][] = [];
    const sink = memorySink((files) => received.push([...files.keys()]));
    await sink.write("a", "1");
    expect(received).toEqual([]);
    await sink.commit();
    expect(received).toEqual([["a"]]);
    await expect(sink.write("b", "2")).rejects.toThrow(BadInputError);
    const dropped = memorySink((files) => received.push([...files.keys()]));
    await dropped.write("a", "1");
    await dropped.abort();
    await dropped.abort();
    await expect(dropped.commit()).rejects.toThrow(BadInputError);
    expect(received.length).toBe(1);
  });
});

describe("directory", () => {
  test("names directory and file, and says what a student directory holds", async () => {
    await expect(directorySource(join(root, "none")).read("config.json")).rejects.toThrow(
      /none: expected a file config\.json, got no such directory\. A student directory holds/,
    );
    await expect(directorySource(root).read("config.json")).rejects.toThrow(
      /expected a file config\.json, got no such file/,
    );
    await writeFile(join(root, "file"), "x");
    await expect(directorySource(join(root, "file")).read("config.json")).rejects.toThrow(
      /a file instead of a directory/,
    );
    await mkdir(join(root, "config.json"));
    await expect(directorySource(root).read("config.json")).rejects.toThrow(/a directory of that name/);
    expect(await directorySource(root).has("config.json")).toBe(false);
  });

  test("reads bytes and text, and refuses text that is not UTF-8", async () => {
    await writeFile(join(root, "a.json"), "\ufeffé");
    await writeFile(join(root, "b.json"), Uint8Array.of(0xff, 0xfe));
    const source = directorySource(root);
    expect(await source.readText("a.json")).toBe("é");
    await expect(source.readText("b.json")).rejects.toThrow(/b\.json: expected UTF-8/);
    await expect(readTextFile(join(root, "none.jsonl"))).rejects.toThrow(BadInputError);
    expect(await source.list?.()).toEqual(["a.json", "b.json"]);
  });

  test("a sink shows everything on commit and nothing before", async () => {
    const out = join(root, "deep", "out");
    const sink = await directorySink(out);
    await sink.write("config.json", "{}");
    await sink.write("model.safetensors", Uint8Array.of(1, 2, 3));
    expect(existsSync(out)).toBe(false);
    await sink.commit();
    expect((await readdir(out)).sort()).toEqual(["config.json", "model.safetensors"]);
    expect(await readdir(join(root, "deep"))).toEqual(["out"]);
  });

  test("an aborted sink leaves no trace", async () => {
    const sink = await directorySink(join(root, "out"));
    await sink.write("a", "1");
    await sink.abort();
    await sink.abort();
    expect(await readdir(root)).toEqual([]);
    await expect(sink.commit()).rejects.toThrow(BadInputError);
  });

  test("an empty directory is taken, and earlier output of the same files replaced", async () => {
    const out = join(root, "out");
    await mkdir(out);
    for (const text of ["first", "second"]) {
      const sink = await directorySink(out, ["config.json"]);
      await sink.write("config.json", text);
      await sink.commit();
      expect(await readFile(join(out, "config.json"), "utf8")).toBe(text);
    }
    expect(await readdir(root)).toEqual(["out"]);
  });

  test("a directory with anything else is refused at once and left alone", async () => {
    await writeFile(join(root, "thesis.tex"), "years of work");
    await expect(directorySink(root, ["config.json"])).rejects.toThrow(/1 other file\(s\), thesis\.tex/);
    expect(await readFile(join(root, "thesis.tex"), "utf8")).toBe("years of work");
    await expect(directorySink(join(root, "thesis.tex"))).rejects.toThrow(/a file of that name/);
    await expect(directorySink(join(root, "thesis.tex", "out"))).rejects.toThrow(BadInputError);
  });

  test("an adapter never replaces the student it was trained on", async () => {
    const out = join(root, "student");
    await mkdir(out);
    await writeFile(join(out, "model.safetensors"), "weights");
    const sink = await directorySink(out, ["model.safetensors"]);
    await sink.write("adapter_config.json", "{}");
    await expect(sink.commit()).rejects.toThrow(/model\.safetensors/);
    expect(await readdir(root)).toEqual(["student"]);
    expect(await readdir(out)).toEqual(["model.safetensors"]);
  });
});

describe("address", () => {
  let server: Server;
  let base: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://x").pathname;
      if (path === "/student/config.json") response.setHeader("content-type", "application/json").end("{}");
      else if (path === "/student/a%20b.bin") response.end(Buffer.alloc(100_000, 7));
      else if (path === "/student/nohead" && request.method === "HEAD") response.writeHead(405).end();
      else if (path === "/student/nohead") response.end("x");
      else if (path.startsWith("/app/"))
        response.setHeader("content-type", "text/html; charset=utf-8").end("<!doctype html>");
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise<void>((resolve) => void server.close(() => resolve())));

  test("reads files with progress, with or without a trailing slash", async () => {
    const progress: number[] = [];
    const source = urlSource(`${base}/student`, {
      onProgress: (_, loaded, total) => progress.push(loaded / (total ?? Number.NaN)),
    });
    expect(await source.readText("config.json")).toBe("{}");
    expect((await source.read("a b.bin")).length).toBe(100_000);
    expect(progress.at(-1)).toBe(1);
    expect(await source.has("config.json")).toBe(true);
    expect(await source.has("nohead")).toBe(true);
    expect(await source.has("model.safetensors")).toBe(false);
  });

  test("says what the server answered", async () => {
    await expect(urlSource(`${base}/student/`).read("tokenizer.json")).rejects.toThrow(
      /student: expected a file tokenizer\.json, got HTTP status 404/,
    );
  });

  test("takes the page of a single-page app for a missing file", async () => {
    const source = urlSource(`${base}/app`);
    expect(await source.has("model.safetensors.index.json")).toBe(false);
    await expect(source.read("config.json")).rejects.toThrow(/a web page in its place/);
  });

  test("a server that is not there and a stopped download are told apart", async () => {
    await expect(urlSource("http://127.0.0.1:1/x").read("config.json")).rejects.toThrow(BadInputError);
    const controller = new AbortController();
    controller.abort(new Error("stopped"));
    await expect(urlSource(`${base}/student`, { signal: controller.signal }).read("config.json")).rejects.toThrow(
      "stopped",
    );
  });
});

test("a page asks its host for no file that the built-in student does not have", async () => {
  const folder = fileURLToPath(new URL("../../public/student", import.meta.url));
  // The model card and how it was made are for people.
  const files = readdirSync(folder).filter((name) => !["README.md", "training.json"].includes(name));
  expect([...BUILTIN_STUDENT_FILES]).toEqual(files.sort());
  const nowhere = urlSource("http://127.0.0.1:1/student", { files: BUILTIN_STUDENT_FILES });
  expect(await nowhere.has("config.json")).toBe(true);
  expect(await nowhere.has("chat_template.jinja")).toBe(false);
});

/**
 * @file Vite plugin: writes into the built service worker which files the build has, by when
 * they are kept for offline use, and a version that changes with any of them.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";

const WORKER = "serviceWorker.js";
/** Never asked for by the page: source maps, the hosts' headers, the Node build. */
const LEFT_OUT = /\.map$|(^|\/)_headers$|^cli\/|README\.md$/;

/**
 * The files of a built page in the order they are kept: `first` for the first screen, `rest` for everything
 * but the engine, `engine` ONNX Runtime's WebAssembly with its glue, `used` what is kept only once it was used.
 * @param {string} folder
 */
export function listBuiltFiles(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => path.split(sep).join("/"))
    .filter((path) => path !== WORKER && !LEFT_OUT.test(path) && statSync(join(folder, path)).isFile())
    .sort();
  const html = readFileSync(join(folder, "index.html"), "utf8");
  const isEngine = (/** @type {string} */ path) => /\/ort-wasm[^/]*\.(bin|mjs)$/.test(path);
  // The build that runs in every browser; those for WebGPU are kept when they are used.
  const isPlain = (/** @type {string} */ path) => /\/ort-wasm-simd-threaded-[^/]*$/.test(path);
  const isFirst = (/** @type {string} */ path) =>
    path === "index.html" || html.includes(path) || /\/main-[^/]*\.js$/.test(path);
  // Students of other tasks and reports to look at are kept when they are used, as the engine's builds for WebGPU are.
  const isOther = (/** @type {string} */ path) => path.startsWith("students/") || /\/report-[^/]*\.json$/.test(path);
  const hash = createHash("sha256");
  for (const path of files) hash.update(`${path} `).update(readFileSync(join(folder, path)));
  return {
    version: hash.digest("hex").slice(0, 16),
    first: files.filter(isFirst),
    rest: files.filter((path) => !isFirst(path) && !isEngine(path) && !isOther(path)),
    engine: files.filter((path) => isEngine(path) && isPlain(path)),
    used: files.filter((path) => (isEngine(path) && !isPlain(path)) || isOther(path)),
  };
}

/** @returns {import("vite").Plugin} */
export function offlineFiles() {
  /** @type {string} */
  let folder;
  return {
    name: "offline-files",
    apply: "build",
    configResolved: (config) => void (folder = join(config.root, config.build.outDir)),
    closeBundle() {
      const path = join(folder, WORKER);
      const built = listBuiltFiles(folder);
      writeFileSync(path, `self.BUILT_FILES = ${JSON.stringify(built)};\n${readFileSync(path, "utf8")}`);
    },
  };
}

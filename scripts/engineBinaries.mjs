/**
 * @file Vite plugin: `import binary from "….wasm?engine"` is where ONNX Runtime's WebAssembly is and how many bytes come
 * from there. Built, it is compressed: a quarter of the bytes on hosts that compress nothing, no file over the 25 MiB
 * that some hosts take, and a size that is known beforehand, so that progress can be shown. `src/runtime/browser/binary.ts`
 * reads it.
 */
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { constants, gzipSync } from "node:zlib";

const QUERY = "?engine";

/** @returns {import("vite").Plugin} */
export function engineBinaries() {
  let building = false;
  return {
    name: "engine-binaries",
    enforce: "pre",
    configResolved: (config) => void (building = config.command === "build"),
    async resolveId(id, importer) {
      if (!id.endsWith(QUERY)) return null;
      const file = await this.resolve(id.slice(0, -QUERY.length), importer, { skipSelf: true });
      return file === null ? null : file.id + QUERY;
    },
    load(id) {
      if (!id.endsWith(QUERY)) return null;
      const file = id.slice(0, -QUERY.length);
      if (!building)
        return `import url from ${JSON.stringify(`${file}?url`)};\nexport default { url, bytes: ${statSync(file).size} };`;
      const source = compressed(file);
      // Not `.gz`: some hosts take such a file for a compressed transfer of another one.
      const asset = this.emitFile({ type: "asset", name: `${basename(file, ".wasm")}.bin`, source });
      return `export default { url: import.meta.ROLLUP_FILE_URL_${asset}, bytes: ${source.length} };`;
    },
  };
}

/** Of files that two workers import. @type {Map<string, Uint8Array>} */
const done = new Map();

/** @param {string} file */
function compressed(file) {
  const bytes = done.get(file) ?? gzipSync(readFileSync(file), { level: constants.Z_BEST_COMPRESSION });
  done.set(file, bytes);
  return bytes;
}

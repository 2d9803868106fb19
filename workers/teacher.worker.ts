/** @file The worker of a teacher that is a model in the tab. Wiring only: started by the loop worker when such a teacher is asked, and by nobody else. */
import glue from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import binary from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?engine";
import { fetchBinary } from "../src/runtime/browser/binary.ts";
import { serveLocalModel } from "../src/teacher/local/localWorker.ts";
import { openTransformersModel } from "../src/teacher/local/transformersModel.ts";

const absolute = (url: string): string => new URL(url, import.meta.url).href;

serveLocalModel(globalThis, async (settings, onProgress) => {
  const wasmBinary = await fetchBinary(
    { url: absolute(binary.url), bytes: binary.bytes },
    { onProgress: (loadedBytes, totalBytes) => onProgress({ path: "ONNX Runtime", loadedBytes, totalBytes }) },
  );
  return openTransformersModel(settings, { onProgress, engineFiles: { mjs: absolute(glue), wasmBinary } });
});

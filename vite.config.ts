/**
 * @file How the page is served in development and built. Cross-origin isolated
 * everywhere (threads need it); relative paths, so that the build works under any
 * path of any static host. The Node build of the command line is `scripts/build.mjs`.
 */
import { defaultClientConditions, defineConfig } from "vite";
import { engineBinaries } from "./scripts/engineBinaries.mjs";
import { offlineFiles } from "./scripts/offlineFiles.mjs";

/** What makes a page cross-origin isolated; `public/_headers` and `public/serviceWorker.js` say the same. */
export const ISOLATION_HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/**
 * ONNX Runtime's builds without the WebAssembly glue inside: the glue (`.mjs`) and the
 * binary (`.wasm`) are assets of their own, named to the runtime by URL, so that no chunk
 * carries a copy and a thread of the pool loads the glue alone, not our code.
 */
export const RESOLVE_CONDITIONS = ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions];

/** The binaries are large: the bundler's remark that reading them took its time says nothing. */
const QUIET = { checks: { pluginTimings: false } };

export default defineConfig({
  base: "./",
  plugins: [engineBinaries(), offlineFiles()],
  resolve: { conditions: RESOLVE_CONDITIONS },
  optimizeDeps: {
    entries: ["index.html", "workers/*.ts"],
    exclude: ["onnxruntime-web"],
  },
  server: { headers: ISOLATION_HEADERS },
  preview: { headers: ISOLATION_HEADERS },
  worker: { format: "es", plugins: () => [engineBinaries()], rolldownOptions: QUIET },
  build: {
    target: "es2022",
    sourcemap: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: QUIET,
  },
});

/**
 * @file The layers of `src` and what each may import: the one table that the linter's
 * configuration and the layer test read. `types` adds layers whose contract files may be
 * imported with `import type`, which costs nothing at run time.
 */

/** Layers in their order; a layer imports only from itself and the layers listed. */
export const LAYERS = {
  core: [],
  onnx: ["core"],
  autograd: ["core", "onnx"],
  nn: ["core", "onnx"],
  optim: ["core", "onnx"],
  formats: ["core"],
  hub: ["core", "formats"],
  tokenizer: ["core", "formats"],
  tasks: ["core"],
  selection: ["core"],
  study: ["core"],
  protocol: ["core"],
  runtime: ["core", "onnx"],
  teacher: ["core", "tasks"],
  student: ["core", "onnx", "autograd", "nn", "optim", "formats", "tokenizer", "runtime"],
  loop: ["core", "formats", "protocol", "student", "tasks", "selection", "study", "teacher"],
  storage: ["core"],
  charts: ["core", "study"],
  app: ["core", "protocol", "storage", "study", "charts"],
  cli: [
    "core",
    "onnx",
    "autograd",
    "nn",
    "optim",
    "formats",
    "hub",
    "tokenizer",
    "tasks",
    "selection",
    "runtime",
    "teacher",
    "student",
    "loop",
    "storage",
    "study",
    "charts",
  ],
};

/** Files that hold types and constants that layers agree on: any layer but `core` may import their types. */
export const CONTRACT_FILES = ["types.ts", "config.ts", "records.ts", "runStore.ts"];

/** Files of plain data, and rules on it alone, that import nothing at run time: any layer but `core` may import their values. */
export const DATA_FILES = [
  "loop/defaults.ts",
  "selection/strategies.ts",
  "student/memorySettings.ts",
  "tasks/custom/settings.ts",
  "tasks/rareKinds.ts",
];

/** Packages that one place alone may import. */
export const OWNED_PACKAGES = {
  "onnxruntime-common": ["runtime"],
  "onnxruntime-node": ["runtime"],
  "onnxruntime-web": ["runtime"],
  webgpu: ["runtime"],
  "#platform": ["runtime"],
  idb: ["storage"],
  "@noble/hashes": ["hub", "storage", "teacher"],
  "@ai-sdk/provider": ["teacher"],
  "@ai-sdk/openai-compatible": ["teacher"],
  "@ai-sdk/anthropic": ["teacher"],
  "@ai-sdk/google": ["teacher"],
  jsonrepair: ["teacher"],
  "@huggingface/transformers": ["teacher"],
  "@huggingface/tokenizers": ["tokenizer"],
  "@huggingface/jinja": ["tokenizer"],
  "@bufbuild/protobuf": ["onnx"],
  fflate: ["student", "storage"],
  preact: ["app", "charts"],
  "preact-render-to-string": ["charts"],
  comlink: ["protocol"],
  "pure-rand": ["core"],
  papaparse: ["formats"],
  re2js: ["tasks"],
};

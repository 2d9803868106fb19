/** @file The engine's report: what is known is said with its unit, what is not known is left out. */
import { expect, test } from "vitest";
import { initialState } from "../../src/app/appState.ts";
import { DEFAULT_DRAFT } from "../../src/app/settings.ts";
import { engineReport, reportText } from "../../src/app/views/engine/engineReport.ts";
import type { EngineStatus } from "../../src/protocol/loopService.ts";

const state = { ...initialState(DEFAULT_DRAFT, true), hubToken: "hf_secret", teacherKey: "sk-secret" };
const plain = (text: string): string => text.replaceAll("\u00a0", " ");

test("before anything is known, nothing is made up", () => {
  const text = plain(reportText(engineReport(state, null), "a browser"));
  expect(text).toContain("Engine: chosen at Start");
  expect(text).not.toMatch(/NaN|undefined|null|Nodes per step|Queue/);
  expect(text.split("\n").at(-1)).toBe("Browser: a browser");
});

test("everything that is known is a line, with units, and no secret is in it", () => {
  const status: EngineStatus = {
    providers: [
      { ep: "webgpu", available: false, reason: "a software adapter" },
      { ep: "wasm", available: true },
    ],
    engine: {
      ep: "wasm",
      version: "onnxruntime-web 1",
      threads: 4,
      fallbackReason: "webgpu not used",
      selfTest: "agrees",
      limits: { maxBufferSize: 268_435_456 },
    },
    live: { tensors: 12, bytes: 34_000_000, sessions: 5 },
    memory: {
      wasmHeapBytes: 120_000_000,
      tensorBytes: { weights: 0, trainable: 7_000_000, moments: 14_000_000, gradients: 3_000_000, other: 0 },
      peak: {
        of: "heap",
        totalBytes: 110_000_000,
        tensorBytes: { weights: 0, trainable: 8_000_000, moments: 16_000_000, gradients: 4_000_000, other: 2_000_000 },
      },
    },
    queue: 2,
    needs: {
      ep: "wasm",
      batch: 16,
      length: 96,
      gradientCheckpointing: false,
      nodesPerStep: 1234,
      bytes: { weights: 0, activations: 50_000_000, moments: 20_000_000, total: 70_000_000 },
    },
  };
  const text = plain(reportText(engineReport(state, status), "a browser"));
  for (const line of [
    "Engine: WASM on the CPU",
    "Threads: 4",
    "Self-test: agrees",
    "Why not a faster engine: webgpu not used",
    "WebGPU: not available: a software adapter",
    "Limits: maxBufferSize 268 MB",
    "Queue: 2 on the engine or waiting for it",
    "Device tensors: 12, 34 MB",
    "WebAssembly heap: 120 MB",
    "Nodes per step: 1,234 ONNX nodes as written",
    "Largest batch: 16 rows of 96 tokens",
    "activations: 50 MB",
    "in all, for each lane: 70 MB",
    "Memory at its fullest, measured",
    "AdamW's moments, twice: 16 MB",
    "caches of generation: 2.0 MB",
    "activations, head and loss, ONNX Runtime: 80 MB",
    "in all, of the WebAssembly memory: 110 MB",
  ])
    expect(text).toContain(line);
  expect(text.indexOf("activations")).toBeLessThan(text.indexOf("AdamW's moments"));
  expect(text).not.toContain("secret");
});

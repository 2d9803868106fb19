/** @file The engine suite in Chromium: WASM with threads, and WebGPU. The same in Node: test/unit/runtimeEngine. */
import { engineSuite } from "../support/engineSuite.ts";

engineSuite("wasm");
engineSuite("webgpu");

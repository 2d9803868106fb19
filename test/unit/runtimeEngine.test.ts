/** @file The engine suite in Node: native CPU, WASM, and WebGPU through Dawn. The same in Chromium: test/browser/runtimeEngine. */
import { engineSuite } from "../support/engineSuite.ts";

engineSuite("cpu");
engineSuite("wasm");
engineSuite("webgpu");

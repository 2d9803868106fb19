/** @file WebGPU failures through Dawn in Node; in Chromium: test/browser/runtimeGpuFaults. */
import { gpuFaultSuite } from "../support/gpuFaultSuite.ts";

gpuFaultSuite();

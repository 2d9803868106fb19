/** @file WebGPU failures in Chromium; in Node: test/unit/runtimeGpuFaults. */
import { gpuFaultSuite } from "../support/gpuFaultSuite.ts";

gpuFaultSuite();

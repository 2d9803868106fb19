/** @file A whole process that opens an engine (first argument), runs once, disposes it and must then end by itself. */
import { createEngine } from "../../src/runtime/createEngine.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import type { ExecutionProvider } from "../../src/runtime/types.ts";

const ep = process.argv[2] as ExecutionProvider;
const graph = new GraphBuilder("twice");
const x = graph.input("x", "float32", [1]);
graph.output(graph.add(x, x), "y");
const engine = await createEngine(ep);
const session = await engine.createSession(encodeModel(graph.build()), { name: "twice" });
const result = await session.run({ x: { type: "float32", shape: [1], data: Float32Array.of(1) } }, { y: "host" });
process.stdout.write(`${ep} ${JSON.stringify([...result.host("y").data].map(Number))}\n`);
await engine.dispose();

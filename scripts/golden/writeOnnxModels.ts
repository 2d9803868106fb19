/**
 * @file Writes the models of `test/support/onnxModels.ts` into a folder, for the official
 * checker. Regenerates the committed verdicts with:
 *
 *     npx tsx scripts/golden/writeOnnxModels.ts /tmp/models
 *     /usr/bin/python3 scripts/golden/checkOnnxModels.py /tmp/models test/golden/onnxChecker.json
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeModel } from "../../src/onnx/model.ts";
import { onnxModels } from "../../test/support/onnxModels.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("writeOnnxModels: expected a folder, got no argument");
mkdirSync(folder, { recursive: true });
const models = onnxModels();
for (const [name, graph] of models) writeFileSync(join(folder, `${name}.onnx`), encodeModel(graph));
process.stdout.write(`${models.size} models in ${folder}\n`);

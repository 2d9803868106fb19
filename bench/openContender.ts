/** @file From a contender's name to the contender. Libraries are imported only when asked for. */
import type { Contender, ContenderSpec } from "./contender.ts";
import { MODELS } from "./models.ts";

export async function openContender({ contender, model: name }: ContenderSpec): Promise<Contender> {
  const model = MODELS[name];
  switch (contender) {
    case "cpu":
    case "webgpu":
    case "wasm":
      return (await import("./contenders/ours.ts")).openOurs(model, contender);
    case "wasm1":
      return (await import("./contenders/ours.ts")).openOurs(model, "wasm", 1);
    case "jax":
      return (await import("./contenders/jax.ts")).openJax(model);
    case "tensorflow":
      return (await import("./contenders/tensorflow.ts")).openTensorflow(model);
    default:
      throw new Error(`no contender '${contender}' in a page or a process of ours`);
  }
}

/** @file Entry point of a contender's Node process: registers tsx, then answers its parent's requests. */
import { join } from "node:path";
import { register } from "tsx/esm/api";
import { ROOT } from "../../scripts/setup.mjs";

register({ tsconfig: join(ROOT, "tsconfig.json") });
const { Service } = await import("../service.ts");
const service = new Service();
process.on("message", (request) => {
  void service.answer(/** @type {import("../service.ts").Request} */ (request)).then((reply) => process.send?.(reply));
});
process.on("disconnect", () => process.exit(0));

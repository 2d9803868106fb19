/** @file Entry point of a contender's worker in the browser, where the engine of the product runs too. */
import { Service, type Request } from "../service.ts";

const service = new Service();
globalThis.onmessage = (event: MessageEvent<Request>) => {
  void service.answer(event.data).then((reply) => globalThis.postMessage(reply, { transfer: [] }));
};

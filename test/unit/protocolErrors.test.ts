/** @file Errors as plain data and back. */
import * as fc from "fast-check";
import { expose, wrap } from "comlink";
import { describe, expect, it } from "vitest";
import { BadInputError, TutelageError } from "../../src/core/errors.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import { fromWireError, installErrorTransfer, toWireError } from "../../src/protocol/errors.ts";

const codes = fc.constantFrom<ErrorCode>(
  "bad-input",
  "unsupported",
  "non-finite",
  "device-lost",
  "device-refused",
  "out-of-memory",
  "aborted",
  "disposed",
  "quota",
  "worker-crashed",
  "internal",
);
/** What JSON can carry: a negative zero is not. */
const details = fc
  .dictionary(fc.string(), fc.jsonValue())
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>);

describe("an error on the wire", () => {
  it("is plain JSON and comes back with class, code, message, details, stack and cause", () => {
    fc.assert(
      fc.property(codes, fc.string(), details, fc.string(), (code, message, detail, causeText) => {
        const options = { details: detail, cause: new RangeError(causeText) };
        const error =
          code === "bad-input" ? new BadInputError(message, options) : new TutelageError(code, message, options);
        const wire = toWireError(error);
        expect(JSON.parse(JSON.stringify(wire))).toEqual(wire);
        const back = fromWireError(structuredClone(wire));
        expect(back).toBeInstanceOf(TutelageError);
        expect(back instanceof BadInputError).toBe(code === "bad-input");
        expect(back).toMatchObject({ name: error.name, code, message, details: detail, stack: error.stack });
        expect(back.cause).toMatchObject({ name: "RangeError", message: causeText });
      }),
    );
  });

  it("keeps the name and message of any other error, and the text of what is none", () => {
    expect(fromWireError(toWireError(new TypeError("odd")))).toMatchObject({ name: "TypeError", message: "odd" });
    expect(fromWireError(toWireError("just text"))).toMatchObject({ name: "Error", message: "just text" });
    expect(fromWireError(toWireError(undefined))).toMatchObject({ message: "undefined" });
  });

  it("survives causes that go in circles and details that are no JSON", () => {
    const error = new Error("round");
    error.cause = error;
    expect(JSON.stringify(toWireError(error))).toContain("round");
    const odd = new TutelageError("internal", "odd", { details: { big: 1n } });
    expect(toWireError(odd).details).toEqual({ unserializable: "big" });
  });

  it("is thrown on the far side of comlink as itself, also from synchronous code", async () => {
    installErrorTransfer();
    installErrorTransfer();
    const { port1, port2 } = new MessageChannel();
    const service = {
      refuse: async (): Promise<void> =>
        Promise.reject(new BadInputError("x: expected a, got b", { details: { n: 1 } })),
      fail: () => {
        throw new TypeError("odd");
      },
    };
    expose(service, port2);
    const remote = wrap<typeof service>(port1);
    const refused: unknown = await remote.refuse().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BadInputError);
    expect(refused).toMatchObject({ code: "bad-input", message: "x: expected a, got b", details: { n: 1 } });
    await expect(remote.fail()).rejects.toMatchObject({ name: "TypeError", message: "odd" });
    port1.close();
    port2.close();
  });
});

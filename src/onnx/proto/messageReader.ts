/**
 * @file Reads the fields of one protobuf message, with the checks that a hostile file
 * calls for: a field of the wrong wire type, text that is not UTF-8 and bytes that end
 * too early are errors. Unknown fields are skipped. Wire format by @bufbuild/protobuf.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { badInput } from "../../core/errors.ts";

const WIRE_NAMES: Readonly<Record<number, string>> = {
  0: "varint",
  1: "64-bit",
  2: "length-delimited",
  3: "group",
  4: "end of group",
  5: "32-bit",
};

/** A cursor over the fields of one message: `while (reader.next()) switch (reader.field) …`. */
export class MessageReader {
  /** Number of the current field. */
  field = 0;
  readonly #reader: BinaryReader;
  readonly #what: string;
  #wire: WireType = WireType.Varint;
  #pending = false;

  /** `what` names the message in errors. Borrows `bytes`. */
  constructor(bytes: Uint8Array, what: string) {
    this.#reader = new BinaryReader(bytes);
    this.#what = what;
  }

  /** Moves to the next field (skipping the current one if it was not read); false at the end. */
  next(): boolean {
    if (this.#pending) this.#reader.skip(this.#wire, this.field);
    this.#pending = this.#reader.pos < this.#reader.len;
    if (this.#pending) [this.field, this.#wire] = this.#reader.tag();
    return this.#pending;
  }

  #expect(wire: WireType): BinaryReader {
    if (this.#wire !== wire)
      badInput(
        `ONNX model, ${this.#what} field ${this.field}`,
        `wire type ${WIRE_NAMES[wire]}`,
        WIRE_NAMES[this.#wire] ?? String(this.#wire),
      );
    this.#pending = false;
    return this.#reader;
  }

  /** Bytes of a nested message or of a bytes field: a view, not a copy. */
  bytes(): Uint8Array {
    return this.#expect(WireType.LengthDelimited).bytes();
  }

  string(): string {
    return this.#expect(WireType.LengthDelimited).string(true);
  }

  float(): number {
    return this.#expect(WireType.Bit32).float();
  }

  int64(): bigint {
    return BigInt(this.#expect(WireType.Varint).int64());
  }

  /** An int64 as a number; rounded beyond 2^53 (INT64_MAX as "to the end"). */
  integer(): number {
    return Number(this.int64());
  }

  /** Appends a repeated scalar, packed or not. */
  #repeated<T>(wire: WireType, read: (reader: BinaryReader) => T, into: T[]): void {
    if (this.#wire !== WireType.LengthDelimited) {
      into.push(read(this.#expect(wire)));
      return;
    }
    const packed = new BinaryReader(this.bytes());
    while (packed.pos < packed.len) into.push(read(packed));
  }

  int64s(into: bigint[]): void {
    this.#repeated(WireType.Varint, (reader) => BigInt(reader.int64()), into);
  }

  integers(into: number[]): void {
    this.#repeated(WireType.Varint, (reader) => Number(reader.int64()), into);
  }

  floats(into: number[]): void {
    this.#repeated(WireType.Bit32, (reader) => reader.float(), into);
  }

  doubles(into: number[]): void {
    this.#repeated(WireType.Bit64, (reader) => reader.double(), into);
  }
}

/**
 * @file The `DeviceTensor` that engines hand out. Law of ownership: whoever got it
 * disposes it; runs borrow. Memory that a queued run still needs is kept until
 * that run has settled, though the tensor counts as disposed at once.
 */
import type { DataType } from "../onnx/types.ts";
import { elementCount, formatShape } from "../onnx/shapes.ts";
import { elementBytes } from "./dataTypes.ts";
import { usedAfterDispose } from "./runtimeErrors.ts";
import type { DeviceTensor, TensorRole } from "./types.ts";

export interface TensorOwner<S> {
  /** Called when the tensor is disposed. */
  released(tensor: OwnedTensor<S>): void;
  /** Called when the memory can go, at the same time or later. */
  free(storage: S): void;
}

export class OwnedTensor<S> implements DeviceTensor {
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly role: TensorRole;
  readonly owner: TensorOwner<S>;
  readonly #storage: S;
  #pins = 0;
  #disposed = false;

  constructor(owner: TensorOwner<S>, type: DataType, shape: readonly number[], role: TensorRole, storage: S) {
    this.owner = owner;
    this.type = type;
    this.shape = [...shape];
    this.byteLength = elementCount(shape) * elementBytes(type);
    this.role = role;
    this.#storage = storage;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** The storage. @throws TutelageError disposed. */
  get storage(): S {
    if (this.#disposed && this.#pins === 0) throw usedAfterDispose(this.toString());
    return this.#storage;
  }

  /** Keeps the memory until `unpin`. @throws TutelageError disposed. */
  pin(): void {
    if (this.#disposed) throw usedAfterDispose(this.toString());
    this.#pins += 1;
  }

  unpin(): void {
    this.#pins -= 1;
    if (this.#disposed && this.#pins === 0) this.owner.free(this.#storage);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.owner.released(this);
    if (this.#pins === 0) this.owner.free(this.#storage);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `device tensor ${this.type} ${formatShape(this.shape)}`;
  }
}

/**
 * @file Checks the feeds and targets of a run by name against what the session declares,
 * before ONNX Runtime sees them, and works out the shapes of its outputs. Changes nothing.
 */
import { TutelageError, badInput } from "../core/errors.ts";
import { elementCount, formatShape } from "../onnx/shapes.ts";
import type { DataType, Shape, Tensor, Value } from "../onnx/types.ts";
import { arrayName, hasRightArray } from "./dataTypes.ts";
import { OwnedTensor } from "./deviceTensor.ts";
import { usedAfterDispose } from "./runtimeErrors.ts";
import type { DeviceTensor, OutputTarget } from "./types.ts";

/** Sizes that the feeds of a run gave to symbolic dimensions. */
export type Bindings = ReadonlyMap<string, number>;

/** @throws BadInputError when the data of a host tensor does not fit its type and shape. */
export function checkHostTensor(where: string, tensor: Tensor): void {
  if (!hasRightArray(tensor))
    badInput(where, `a ${arrayName(tensor.type)} for ${tensor.type}`, tensor.data.constructor.name);
  checkShape(where, tensor.shape);
  const count = elementCount(tensor.shape);
  if (tensor.data.length !== count)
    badInput(where, `${count} elements for shape ${formatShape(tensor.shape)}`, String(tensor.data.length));
}

/** @throws BadInputError unless every dimension is a whole number ≥ 0. */
export function checkShape(where: string, shape: readonly number[]): void {
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0))
    badInput(where, "whole dimensions ≥ 0", formatShape(shape));
}

/**
 * Checks the feeds: every declared input is there, nothing else is, types and shapes
 * agree, symbols are used consistently. @returns the sizes of the symbols.
 * @throws BadInputError; TutelageError disposed.
 */
export function checkFeeds(
  session: string,
  inputs: readonly Value[],
  feeds: Readonly<Record<string, Tensor | DeviceTensor>>,
  owner: object,
): Bindings {
  const bindings = new Map<string, number>();
  for (const input of inputs) {
    const where = `session '${session}', input '${input.name}'`;
    const feed = Object.hasOwn(feeds, input.name) ? feeds[input.name] : undefined;
    if (feed === undefined) badInput(where, `a tensor ${describe(input)}`, "nothing");
    if ("data" in feed) checkHostTensor(where, feed);
    else checkOwned(where, feed, owner);
    if (feed.type !== input.type || !bind(input.shape, feed.shape, bindings)) {
      badInput(where, describe(input, bindings), describe(feed));
    }
  }
  for (const name of Object.keys(feeds)) {
    if (!inputs.some((input) => input.name === name)) {
      badInput(`session '${session}'`, `inputs ${inputs.map((input) => input.name).join(", ")}`, `an input '${name}'`);
    }
  }
  return bindings;
}

/**
 * Checks the targets: outputs that exist, given tensors of the right type and shape, none
 * of them fed to the same run or given twice. @returns type and shape of each output that stays on the device.
 * @throws BadInputError; TutelageError disposed, unsupported (a "device" output of unknown size).
 */
export function checkTargets(
  session: string,
  outputs: readonly Value[],
  targets: Readonly<Record<string, OutputTarget>>,
  feeds: Readonly<Record<string, Tensor | DeviceTensor>>,
  bindings: Bindings,
  owner: object,
): ReadonlyMap<string, { readonly type: DataType; readonly shape: readonly number[] }> {
  const device = new Map<string, { readonly type: DataType; readonly shape: readonly number[] }>();
  const written = new Set<unknown>(Object.values(feeds));
  const names = Object.keys(targets);
  if (names.length === 0)
    badInput(
      `session '${session}'`,
      `at least one of the outputs ${outputs.map((output) => output.name).join(", ")}`,
      "none",
    );
  for (const name of names) {
    const target = targets[name];
    const output = outputs.find((value) => value.name === name);
    if (output === undefined || target === undefined) {
      badInput(
        `session '${session}'`,
        `outputs ${outputs.map((value) => value.name).join(", ")}`,
        `an output '${name}'`,
      );
    }
    if (target === "host") continue;
    const where = `session '${session}', output '${name}'`;
    const shape = resolveShape(output.shape, bindings);
    if (target === "device") {
      if (shape === undefined) {
        throw new TutelageError(
          "unsupported",
          `${where}: the size of ${formatShape(output.shape)} is not known before the run. Ask for "host", or give a tensor`,
        );
      }
      device.set(name, { type: output.type, shape });
      continue;
    }
    checkOwned(where, target, owner);
    if (target.type !== output.type || !bind(output.shape, target.shape, new Map(bindings))) {
      badInput(where, describe(output, bindings), `a target ${describe(target)}`);
    }
    if (written.has(target))
      badInput(where, "a target that this run neither reads nor writes elsewhere", "the same tensor twice");
    written.add(target);
    device.set(name, target);
  }
  return device;
}

/** @throws BadInputError for another engine's tensor; TutelageError disposed. */
export function checkOwned(where: string, tensor: DeviceTensor, owner: object): void {
  if (!(tensor instanceof OwnedTensor) || tensor.owner !== owner)
    badInput(where, "a tensor of this engine", "one of another engine");
  if (tensor.disposed) throw usedAfterDispose(`${where}: ${String(tensor)}`);
}

function bind(declared: Shape, actual: readonly number[], bindings: Map<string, number>): boolean {
  if (declared.length !== actual.length) return false;
  return declared.every((dim, axis) => {
    const size = actual[axis] ?? 0;
    if (dim === "") return true;
    const expected = typeof dim === "number" ? dim : bindings.get(dim);
    if (expected === undefined && typeof dim === "string") bindings.set(dim, size);
    return expected === undefined || expected === size;
  });
}

function resolveShape(shape: Shape, bindings: Bindings): readonly number[] | undefined {
  const sizes = shape.map((dim) => (typeof dim === "number" ? dim : bindings.get(dim)));
  return sizes.every((size) => size !== undefined) ? sizes : undefined;
}

function describe(value: { readonly type: DataType; readonly shape: Shape }, bindings: Bindings = new Map()): string {
  return `${value.type} ${formatShape(value.shape.map((dim) => (typeof dim === "number" ? dim : (bindings.get(dim) ?? (dim || "?")))))}`;
}

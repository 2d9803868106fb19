/** @file A view's own part of the page's state. */
import { expect, test } from "vitest";
import { defineSlice } from "../../src/app/slice.ts";
import type { Sliced } from "../../src/app/slice.ts";
import { Store } from "../../src/app/store.ts";

test("a slice begins as given, changes alone, and an update that changes nothing keeps the state", () => {
  const store = new Store<Sliced & { readonly other: number }>({ slices: new Map(), other: 1 }, (draw) => draw());
  const table = defineSlice({ filter: "" });
  const chat = defineSlice({ filter: "chat" });
  expect(table.of(store.state)).toEqual({ filter: "" });
  table.change(store, () => ({ filter: "wrong" }));
  expect(table.of(store.state)).toEqual({ filter: "wrong" });
  expect(chat.of(store.state)).toEqual({ filter: "chat" });
  expect(store.state.other).toBe(1);
  const before = store.state;
  table.change(store, (slice) => slice);
  expect(store.state).toBe(before);
});

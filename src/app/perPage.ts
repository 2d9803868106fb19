/** @file What a lazily loaded view needs once a page: its actions, made when they are first asked for. */
import type { Page } from "./controller.ts";

/** A function that gives every page its own `make(page)`, made once. */
export function perPage<C>(make: (page: Page) => C): (page: Page) => C {
  const made = new WeakMap<Page, C>();
  return (page) => {
    let own = made.get(page);
    if (own === undefined) made.set(page, (own = make(page)));
    return own;
  };
}

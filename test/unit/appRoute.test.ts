/** @file The page's address: what a hash means, and that links read back. */
import { expect, test } from "vitest";
import { drawerOf, formatRoute, parseRoute, withDrawer } from "../../src/app/route.ts";

test("a hash is a view, a path below it and a query", () => {
  const route = parseRoute("#/lessons/loss%20and%2Fmore?step=2");
  expect(route.view).toBe("lessons");
  expect(route.rest).toEqual(["loss and/more"]);
  expect(route.query.get("step")).toBe("2");
});

test("no hash is the first screen; any text is read without an error", () => {
  expect(parseRoute("").view).toBe("race");
  expect(parseRoute("#").view).toBe("race");
  expect(parseRoute("#/").view).toBe("race");
  expect(parseRoute("#/%E0%A4%A").view).toBe("%E0%A4%A");
});

test("a link reads back as the route it was made of", () => {
  const href = formatRoute({ view: "runs", rest: ["a/b c", "d"], query: new URLSearchParams({ sort: "name" }) });
  const { view, rest, query } = parseRoute(href);
  expect({ view, rest, query: query.toString() }).toEqual({ view: "runs", rest: ["a/b c", "d"], query: "sort=name" });
});

test("a drawer opens over any view and leaves the rest of the address", () => {
  const route = parseRoute("#/runs/7?sort=name");
  expect(drawerOf(route)).toBeNull();
  const opened = parseRoute(withDrawer(route, "engine"));
  expect(drawerOf(opened)).toBe("engine");
  expect(withDrawer(opened, null)).toBe("#/runs/7?sort=name");
  expect(drawerOf(parseRoute("#/race?open=cellar"))).toBeNull();
});

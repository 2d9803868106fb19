/** @file Where two plain-JSON values differ first. */

/** Path and both values (as JSON) of the first difference in key order, undefined when the values are equal. */
export function firstDifference(
  a: unknown,
  b: unknown,
  path = "",
): { readonly path: string; readonly a: string; readonly b: string } | undefined {
  if (isContainer(a) && isContainer(b) && Array.isArray(a) === Array.isArray(b)) {
    for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
      const found = firstDifference(a[key], b[key], path === "" ? key : `${path}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return Object.is(a, b) ? undefined : { path, a: JSON.stringify(a) ?? "nothing", b: JSON.stringify(b) ?? "nothing" };
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

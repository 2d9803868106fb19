/** @file One assertion over thousands of items: far faster than one assertion each, and it shows the first ones that fail. */
import { expect } from "vitest";

/** Expects no item to be complained about: `complain` returns what is wrong with it, undefined when nothing is. */
export function expectNoComplaint<T>(items: Iterable<T>, complain: (item: T) => string | undefined): void {
  const complaints: string[] = [];
  for (const item of items) {
    const complaint = complain(item);
    if (complaint !== undefined) complaints.push(complaint);
    if (complaints.length >= 5) break;
  }
  expect(complaints).toEqual([]);
}

/** @file A hook: what is made of inputs anew in one of the next frames, so that lanes that all change at one press do not cost one long frame. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Turn } from "./frameTurns.ts";
import { frameTurns } from "./frameTurns.ts";

/**
 * `make()` of the first inputs; when inputs have changed, what was made before, until its turn has
 * come and the component renders again. What it makes should carry the inputs that must fit it.
 */
export function useInTurn<T>(make: () => T, inputs: readonly unknown[]): T {
  const [made, setMade] = useState(make);
  const latest = useRef(make);
  latest.current = make;
  const turn = useRef<Turn>(null);
  turn.current ??= frameTurns.turn(() => setMade(() => latest.current()));
  const first = useRef(true);
  useLayoutEffect(() => {
    if (!first.current) turn.current?.ask();
    first.current = false;
  }, inputs);
  useLayoutEffect(() => () => turn.current?.drop(), []);
  return made;
}

/** @file Every two strategies against each other as a table: the row's share of wins over the column, ties counted half in the shade and named in the cell. */
import type { VNode } from "preact";
import type { PairResult } from "../study/reportSchema.ts";
import { figure, pValue } from "./numbers.ts";

/** The matrix of all pairs; `names` is the order of rows and columns. */
export function WinTable({
  names,
  pairs,
  caption,
}: {
  readonly names: readonly string[];
  readonly pairs: readonly PairResult[];
  readonly caption: string;
}): VNode {
  const known = new Map(pairs.flatMap((pair) => [[`${pair.a}\n${pair.b}`, pair] as const]));
  const shown = names.filter((name) => pairs.some(({ a, b }) => a === name || b === name));
  return (
    <div class="sr-scroll" role="region" tabIndex={0} aria-label={caption}>
      <table class="sr-wins">
        <caption>{caption}</caption>
        <thead>
          <tr>
            <td />
            {shown.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={row}>
              <th scope="row">{row}</th>
              {shown.map((column) => (
                <WinCell key={column} row={row} column={column} known={known} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function WinCell({
  row,
  column,
  known,
}: {
  readonly row: string;
  readonly column: string;
  readonly known: ReadonlyMap<string, PairResult>;
}): VNode {
  const forward = known.get(`${row}\n${column}`);
  const backward = known.get(`${column}\n${row}`);
  const pair = forward ?? backward;
  if (pair === undefined) return <td class="sr-soft">·</td>;
  const { ties, difference } = pair;
  const [wins, losses] = pair === forward ? [pair.wins, pair.losses] : [pair.losses, pair.wins];
  const share = (wins + ties / 2) / Math.max(1, wins + ties + losses);
  const sign = pair === forward ? 1 : -1;
  const clear = difference.pHolm < 0.05;
  return (
    <td
      class={share >= 0.5 ? "sr-ahead" : "sr-back"}
      style={`--share:${Math.abs(2 * share - 1).toFixed(2)}`}
      title={`${row} against ${column}: mean difference ${figure(sign * difference.value, "points")}, p ${pValue(difference.p)}, corrected ${pValue(difference.pHolm)}`}
    >
      {clear ? <strong>{`${wins}–${ties}–${losses}*`}</strong> : `${wins}–${ties}–${losses}`}
    </td>
  );
}

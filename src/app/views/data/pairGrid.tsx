/**
 * @file The table itself, as an ARIA grid of which only the rows in sight are in the document:
 * thousands scroll as smoothly as ten. One tab stop; arrows, Page Up and Down, Home and End
 * move between rows, Enter opens one.
 */
import type { VNode } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Glyph, LaneMark, VerdictGlyph } from "../../components/icons.tsx";
import { formatInteger, formatNats, formatUsd } from "../../format.ts";
import type { DataController } from "./dataActions.ts";
import type { Column, LossKind, Sorting, TableRow } from "./pairTable.ts";
import { COLUMNS, fateOf, lossOf, tokensOf } from "./pairTable.ts";

export interface PairGridProps {
  readonly rows: readonly TableRow[];
  readonly sorting: Sorting;
  readonly lossKind: LossKind;
  readonly actions: DataController;
  readonly selected: string | null;
}

/** Rows kept ready outside the window on either side. */
const SPARE_ROWS = 6;
/** Before the first layout. */
const ROW_PX = 56;

const HEADS: Readonly<Record<Column, string>> = {
  fate: "Outcome",
  question: "Question",
  seed: "From the seed",
  lane: "Lane",
  round: "Round",
  score: "Score",
  before: "Loss before",
  after: "Loss after",
  check: "Check",
  cost: "Teacher",
};

const ABOUT: Readonly<Record<Column, string>> = {
  fate: "Whether the pair is trained on",
  question: "The teacher's question, as it is trained on",
  seed: "The seed that the strategy picked",
  lane: "Which student learned from it",
  round: "In which round",
  score: "The seed's score by the strategy, and its rank",
  before: "The student's loss on the seed when it was picked, nats per token",
  after: "The same a round later, after training on the pair; the last round has none",
  check: "What verification said",
  cost: "Tokens and US dollars that the teacher's calls cost",
};

/** The grid. */
export function PairGrid({ rows, sorting, lossKind, actions, selected }: PairGridProps): VNode {
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [heightPx, setHeight] = useState(480);
  const [rowPx, setRowPx] = useState(ROW_PX);
  const [active, setActive] = useState(0);
  /** The row that a key asked for, until it has the focus. */
  const wanted = useRef<number | null>(null);
  useLayoutEffect(() => {
    const element = body.current;
    if (element === null) return undefined;
    const measure = (): void => {
      setHeight(element.clientHeight);
      const height = element.querySelector<HTMLElement>(".pair-row")?.offsetHeight ?? 0;
      if (height > 0) setRowPx(height);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [rows.length === 0]);

  const first = Math.max(0, Math.floor(top / rowPx) - SPARE_ROWS);
  const end = Math.min(rows.length, Math.ceil((top + heightPx) / rowPx) + SPARE_ROWS);
  // The tab stop must be in the document.
  const stop = active >= first && active < end ? active : Math.min(end - 1, Math.max(first, Math.ceil(top / rowPx)));

  const goTo = (index: number): void => {
    const to = Math.min(rows.length - 1, Math.max(0, index));
    const element = body.current;
    if (element === null || to < 0) return;
    wanted.current = to;
    setActive(to);
    if (to * rowPx < element.scrollTop) element.scrollTop = to * rowPx;
    else if ((to + 1) * rowPx > element.scrollTop + element.clientHeight)
      element.scrollTop = (to + 1) * rowPx - element.clientHeight;
    setTop(element.scrollTop);
  };
  // Before the next key can come: an effect of the render before would run with the row before.
  useLayoutEffect(() => {
    if (wanted.current === null) return;
    const row = body.current?.querySelector<HTMLElement>(`[aria-rowindex="${wanted.current + 2}"]`);
    if (row === null || row === undefined) return;
    wanted.current = null;
    row.focus({ preventScroll: true });
  });

  const shownRows = useRows(
    rows.slice(first, end).map((row, offset) => ({
      row,
      index: first + offset,
      top: (first + offset) * rowPx,
      stop: first + offset === stop,
      selected: row.key === selected,
      lossKind,
    })),
    (row, index) => {
      setActive(index);
      actions.select(row.key);
    },
  );
  const page = Math.max(1, Math.floor(heightPx / rowPx) - 1);
  const steps: Readonly<Record<string, number>> = {
    ArrowDown: stop + 1,
    ArrowUp: stop - 1,
    PageDown: stop + page,
    PageUp: stop - page,
    Home: 0,
    End: rows.length - 1,
  };
  return (
    <div
      class="pair-grid"
      role="grid"
      aria-label="Synthetic pairs"
      aria-rowcount={rows.length + 1}
      aria-colcount={COLUMNS.length}
      onKeyDown={(event) => {
        if (!(event.target instanceof HTMLElement) || event.target.getAttribute("role") !== "row") return;
        const to = steps[event.key];
        const row = rows[stop];
        if (to !== undefined) goTo(to);
        else if ((event.key === "Enter" || event.key === " ") && row !== undefined) actions.select(row.key);
        else return;
        event.preventDefault();
      }}
    >
      <div class="grid-head" role="rowgroup">
        <div class="pair-line" role="row" aria-rowindex={1}>
          {COLUMNS.map((column, index) => (
            <div
              key={column}
              class={`cell cell-${column}`}
              role="columnheader"
              aria-colindex={index + 1}
              aria-sort={sorting.column !== column ? "none" : sorting.descending ? "descending" : "ascending"}
            >
              <button type="button" title={ABOUT[column]} onClick={() => actions.sort(column)}>
                {HEADS[column]}
                <span class="sort-mark" aria-hidden="true">
                  {sorting.column !== column ? "" : sorting.descending ? "▾" : "▴"}
                </span>
              </button>
            </div>
          ))}
        </div>
      </div>
      <div class="grid-body" role="rowgroup" ref={body} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
        <div class="grid-all" role="presentation" style={{ height: `${rows.length * rowPx}px` }}>
          {shownRows.map(({ vnode }) => vnode)}
        </div>
      </div>
    </div>
  );
}

/** A row in the document and what it was made of. */
interface ShownRow {
  readonly made: RowProps;
  readonly vnode: VNode;
}

/** The rows, those that have not changed as the very objects of the drawing before: scrolling then touches only what comes into sight. */
function useRows(
  rows: readonly Omit<RowProps, "onOpen">[],
  open: (row: TableRow, index: number) => void,
): readonly ShownRow[] {
  const opened = useRef(open);
  opened.current = open;
  const kept = useRef<ReadonlyMap<string, ShownRow>>(new Map());
  const shown = rows.map((made): ShownRow => {
    const { row, index } = made;
    const before = kept.current.get(row.key);
    if (before !== undefined && SAME_ROW.every((name) => before.made[name] === made[name])) return before;
    const props: RowProps = { ...made, onOpen: () => opened.current(row, index) };
    return { made: props, vnode: <Row key={row.key} {...props} /> };
  });
  kept.current = new Map(shown.map((one) => [one.made.row.key, one]));
  return shown;
}

const FATE_CLASS = {
  accepted: "fate-good",
  rejected: "fate-bad",
  duplicate: "fate-bad",
  "by hand": "fate-hand",
} as const;

interface RowProps {
  readonly row: TableRow;
  readonly index: number;
  /** Pixels from the first row's upper edge. */
  readonly top: number;
  readonly stop: boolean;
  readonly selected: boolean;
  readonly lossKind: LossKind;
  readonly onOpen: () => void;
}

/** What makes a row another drawing. */
const SAME_ROW = ["row", "index", "top", "stop", "selected", "lossKind"] as const;

function Row({ row, index, top, stop, selected, lossKind, onOpen }: RowProps): VNode {
  const { made, now, seed, before, after, run } = row;
  const fate = fateOf(row);
  const cell = (column: Column, children: VNode | string | readonly (VNode | string)[]): VNode => (
    <div class={`cell cell-${column}`} role="gridcell" aria-colindex={COLUMNS.indexOf(column) + 1}>
      {children}
    </div>
  );
  return (
    <div
      class={`pair-line pair-row lane-${run.lane}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      tabIndex={stop ? 0 : -1}
      style={{ top: `${top}px` }}
      onClick={onOpen}
    >
      {cell(
        "fate",
        <span class={`fate ${FATE_CLASS[fate]}`}>
          <VerdictGlyph ok={now.accepted} />
          {fate}
        </span>,
      )}
      {cell("question", <span class="clamp">{now.question === "" ? "(no question)" : now.question}</span>)}
      {cell(
        "seed",
        <span class="clamp">
          <span class="soft">{made.operation}</span> {seed?.question ?? made.seedId}
        </span>,
      )}
      {cell(
        "lane",
        <span class="lane-name">
          <Glyph>
            <LaneMark lane={run.lane} x={0} y={0} size={9} />
          </Glyph>
          {run.name}
        </span>,
      )}
      {cell("round", String(made.round))}
      {cell("score", scoreText(made.seedScore, made.seedRank))}
      {cell("before", <Loss value={lossOf(before, lossKind)} correct={before?.correct} />)}
      {cell("after", <Loss value={lossOf(after, lossKind)} correct={after?.correct} from={lossOf(before, lossKind)} />)}
      {cell("check", <span class="clamp soft">{now.reason}</span>)}
      {cell("cost", costText(row))}
    </div>
  );
}

function scoreText(score: number | undefined, rank: number | undefined): string {
  if (score === undefined || score === null) return "–";
  return rank === undefined || rank === null ? score.toFixed(3) : `${score.toFixed(3)} (${rank})`;
}

function costText(row: TableRow): string {
  const { costUsd, requests } = row.made.usage;
  const tokens = tokensOf(row);
  if (tokens === 0) return requests === 0 ? "–" : "no tokens";
  return `${formatInteger(tokens)} tok${costUsd === 0 ? "" : ` · ${formatUsd(costUsd)}`}`;
}

/** A loss with its change, and whether the student's own answer was right then. */
function Loss({
  value,
  correct,
  from,
}: {
  readonly value: number | undefined;
  readonly correct: boolean | undefined;
  readonly from?: number | undefined;
}): VNode {
  if (value === undefined || value === null) return <span class="soft">–</span>;
  const fell = from === undefined ? undefined : value < from;
  return (
    <span class="loss">
      <span>
        {fell === undefined ? "" : fell ? "↓" : "↑"}
        {formatNats(value)}
      </span>
      {correct !== undefined && (
        <span class={correct ? "mini mini-right" : "mini mini-wrong"}>{correct ? "right" : "wrong"}</span>
      )}
    </span>
  );
}

/** @file The few marks of the page, as inline SVG: lanes, right and wrong, phase states. Shape always says what colour says. */
import type { VNode } from "preact";

/** A lane's mark, centred: circle for the first, square for the second. */
export function LaneMark({
  lane,
  x,
  y,
  size,
}: {
  readonly lane: number;
  readonly x: number;
  readonly y: number;
  readonly size: number;
}): VNode {
  return lane === 0 ? (
    <circle class="lane-mark" cx={x} cy={y} r={size / 2} />
  ) : (
    <rect class="lane-mark" x={x - size / 2} y={y - size / 2} width={size} height={size} />
  );
}

/** A seed's mark, centred: disc right, open diamond wrong, small square unknown. */
export function SeedMark({ correct, size }: { readonly correct: boolean | undefined; readonly size: number }): VNode {
  const half = size / 2;
  if (correct === true) return <circle class="seed-right" r={half * 0.86} />;
  if (correct === false) return <path class="seed-wrong" d={`M0,${-half}L${half},0L0,${half}L${-half},0Z`} />;
  return <rect class="seed-unknown" x={-half / 2} y={-half / 2} width={half} height={half} />;
}

/** A small stand-alone drawing around marks. */
export function Glyph({
  children,
  size = 16,
}: {
  readonly children: VNode | readonly VNode[];
  readonly size?: number;
}): VNode {
  return (
    <svg
      class="glyph"
      width={size}
      height={size}
      viewBox={`${-size / 2} ${-size / 2} ${size} ${size}`}
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

/** Tick or cross. */
export function VerdictGlyph({ ok }: { readonly ok: boolean }): VNode {
  return (
    <Glyph>
      <path class={ok ? "verdict-ok" : "verdict-bad"} d={ok ? "M-5,0.5L-1.5,4L5,-4" : "M-4,-4L4,4M4,-4L-4,4"} />
    </Glyph>
  );
}

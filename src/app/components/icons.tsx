/** @file The few marks of the page, as inline SVG: lanes, right and wrong, phase states. Shape always says what colour says. */
import type { VNode } from "preact";

/** A lane's mark, centred: circle, square, triangle, diamond. */
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
  const half = size / 2;
  switch (lane % 4) {
    case 0:
      return <circle class="lane-mark" cx={x} cy={y} r={half} />;
    case 1:
      return <rect class="lane-mark" x={x - half} y={y - half} width={size} height={size} />;
    case 2:
      return <path class="lane-mark" d={`M${x},${y - half * 1.1}l${half * 1.15},${size}h${-size * 1.15}Z`} />;
    default:
      return (
        <path
          class="lane-mark"
          d={`M${x},${y - half * 1.3}l${half * 1.3},${half * 1.3}l${-half * 1.3},${half * 1.3}l${-half * 1.3},${-half * 1.3}Z`}
        />
      );
  }
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

/** Drawings on buttons, 16 units wide. */
const BUTTON_PATHS = {
  play: "M-4,-6L6,0L-4,6Z",
  pause: "M-5,-6h3.5v12h-3.5ZM1.5,-6h3.5v12h-3.5Z",
  step: "M-6,-6L2,0L-6,6ZM3,-6h2.5v12h-2.5Z",
} as const;

/** A drawing beside a button's word. */
export function ButtonGlyph({ name }: { readonly name: keyof typeof BUTTON_PATHS }): VNode {
  return (
    <Glyph>
      <path fill="currentColor" d={BUTTON_PATHS[name]} />
    </Glyph>
  );
}

/** @file The learning curves of `npm run curve` as one SVG: means over seeds, whiskers for the intervals of the means. */
import { linearScale, linePath, niceDomain, ticksBetween } from "../src/charts/scale.ts";

export interface CurvePoint {
  /** Accepted pairs so far, mean over seeds. */
  readonly pairs: number;
  /** Accuracy in percent: mean, and the ends of its interval. */
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface Curve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
}

const SIZE = { width: 720, height: 360 };
const PLOT = { left: 56, right: 590, top: 44, bottom: 308 };
const COLOURS = ["#0a64a4", "#b34d00", "#00775a", "#ad2f7c"];
/** Curves whose points lie at the same number of pairs stand beside each other. */
const DODGE_PX = 5;

/** `caption` says what is shown, of how many seeds and questions. */
export function curveFigure(curves: readonly Curve[], caption: string): string {
  const points = curves.flatMap((curve) => curve.points);
  const x = linearScale([0, Math.max(...points.map(({ pairs }) => pairs))], [PLOT.left, PLOT.right]);
  const range = niceDomain(Math.min(...points.map(({ low }) => low)), Math.max(...points.map(({ high }) => high)), 5);
  const y = linearScale(range, [PLOT.bottom, PLOT.top]);
  const px = (value: number): string => value.toFixed(1);
  const grid = ticksBetween(...range, 5).map(
    (tick) =>
      `<path d="M${PLOT.left},${px(y(tick))}H${PLOT.right}" stroke="#d9dce1"/><text x="${PLOT.left - 8}" y="${px(y(tick) + 4)}" text-anchor="end">${tick}</text>`,
  );
  const marks = ticksBetween(...x.domain, 6).map(
    (tick) => `<text x="${px(x(tick))}" y="${PLOT.bottom + 18}" text-anchor="middle">${tick}</text>`,
  );
  const lines = curves.map(({ name, points: own }, index) => {
    const shift = (index - (curves.length - 1) / 2) * DODGE_PX;
    const places = own.map((point) => ({ ...point, at: x(point.pairs) + shift }));
    const last = places.at(-1);
    const whiskers = places.map(
      ({ at, low, high }) =>
        `<path d="M${px(at)},${px(y(low))}V${px(y(high))}M${px(at - 3)},${px(y(low))}h6M${px(at - 3)},${px(y(high))}h6"/>`,
    );
    const dots = places.map(({ at, mean }) => `<circle cx="${px(at)}" cy="${px(y(mean))}" r="4"/>`);
    const label =
      last === undefined
        ? ""
        : `<text x="${PLOT.right + 14}" y="${px(y(last.mean) + (index === 0 ? 10 : 0))}" font-weight="600">${name}</text>`;
    return `<g fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.5"><path d="${linePath(places.map(({ at, mean }) => [at, y(mean)]))}" stroke-width="2"/>${whiskers.join("")}</g><g fill="${COLOURS[index % COLOURS.length]}">${dots.join("")}${label}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE.width}" height="${SIZE.height}" viewBox="0 0 ${SIZE.width} ${SIZE.height}" font-family="system-ui, sans-serif" font-size="12" fill="#444a54" role="img" aria-label="${caption}">
<rect width="${SIZE.width}" height="${SIZE.height}" fill="#ffffff"/>
<text x="${PLOT.left}" y="18">${caption}</text>
<text x="${PLOT.left}" y="35">↑ % right</text>
<text x="${PLOT.right}" y="${PLOT.bottom + 38}" text-anchor="end">accepted synthetic pairs →</text>
${grid.join("\n")}
<path d="M${PLOT.left},${PLOT.bottom}H${PLOT.right}" stroke="#8a919c"/>
${marks.join("\n")}
${lines.join("\n")}
</svg>
`;
}

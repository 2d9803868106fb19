/** @file A report's figures and tables as files: SVG with its styles inside, PNG at twice its size, CSV. Reads what is on the screen, and the report's own numbers. */
import type { StudyReportData } from "../../../study/reportSchema.ts";

/** Properties that a figure's classes set; copied onto its elements, so that the file needs no stylesheet. */
const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linejoin",
  "opacity",
  "font-size",
  "font-weight",
  "text-anchor",
] as const;

const FONT = "ui-sans-serif, system-ui, sans-serif";
const PNG_SCALE = 2;

/** A figure as a file of its own, on the page's background. */
export function svgText(figure: SVGSVGElement): string {
  const copy = figure.cloneNode(true) as SVGSVGElement;
  const originals = [figure, ...figure.querySelectorAll<SVGElement>("*")];
  for (const [index, element] of [copy, ...copy.querySelectorAll<SVGElement>("*")].entries()) {
    const original = originals[index];
    if (original === undefined) continue;
    const computed = getComputedStyle(original);
    for (const name of STYLES) element.style.setProperty(name, computed.getPropertyValue(name));
    element.removeAttribute("class");
  }
  const { width, height } = figure.viewBox.baseVal;
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  ground.setAttribute("width", String(width));
  ground.setAttribute("height", String(height));
  ground.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  copy.prepend(ground);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  copy.style.fontFamily = FONT;
  return new XMLSerializer().serializeToString(copy);
}

/** The figure as a PNG. @throws Error where the browser cannot draw it. */
export async function pngBytes(figure: SVGSVGElement): Promise<Uint8Array> {
  const { width, height } = figure.viewBox.baseVal;
  const image = new Image();
  const address = URL.createObjectURL(new Blob([svgText(figure)], { type: "image/svg+xml" }));
  try {
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = width * PNG_SCALE;
    canvas.height = height * PNG_SCALE;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => {
      canvas.toBlob(resolve, "image/png");
    });
    if (blob === null) throw new Error("figure: this browser cannot make a PNG of it");
    return new Uint8Array(await blob.arrayBuffer());
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** A table on the screen, row by row. */
export function tableCsv(table: HTMLTableElement): string {
  return csv(
    [...table.rows].map((row) => [...row.cells].map((cell) => (cell.textContent ?? "").replace(/\s+/g, " ").trim())),
  );
}

/** Every run's every round: what the curves are means of. */
export function pointsCsv(report: StudyReportData): string {
  const head = [
    "task",
    "option",
    "strategy",
    "seed",
    "round",
    "examples",
    "teacherTokens",
    "costUsd",
    "wallSeconds",
    "correct",
    "n",
  ];
  const rows = report.comparisons.flatMap(({ task, option, strategies }) =>
    strategies.flatMap(({ name, runs }) =>
      runs.flatMap(({ seed, points }) =>
        points.map((point) =>
          [
            task,
            option,
            name,
            seed,
            point.round,
            point.examples,
            point.teacherTokens,
            point.costUsd,
            point.wallSeconds,
            point.correct,
            point.n,
          ].map(String),
        ),
      ),
    ),
  );
  return csv([head, ...rows]);
}

/** Cells quoted where they must be. A text that a spreadsheet would take for a formula gets an apostrophe: names in a report are anybody's. */
function csv(rows: readonly (readonly string[])[]): string {
  const cellText = (text: string): string => {
    const safe = /^[=+@\t\r]|^-(?![\d.])/.test(text) ? `'${text}` : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `${rows.map((row) => row.map(cellText).join(",")).join("\n")}\n`;
}

/** A name for a file, of letters, digits and dashes. */
export function fileName(title: string, ending: string): string {
  const plain = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
  return `${plain === "" ? "figure" : plain}.${ending}`;
}

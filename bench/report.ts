/** @file From samples to figures and to text. Times in ms, rates in 10⁹ operations a second, shares of 1. */
import { GEMM_FLOPS, type StepParts, type Work } from "./contender.ts";
import { median, pairedMedian, quantile, type Row } from "./measure.ts";
import { decoderOf, forwardFlops, parameterCount, tokensOf, type BenchModel } from "./models.ts";

/** The row that ratios refer to: this project on WASM with all threads, as a tab has it. */
const BASELINE = ["wasm in browser", "wasm", "cpu", "webgpu"];
/** A training step multiplies matrices three times as much as a forward pass. */
const STEP_PASSES = 3;

interface Speed {
  readonly ms: number;
  /** Middle half of the rounds. */
  readonly ms25: number;
  readonly ms75: number;
  readonly tokensPerSecond: number;
  readonly gflops: number;
  /** Rate as a fraction of the same contender's Gemm in the same rounds. */
  readonly ofOwnGemm: number | undefined;
}

export interface RowFigures {
  readonly type: "row";
  readonly model: string;
  readonly row: string;
  readonly description: string;
  readonly step: Speed | undefined;
  readonly score: Speed | undefined;
  readonly gemmGflops: number | undefined;
  /** Step time over the baseline's step time in the same rounds. */
  readonly stepToBaseline: number | undefined;
  /** Shares of a step of this project, each the median over rounds; within a round they make 1. */
  readonly parts: PartShares | undefined;
}

/** `copies` is not told apart where ONNX Runtime makes them within its runs (webgpu). */
type PartShares = Omit<StepParts, "copies"> & { readonly copies: number | undefined };

const onGpu = (seatId: string): boolean => seatId.startsWith("webgpu");

export function figuresOf(model: BenchModel, rows: readonly Row[]): RowFigures[] {
  const baseline = BASELINE.map((id) => rows.find((row) => row.seat.id === id)).find((row) => row !== undefined);
  return rows.map((row): RowFigures => {
    const [step, gemm, base] = [row.times.get("step"), row.times.get("gemm"), baseline?.times.get("step")];
    return {
      type: "row",
      model: model.name,
      row: row.seat.id,
      description: row.seat.description,
      step: speed(model, row, "step", STEP_PASSES),
      score: speed(model, row, "score", 1),
      gemmGflops: gemm === undefined ? undefined : GEMM_FLOPS / 1e6 / median(gemm),
      stepToBaseline:
        step === undefined || base === undefined
          ? undefined
          : pairedMedian((own = NaN, other = NaN) => own / other, step, base),
      parts: partsOf(row),
    };
  });
}

function speed(model: BenchModel, row: Row, work: Work, passes: number): Speed | undefined {
  const [samples, gemm] = [row.times.get(work), row.times.get("gemm")];
  if (samples === undefined) return undefined;
  const ms = median(samples);
  const flops = passes * forwardFlops(model);
  return {
    ms,
    ms25: quantile(samples, 0.25),
    ms75: quantile(samples, 0.75),
    tokensPerSecond: tokensOf(model) / (ms / 1000),
    gflops: flops / 1e6 / ms,
    ofOwnGemm:
      gemm === undefined
        ? undefined
        : pairedMedian((own = NaN, product = NaN) => flops / own / (GEMM_FLOPS / product), samples, gemm),
  };
}

function partsOf({ seat, times, parts }: Row): PartShares | undefined {
  const step = times.get("step");
  if (step === undefined || parts.length === 0) return undefined;
  const share = (part: keyof StepParts): number =>
    pairedMedian(
      (whole = NaN, own = NaN) => own / whole,
      step,
      parts.map((own) => own[part]),
    );
  return {
    trainGraph: share("trainGraph"),
    optimizer: share("optimizer"),
    copies: onGpu(seat.id) ? undefined : share("copies"),
    javaScript: share("javaScript"),
  };
}

export function describeModel(model: BenchModel): string {
  const { name, L, D, N, K, F, V, B, T } = model;
  const millions = (parameterCount(decoderOf(model)) / 1e6).toPrecision(2);
  const gflop = ((STEP_PASSES * forwardFlops(model)) / 1e9).toPrecision(3);
  return `${name}: ${L} layer${L === 1 ? "" : "s"}, D ${D}, ${N}/${K} heads, F ${F}, V ${V}, batch ${B} x ${T}; ${millions} M parameters, ${gflop} GFLOP a step`;
}

const number = (value: number | undefined, digits = 3): string => {
  if (value === undefined || !Number.isFinite(value)) return "-";
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(digits);
};
const percent = (value: number | undefined): string =>
  value === undefined || !Number.isFinite(value) ? "-" : `${(100 * value).toFixed(1)}%`;

export function tableOf(figures: readonly RowFigures[]): string {
  const main = textTable(
    [
      "",
      "step ms",
      "middle half",
      "tokens/s",
      "GFLOP/s",
      "of its Gemm",
      "vs baseline",
      "score ms",
      "tokens/s",
      "of its Gemm",
      "Gemm GFLOP/s",
    ],
    figures.map(({ description, step, score, gemmGflops, stepToBaseline }) => [
      description,
      number(step?.ms),
      step === undefined ? "-" : `${number(step.ms25)}-${number(step.ms75)}`,
      number(step?.tokensPerSecond),
      number(step?.gflops),
      percent(step?.ofOwnGemm),
      stepToBaseline === undefined ? "-" : `${stepToBaseline.toFixed(2)}x`,
      number(score?.ms),
      number(score?.tokensPerSecond),
      percent(score?.ofOwnGemm),
      number(gemmGflops),
    ]),
  );
  const parted = figures.filter((row) => row.parts !== undefined);
  if (parted.length === 0) return main;
  const parts = textTable(
    ["share of a step", "forward + backward", "optimizer", "copies", "JavaScript"],
    parted.map(({ description, parts: own }) => [
      description,
      percent(own?.trainGraph),
      percent(own?.optimizer),
      own?.copies === undefined ? "in the runs" : percent(own.copies),
      percent(own?.javaScript),
    ]),
  );
  return [main, parts, ...(parted.some(({ row }) => onGpu(row)) ? [GPU_NOTE] : [])].join("\n\n");
}

/** What wall time around a run cannot tell apart on a GPU. */
const GPU_NOTE = `webgpu: both graphs of a step read numbers back, so that each run ends when the GPU is done with it; its time is
kernels, waiting, feeds and results together. What the kernels alone take needs timestamp queries on the GPU.`;

/** Columns as wide as they must be, the first to the left, the others to the right. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ");
  return [head, ...rows].map(line).join("\n");
}

/** @file The report's numbers as tables: what every plot shows can be read here. */
import type { VNode } from "preact";
import { DIAGNOSTICS, type DiagnosticName } from "../study/diagnostics.ts";
import type { Comparison, Difference, Estimate } from "../study/reportSchema.ts";
import { ends, figure, integer, pValue, type FigureUnit } from "./numbers.ts";

function Table({
  caption,
  titles,
  rows,
}: {
  readonly caption: string;
  readonly titles: readonly string[];
  /** First cells are row headings. */
  readonly rows: readonly (readonly (string | VNode)[])[];
}): VNode {
  return (
    <div class="sr-scroll" role="region" tabIndex={0} aria-label={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {titles.map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([first, ...cells], i) => (
            <tr key={i}>
              <th scope="row">{first}</th>
              {cells.map((cell, j) => (
                <td key={j}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A figure with its interval below. */
function withInterval(estimate: Estimate | null | undefined, unit: FigureUnit): string | VNode {
  if (estimate === null || estimate === undefined) return "–";
  return (
    <>
      {figure(estimate.value, unit)}
      {estimate.low === null && estimate.high === null ? null : <small class="sr-soft"> {ends(estimate, unit)}</small>}
    </>
  );
}

/** Where each strategy ends, and how it compares with the reference. */
export function ResultTable({ comparison }: { readonly comparison: Comparison }): VNode {
  return (
    <Table
      caption="At the end of the runs"
      titles={[
        "strategy",
        "runs",
        "accepted pairs",
        "accuracy, interval",
        "minus the reference, interval",
        "p, corrected",
      ]}
      rows={comparison.strategies.map(({ name, runs, curve, last, versusReference }) => [
        name,
        String(runs.length),
        integer(curve.at(-1)?.examples ?? 0),
        withInterval(last, "share"),
        withInterval(versusReference, "points"),
        versusReference === null ? "–" : pValue(versusReference.pHolm),
      ])}
    />
  );
}

/** Differences to the reference. */
export function DifferenceTable({
  rows,
  reference,
}: {
  readonly rows: readonly { readonly name: string; readonly difference: Difference }[];
  readonly reference: string;
}): VNode {
  return (
    <Table
      caption={`Accuracy at the end minus that of ${reference}, paired by task and seed`}
      titles={["strategy", "pairs of runs", "difference, interval", "p", "p, corrected"]}
      rows={rows.map(({ name, difference }) => [
        name,
        String(difference.n),
        withInterval(difference, "points"),
        pValue(difference.p),
        pValue(difference.pHolm),
      ])}
    />
  );
}

/** All pairs with their tests. */
export function PairTable({ comparison }: { readonly comparison: Comparison }): VNode {
  return (
    <Table
      caption="Accuracy at the end, first minus second, paired by seed"
      titles={["first", "second", "n", "difference, interval", "p", "p, corrected"]}
      rows={comparison.matches.last.map(({ a, b, difference }) => [
        a,
        b,
        String(difference.n),
        withInterval(difference, "points"),
        pValue(difference.p),
        pValue(difference.pHolm),
      ])}
    />
  );
}

/** Accuracy at the end by level of difficulty. */
export function LevelTable({ comparison }: { readonly comparison: Comparison }): VNode {
  const levels = [...new Set(comparison.strategies.flatMap(({ byLevel }) => byLevel.map(({ level }) => level)))];
  const questions = (level: string): number =>
    comparison.strategies.flatMap(({ byLevel }) => byLevel).find((entry) => entry.level === level)?.questions ?? 0;
  return (
    <Table
      caption="Accuracy at the end by level, interval"
      titles={["strategy", ...levels.map((level) => `${level}, ${questions(level)} questions`)]}
      rows={comparison.strategies.map(({ name, byLevel }) => [
        name,
        ...levels.map((level) => withInterval(byLevel.find((entry) => entry.level === level)?.accuracy, "share")),
      ])}
    />
  );
}

/** Every point of every curve. */
export function CurveTable({ comparison }: { readonly comparison: Comparison }): VNode {
  return (
    <Table
      caption="Means over the runs, summed up to the round"
      titles={[
        "strategy",
        "round",
        "accepted pairs",
        "teacher tokens",
        "US dollars",
        "wall time, s",
        "accuracy, interval",
        "n",
      ]}
      rows={comparison.strategies.flatMap(({ name, curve }) =>
        curve.map(({ round, examples, teacherTokens, costUsd, wallSeconds, accuracy }) => [
          name,
          String(round),
          integer(examples),
          integer(teacherTokens),
          costUsd === 0 ? "0" : costUsd.toFixed(4),
          wallSeconds.toFixed(1),
          withInterval(accuracy, "share"),
          String(accuracy.n),
        ]),
      )}
    />
  );
}

/** N(τ) and its ratio. */
export function TargetTable({
  comparison,
  reference,
}: {
  readonly comparison: Comparison;
  readonly reference: string;
}): VNode {
  const { targets, strategies } = comparison;
  return (
    <Table
      caption={`Accepted pairs N at which the mean curve first reaches an accuracy, and N of ${reference} over it: more than 1 needs fewer pairs`}
      titles={["strategy", ...targets.map(({ accuracy }) => `${figure(accuracy, "share")}: N, ratio, interval`)]}
      rows={strategies.map(({ name }) => [
        name,
        ...targets.map((target) => {
          const found = target.strategies.find((strategy) => strategy.name === name);
          if (found === undefined || found.examples === null) return "not reached";
          const { ratio } = found;
          return (
            <>
              {integer(found.examples)}
              {ratio !== null && name !== reference && (
                <small class="sr-soft">
                  {" "}
                  {ratio.value.toFixed(2)}×, {ends(ratio, "number")}
                </small>
              )}
            </>
          );
        }),
      ])}
    />
  );
}

/** Why a strategy does what it does; figures that none has are left out. */
export function DiagnosticsTable({ comparison }: { readonly comparison: Comparison }): VNode {
  const names = (Object.keys(DIAGNOSTICS) as DiagnosticName[]).filter((name) =>
    comparison.strategies.some(({ diagnostics }) => diagnostics[name] !== undefined),
  );
  return (
    <>
      <Table
        caption="Means over the runs, interval"
        titles={["strategy", ...names.map((name) => DIAGNOSTICS[name].label)]}
        rows={comparison.strategies.map(({ name, diagnostics }) => [
          name,
          ...names.map((figureName) => withInterval(diagnostics[figureName], DIAGNOSTICS[figureName].unit)),
        ])}
      />
      <details>
        <summary>What these figures are</summary>
        <dl>
          {names.map((name) => (
            <div key={name}>
              <dt>{DIAGNOSTICS[name].label}</dt>
              <dd>{DIAGNOSTICS[name].help}</dd>
            </div>
          ))}
        </dl>
      </details>
    </>
  );
}

/** Spearman's ρ of seeds' and questions' scores. */
export function FidelityTable({ comparison }: { readonly comparison: Comparison }): VNode {
  const rho = (correlation: { readonly rho: Estimate; readonly points: number } | null | undefined) =>
    correlation === null || correlation === undefined
      ? ["–", "–"]
      : [withInterval(correlation.rho, "number"), integer(correlation.points)];
  const rows = comparison.strategies
    .filter(({ fidelity }) => fidelity !== null)
    .map(({ name, fidelity }) => [name, ...rho(fidelity?.instance), ...rho(fidelity?.dataset)]);
  return (
    <Table
      caption="Spearman's ρ between scores of the picked seeds and of the questions written after them, by each strategy's own criterion"
      titles={["strategy", "ρ of items, interval", "items", "ρ of medians, interval", "rounds"]}
      rows={
        comparison.fidelity === null
          ? rows
          : [...rows, ["all, scores standardised", "–", "–", ...rho(comparison.fidelity)]]
      }
    />
  );
}

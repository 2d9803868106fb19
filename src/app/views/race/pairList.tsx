/** @file The latest synthetic pairs: where each came from, and what its check said. */
import type { VNode } from "preact";
import type { SyntheticExample } from "../../../loop/records.ts";
import { VerdictGlyph } from "../../components/icons.tsx";

const OPERATION_TEXT: Readonly<Record<SyntheticExample["operation"], string>> = {
  simplify: "simplified",
  complicate: "complicated",
  addStep: "made a step longer",
  vary: "varied",
  rarer: "made rarer",
  copy: "taken as it is",
};
const VERIFICATION_TEXT: Readonly<Record<SyntheticExample["verification"], string>> = {
  off: "not checked",
  passed: "accepted",
  failed: "rejected",
  duplicate: "duplicate",
  "near-duplicate": "near-duplicate",
};

/** Pairs, newest first. `onSeed` points out a pair's seed in the pool. */
export function PairList({
  examples,
  label,
  onSeed,
}: {
  readonly examples: readonly SyntheticExample[];
  readonly label: string;
  readonly onSeed: (id: string | null) => void;
}): VNode {
  if (examples.length === 0) return <p class="empty">The teacher's pairs appear here.</p>;
  return (
    <ul class="pairs" aria-label={`Latest pairs of ${label}, newest first`} tabindex={0}>
      {examples.map((example) => (
        <li key={example.id}>
          <Pair example={example} onSeed={onSeed} />
        </li>
      ))}
    </ul>
  );
}

function Pair({
  example,
  onSeed,
}: {
  readonly example: SyntheticExample;
  readonly onSeed: (id: string | null) => void;
}): VNode {
  const { id, round, seedId, operation, question, answer, level, accepted, verification, reason, seedScore, seedRank } =
    example;
  const why =
    seedRank === undefined || seedScore === undefined
      ? ""
      : `, picked as rank ${seedRank} with score ${seedScore.toFixed(3)}`;
  const outcome = operation === "copy" && verification === "off" ? "real pair" : VERIFICATION_TEXT[verification];
  return (
    <details
      class="pair"
      onMouseEnter={() => onSeed(seedId)}
      onMouseLeave={() => onSeed(null)}
      onFocusIn={() => onSeed(seedId)}
      onFocusOut={() => onSeed(null)}
    >
      <summary>
        <VerdictGlyph ok={accepted} />
        <span class={accepted ? "pair-verdict" : "pair-verdict pair-rejected"}>{outcome}</span>
        <span class="pair-question">{question === "" ? "(no question)" : question}</span>
        <span class="pair-source">
          {OPERATION_TEXT[operation]} from {seedId}
          {reason === "" ? "" : ` · ${reason}`}
        </span>
      </summary>
      <dl>
        <dt>Question</dt>
        <dd>{question}</dd>
        <dt>Worked answer</dt>
        <dd class="worked">{answer}</dd>
        <dt>Check</dt>
        <dd>{reason === "" ? outcome : reason}</dd>
        <dt>From</dt>
        <dd>
          seed {seedId}, {OPERATION_TEXT[operation]}
          {level === undefined ? "" : ` to ${level}`}
          {why}; round {round}, pair {id}
        </dd>
      </dl>
    </details>
  );
}

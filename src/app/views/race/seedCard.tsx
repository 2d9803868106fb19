/** @file The story of one seed: question, worked answer, what the student said, losses, why it was picked. */
import type { VNode } from "preact";
import type { PoolItem } from "../../../loop/records.ts";
import { formatNats } from "../../format.ts";
import type { PickInfo } from "../../laneState.ts";
import { Glyph, SeedMark } from "../../components/icons.tsx";

/** Card of a seed; `pick` when it was picked this round. */
export function SeedCard({ item, pick }: { readonly item: PoolItem; readonly pick: PickInfo | undefined }): VNode {
  const verdict =
    item.correct === undefined
      ? "not answered this round"
      : item.correct
        ? "the student is right"
        : "the student is wrong";
  return (
    <>
      <p class="seed-head">
        <Glyph>
          <SeedMark correct={item.correct} size={12} />
        </Glyph>
        <strong>{item.id}</strong> · {item.level} · {verdict}
      </p>
      <dl class="seed-card">
        <dt>Question</dt>
        <dd>{item.question}</dd>
        <dt>Worked answer</dt>
        <dd class="worked">{item.answer}</dd>
        {item.ownAnswer !== undefined && (
          <>
            <dt>The student's own answer</dt>
            <dd class="worked">{item.ownAnswer === "" ? <em>(nothing)</em> : item.ownAnswer}</dd>
          </>
        )}
        <dt>Loss, nats per token</dt>
        <dd>
          own answer {formatNats(item.ownLoss)} · worked answer {formatNats(item.trueLoss)}
        </dd>
        <dt>Picked</dt>
        <dd>{pickText(pick)}</dd>
      </dl>
    </>
  );
}

function pickText(pick: PickInfo | undefined): string {
  if (pick === undefined) return "not this round";
  if (pick.rank === null || pick.score === null) return "yes, by chance";
  return `yes: score ${formatNats(pick.score)}, rank ${pick.rank} of the pool`;
}

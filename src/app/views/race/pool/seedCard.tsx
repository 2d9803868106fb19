/** @file The story of one seed: question, worked answer, what the student said, token by token, its rank, why it was picked. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { PoolItem } from "../../../../loop/records.ts";
import type { TokenLoss } from "../../../../student/types.ts";
import { Glyph, SeedMark } from "../../../components/icons.tsx";
import { formatNats } from "../../../format.ts";
import type { Child, PickInfo } from "../../../laneState.ts";
import { HeatStrip } from "./heatStrip.tsx";
import type { SeedTools } from "./seedTools.ts";
import { whyNoLosses } from "./seedTools.ts";
import { whyPicked } from "./whyPicked.ts";

export interface SeedCardProps {
  readonly item: PoolItem;
  readonly pool: readonly PoolItem[];
  readonly picks: ReadonlyMap<string, PickInfo>;
  readonly children: readonly Child[];
  readonly tools: SeedTools;
}

/** The pointer must rest so long on a seed before its tokens are asked for. */
const REST_MS = 250;

interface Tokens {
  readonly own: readonly TokenLoss[] | null;
  readonly worked: readonly TokenLoss[];
}

/** Card of a seed. */
export function SeedCard({ item, pool, picks, children, tools }: SeedCardProps): VNode {
  const { id, question, answer, ownAnswer, level, correct, ownLoss, trueLoss } = item;
  const { tokens, failure } = useTokens(item, tools);
  const verdict =
    correct === undefined ? "not answered this round" : correct ? "the student is right" : "the student is wrong";
  const made = children.filter(({ seedId }) => seedId === id);
  return (
    <>
      <p class="seed-head">
        <Glyph>
          <SeedMark correct={correct} size={12} />
        </Glyph>
        <strong>{id}</strong> · {level} · {verdict}
      </p>
      <dl class="seed-card">
        <dt>Question</dt>
        <dd>{question}</dd>
        {ownAnswer !== undefined && (
          <>
            <dt>The student's own answer · {formatNats(ownLoss)} nats per token when scored</dt>
            <dd class="worked">
              {tokens !== null && tokens.own !== null ? (
                <HeatStrip tokens={tokens.own} />
              ) : ownAnswer === "" ? (
                <em>(nothing)</em>
              ) : (
                ownAnswer
              )}
            </dd>
          </>
        )}
        <dt>The worked answer · {formatNats(trueLoss)} nats per token when scored</dt>
        <dd class="worked">{tokens === null ? answer : <HeatStrip tokens={tokens.worked} />}</dd>
        <dd class="heat-note">
          {failure ??
            (tokens === null
              ? tools.tokenLosses === undefined
                ? "Token losses need the run open: press Resume or Step."
                : "Asking the student for its token losses…"
              : "Tokens by the student as it is now; colour full at 4 nats.")}
        </dd>
        <dt>Why</dt>
        <dd>{whyPicked(item, pool, picks, tools.config)}</dd>
        {made.length > 0 && (
          <>
            <dt>New pairs from it this round</dt>
            {made.slice(0, SHOWN_CHILDREN).map((child) => (
              <dd key={child.id}>
                {child.accepted ? "✓ " : "✗ "}
                {child.question === "" ? "(no question)" : child.question}
              </dd>
            ))}
            {made.length > SHOWN_CHILDREN && <dd>and {made.length - SHOWN_CHILDREN} more</dd>}
          </>
        )}
      </dl>
    </>
  );
}

const SHOWN_CHILDREN = 4;

/** Token losses of both answers, asked for when the card has been open for a moment. */
function useTokens(
  { id, question, answer, ownAnswer }: PoolItem,
  { tokenLosses }: SeedTools,
): { readonly tokens: Tokens | null; readonly failure: string | null } {
  const [found, setFound] = useState<{
    readonly id: string;
    readonly tokens: Tokens | null;
    readonly failure: string | null;
  }>();
  useEffect(() => {
    if (tokenLosses === undefined) return undefined;
    let gone = false;
    const ask = async (): Promise<void> => {
      try {
        const own = ownAnswer === undefined ? null : await tokenLosses(question, ownAnswer);
        if (gone) return;
        const worked = await tokenLosses(question, answer);
        if (!gone) setFound({ id, tokens: { own, worked }, failure: null });
      } catch (error) {
        if (!gone) setFound({ id, tokens: null, failure: whyNoLosses(error) });
      }
    };
    const timer = setTimeout(() => void ask(), REST_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [id, question, answer, ownAnswer, tokenLosses]);
  return found?.id === id ? found : { tokens: null, failure: null };
}

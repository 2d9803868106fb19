/** @file An answer as a strip of its tokens, the darker the more the token costs the student; each says its loss on hover. Not colour alone: the dearest token is also underlined and named. */
import type { VNode } from "preact";
import type { TokenLoss } from "../../../../student/types.ts";
import { formatNats, NBSP } from "../../../format.ts";

/** Loss that has the full colour; more looks the same. e⁻⁴ is a chance of 2 %. */
const FULL_NATS = 4;

/** Tokens with their losses. */
export function HeatStrip({ tokens }: { readonly tokens: readonly TokenLoss[] }): VNode {
  const dearest = tokens.reduce<TokenLoss | undefined>(
    (most, token) => (most === undefined || token.lossNats > most.lossNats ? token : most),
    undefined,
  );
  const mean = tokens.reduce((sum, { lossNats }) => sum + lossNats, 0) / Math.max(1, tokens.length);
  return (
    <>
      <p class="heat">
        {tokens.map((token, index) => (
          <span
            key={index}
            class={token === dearest ? "heat-most" : undefined}
            style={{ "--heat-share": `${Math.round(100 * Math.min(1, Math.max(0, token.lossNats / FULL_NATS)))}%` }}
            title={`${formatNats(token.lossNats)} nats: the student gave it ${(100 * Math.exp(-token.lossNats)).toFixed(1)} %`}
          >
            {token.end ? "[end]" : token.text}
          </span>
        ))}
      </p>
      <p class="heat-note">
        mean {formatNats(mean)}
        {NBSP}nats over {tokens.length} tokens
        {dearest === undefined
          ? ""
          : `; dearest ${dearest.end ? "the end" : JSON.stringify(dearest.text)}: ${formatNats(dearest.lossNats)}`}
      </p>
    </>
  );
}

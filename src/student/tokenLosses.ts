/** @file The loss of every token of a row, and what the token says: for people who ask where an answer is hard. Not here: sums over rows (`score.ts`). */
import { invariant, throwIfAborted } from "../core/errors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { makeMicroBatch } from "./batches.ts";
import type { ParameterStore } from "./parameterStore.ts";
import type { SessionCache } from "./sessionCache.ts";
import type { EncodedRow, TokenLoss } from "./types.ts";

interface Parts {
  readonly store: ParameterStore;
  readonly sessions: SessionCache;
  readonly maxPositions: number;
}

/** `−log p(token | what stands before it)` in nats of every token of the row that carries loss, in order; their mean is the row's `loss`. */
export async function tokenLosses(
  { store, sessions, maxPositions }: Parts,
  row: EncodedRow,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  throwIfAborted(signal, "scoring");
  const batch = makeMicroBatch([row], 1, maxPositions);
  const session = await sessions.tokenLosses(batch.batch, batch.length);
  const result = await session.run({ ...store.feeds(session), ...batch.feeds }, { losses: "host" });
  const { data } = result.host("losses");
  const out: number[] = [];
  batch.feeds.weights.data.forEach((weight: number | bigint, at: number) => {
    if (Number(weight) !== 0) out.push(Number(data[at]));
  });
  invariant(out.length === row.completionTokens, "every token that carries loss has one");
  return Float32Array.from(out);
}

/** What a decoder writes for bytes that are no whole character. */
const INCOMPLETE = "\uFFFD";

/** The row's last tokens with their losses. A character of several tokens stands with its last one; the others are empty. */
export function spellLosses(
  tokenizer: Pick<Tokenizer, "decodeContinuation" | "eosTokenIds" | "idToToken">,
  { ids }: EncodedRow,
  losses: Float32Array,
): readonly TokenLoss[] {
  const prompt = ids.subarray(0, ids.length - losses.length);
  let told = "";
  return Array.from(losses, (lossNats, i): TokenLoss => {
    const id = ids[prompt.length + i];
    invariant(id !== undefined, "losses belong to the row's last tokens");
    if (tokenizer.eosTokenIds.includes(id)) return { text: tokenizer.idToToken(id) ?? "", lossNats, end: true };
    const text = tokenizer.decodeContinuation(prompt, ids.subarray(prompt.length, prompt.length + i + 1));
    const whole = !text.endsWith(INCOMPLETE) && text.startsWith(told);
    const added = whole ? text.slice(told.length) : "";
    told += added;
    return { text: added, lossNats, end: false };
  });
}

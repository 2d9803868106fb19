/** @file Tokens that are being generated, as text for people: what each adds to the text so far. Not here: choosing them. */
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { TracedToken } from "./generate.ts";
import type { ChosenToken, TokenProbability } from "./types.ts";

/** What a decoder writes for bytes that are no whole character. */
const INCOMPLETE = "\uFFFD";

/** A trace for `generateTokens` that tells `listen` texts; `prompts` are those of the generation. */
export function spellTokens(
  tokenizer: Pick<Tokenizer, "decodeContinuation" | "eosTokenIds" | "idToToken">,
  prompts: readonly Int32Array[],
  listen: (token: ChosenToken) => void | Promise<void>,
): (token: TracedToken) => void | Promise<void> {
  const told = prompts.map(() => "");
  return ({ row, id, ids, probability, likeliest }) => {
    const prompt = prompts[row] ?? [];
    const before = ids.slice(0, -1);
    const known = told[row] ?? "";
    const spell = (token: number, chance: number): TokenProbability => {
      if (tokenizer.eosTokenIds.includes(token))
        return { text: tokenizer.idToToken(token) ?? "", probability: chance, end: true };
      const text = tokenizer.decodeContinuation(prompt, [...before, token]);
      // A character comes with its last token.
      const whole = !text.endsWith(INCOMPLETE) && text.startsWith(known);
      return { text: whole ? text.slice(known.length) : "", probability: chance, end: false };
    };
    const chosen = spell(id, probability);
    const alternatives = likeliest.map((token) => spell(token.id, token.probability));
    if (!chosen.end) told[row] = known + chosen.text;
    return listen({ prompt: row, ...chosen, alternatives });
  };
}

/**
 * @file Conversations as transformers' `apply_chat_template` tokenizes them, and the
 * tokens that are the assistant's (`scripts/golden/reference/make_chat_goldens.py`).
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { memorySource } from "../../src/formats/fileSource.ts";
import type { ChatMessage } from "../../src/student/types.ts";
import { encodeChat, encodeChatPrompt } from "../../src/tokenizer/encodeChat.ts";
import { encodeRow } from "../../src/tokenizer/encodeRow.ts";
import { loadTokenizer, type Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { describeWithShared, sharedPath } from "../support/shared.ts";

interface Golden {
  readonly conversations: readonly (readonly ChatMessage[])[];
  readonly cases: readonly {
    readonly tokenizer: string;
    readonly name: string;
    readonly template?: string;
    readonly special: Readonly<Record<string, string>>;
    readonly conversations: readonly {
      readonly ids: readonly number[];
      readonly mask: string;
      readonly promptIds: readonly number[];
    }[];
  }[];
}

const DATA = join(dirname(fileURLToPath(import.meta.url)), "data", "chat");
const golden = JSON.parse(readFileSync(join(DATA, "conversations.json"), "utf8")) as Golden;

function open({ tokenizer, template, special }: Golden["cases"][number]): Promise<Tokenizer> {
  const directory = sharedPath("tokenizers", tokenizer);
  const own = (): string =>
    (
      JSON.parse(readFileSync(join(directory, "tokenizer_config.json"), "utf8")) as {
        readonly chat_template: string;
      }
    ).chat_template;
  const tokens = Object.fromEntries(Object.entries(special).map(([role, text]) => [`${role}_token`, text]));
  const files = new Map<string, string>([
    ["tokenizer.json", readFileSync(join(directory, "tokenizer.json"), "utf8")],
    ["tokenizer_config.json", JSON.stringify({ ...tokens, chat_template: template ?? own() })],
  ]);
  return loadTokenizer(memorySource(files, tokenizer));
}

for (const golds of golden.cases) {
  describeWithShared(`${golds.name} on ${golds.tokenizer}`, ["tokenizers", golds.tokenizer, "tokenizer.json"], () => {
    let tokenizer: Tokenizer;
    beforeAll(async () => {
      tokenizer = await open(golds);
    });

    test("gives transformers' tokens, and loss where the assistant speaks", async () => {
      for (const [i, messages] of golden.conversations.entries()) {
        const { ids, mask } = golds.conversations[i]!;
        const encoded = encodeChat(tokenizer, { messages }, `conversation ${i}`);
        expect(encoded.ids).toEqual(ids);
        expect(encoded.mask.join("")).toBe(mask);
      }
    });

    test("ends prompts where the assistant's answer begins", async () => {
      for (const [i, messages] of golden.conversations.entries()) {
        const prompt = messages.slice(0, messages.findLastIndex(({ role }) => role !== "assistant") + 1);
        const { promptIds } = golds.conversations[i]!;
        expect(encodeChatPrompt(tokenizer, { messages: prompt }, `conversation ${i}`)).toEqual(promptIds);
      }
    });
  });
}

describe("the values", () => {
  test("mark something in every conversation with an answer, and never everything", () => {
    for (const { name, conversations } of golden.cases)
      for (const { mask } of conversations) expect(`${name} ${mask}`).toMatch(/^\S+ 0+1[01]*$/);
  });
});

describeWithShared("prompt and completion as messages", ["tokenizers", "qwen3", "tokenizer.json"], () => {
  test("put loss on all that follows the prompt's tokens", async () => {
    const golds = golden.cases.find(({ name }) => name === "own")!;
    const messages = golden.conversations[1]!;
    const { ids, promptIds } = golds.conversations[1]!;
    const row = encodeRow(await open(golds), { messages, promptLength: 2 }, { maxPositions: 1000 });
    expect([...row.ids]).toEqual(ids);
    expect(row.completionTokens).toBe(ids.length - promptIds.length);
    expect(row.lossMask!.indexOf(1)).toBe(promptIds.length);
  });
});

/**
 * @file Conversations through a student's chat template: which tokens carry loss, what is
 * cut, what is refused; and that scores and training see those tokens.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { makeMicroBatch } from "../../src/student/batches.ts";
import { openStudent, type LanguageModel } from "../../src/student/student.ts";
import type { Conversation } from "../../src/student/types.ts";
import { encodeChat, encodeChatPrompt } from "../../src/tokenizer/encodeChat.ts";
import { encodeRow } from "../../src/tokenizer/encodeRow.ts";
import { loadTokenizer, type Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { changeJson, sourceOf, studentFiles, TRAIN_OPTIONS, type Files } from "../support/studentFiles.ts";

const CHATML =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const MARKED =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const turns = (...contents: readonly string[]): Conversation["messages"] =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content }));

/** The Qwen2 fixture with a chat template; its vocabulary has the tokens of ChatML, `<|im_end|>` is its EOS. */
function filesWith(template: unknown, jinja?: string): Files {
  const files = changeJson(studentFiles("qwen2-tied-f16"), "tokenizer_config.json", (json) => ({
    ...json,
    chat_template: template,
  }));
  return jinja === undefined ? files : files.set("chat_template.jinja", jinja);
}
const open = (template: unknown, jinja?: string): Promise<Tokenizer> =>
  loadTokenizer(sourceOf(filesWith(template, jinja)));

/** The text of the tokens that carry loss, and that of the others, in turns. */
function spoken(tokenizer: Tokenizer, ids: Iterable<number>, mask: Uint8Array): string[] {
  const out: string[] = [];
  let previous: number | undefined;
  [...ids].forEach((id, i) => {
    const text = tokenizer.decode([id], { skipSpecialTokens: false });
    if (mask[i] === previous) out[out.length - 1] += text;
    else out.push(text);
    previous = mask[i];
  });
  return out;
}

describe("loss", () => {
  test("is on every assistant turn, with what ends it", async () => {
    const tokenizer = await open(CHATML);
    const { ids, mask } = encodeChat(tokenizer, { messages: turns("a b", "c", "d", "e f") }, "row");
    expect(spoken(tokenizer, ids, mask)).toEqual([
      "<|im_start|>user\na b<|im_end|>\n<|im_start|>assistant\n",
      "c<|im_end|>\n",
      "<|im_start|>user\nd<|im_end|>\n<|im_start|>assistant\n",
      "e f<|im_end|>\n",
    ]);
  });

  test("is where the template's generation tags say", async () => {
    const tokenizer = await open(MARKED);
    const { ids, mask } = encodeChat(tokenizer, { messages: turns("a", "b", "c", "d") }, "row");
    expect(spoken(tokenizer, ids, mask).filter((_, i) => i % 2 === 1)).toEqual(["b<|im_end|>", "d<|im_end|>"]);
  });

  test("is on all behind the prompt of a prompt and completion of messages, generation tags or not", async () => {
    for (const template of [CHATML, MARKED]) {
      const tokenizer = await open(template);
      const row = { messages: turns("a", "b", "c", "d"), promptLength: 3 };
      const { ids, mask } = encodeChat(tokenizer, row, "row");
      expect(spoken(tokenizer, ids, mask)[1]).toBe("d<|im_end|>\n");
      expect(spoken(tokenizer, ids, mask)).toHaveLength(2);
    }
  });

  test("is not on the first token, which nothing predicts", async () => {
    const tokenizer = await open("{% for m in messages %}{{ m.content }}{% endfor %}");
    const { ids, mask } = encodeChat(tokenizer, { messages: [{ role: "assistant", content: "abc" }] }, "row");
    expect(mask[0]).toBe(0);
    expect(mask.subarray(1).every((value) => value === 1)).toBe(true);
    expect(ids.length).toBeGreaterThan(1);
  });

  test("stands in the batch one place before its tokens", async () => {
    const row = encodeRow(await open(MARKED), { messages: turns("a", "b", "c", "d") }, { maxPositions: 96 });
    const { feeds, lossTokens } = makeMicroBatch([row], 1, 96);
    expect(lossTokens).toBe(row.completionTokens);
    row.ids.forEach((id, i) => {
      if (i === 0) return;
      expect(feeds.targets.data[i - 1]).toBe(id);
      expect(feeds.weights.data[i - 1]).toBe(row.lossMask![i]);
    });
    const sum = (feeds.weights.data as Float32Array).reduce((a, b) => a + b, 0);
    expect(sum).toBe(row.completionTokens);
  });
});

describe("which template", () => {
  test("chat_template.jinja wins over tokenizer_config.json", async () => {
    const tokenizer = await open("{{ raise_exception('old') }}", CHATML);
    expect(encodeChatPrompt(tokenizer, { messages: turns("a") }, "p").length).toBeGreaterThan(3);
  });

  test("of named templates it is the default", async () => {
    const named = [
      { name: "tool_use", template: "{{ raise_exception('tools') }}" },
      { name: "default", template: CHATML },
    ];
    const ids = encodeChatPrompt(await open(named), { messages: turns("a") }, "p");
    expect(ids).toEqual(encodeChatPrompt(await open(CHATML), { messages: turns("a") }, "p"));
    expect(() => encodeChatPrompt(loadedWithoutDefault, { messages: turns("a") }, "p")).toThrow(
      /chat_template: expected a template of the name "default", got the names "rag"/,
    );
  });

  let loadedWithoutDefault: Tokenizer;
  beforeAll(async () => {
    loadedWithoutDefault = await open([{ name: "rag", template: CHATML }]);
  });

  test("reads a row's arguments to the template", async () => {
    const tokenizer = await open("{{ greeting }}{% for m in messages %}{{ m.content }}{% endfor %}");
    const chat = { messages: turns("a"), templateArguments: { greeting: "hello " } };
    expect(tokenizer.decode(encodeChatPrompt(tokenizer, chat, "p"))).toBe("hello a");
  });
});

describe("a row over the context", () => {
  const messages = turns("one two three four five six", "seven", "eight nine", "ten");

  test("is refused, or loses tokens from the left of its first prompt", async () => {
    const tokenizer = await open(CHATML);
    const whole = encodeRow(tokenizer, { messages }, { maxPositions: 1000 });
    const maxPositions = whole.ids.length - 5;
    expect(() => encodeRow(tokenizer, { id: "r", messages }, { maxPositions })).toThrow(
      new RegExp(`row "r": expected at most ${maxPositions} tokens .*--truncate`),
    );
    const cut = encodeRow(tokenizer, { messages }, { maxPositions, truncate: true });
    expect([...cut.ids]).toEqual([...whole.ids.subarray(5)]);
    expect([...cut.lossMask!]).toEqual([...whole.lossMask!.subarray(5)]);
    expect(cut.droppedTokens).toBe(5);
  });

  test("keeps everything from the first answer on, or is refused", async () => {
    const tokenizer = await open(CHATML);
    const whole = encodeRow(tokenizer, { messages }, { maxPositions: 1000 });
    const maxPositions = whole.ids.length - whole.lossMask!.indexOf(1) - 1;
    expect(() => encodeRow(tokenizer, { messages }, { maxPositions, truncate: true })).toThrow(
      /The completion is never cut/,
    );
  });
});

describe("is refused with its row", () => {
  const cases: readonly (readonly [string, unknown, Conversation, RegExp])[] = [
    [
      "no template",
      null,
      { messages: turns("a", "b") },
      /expected a chat template .*, got none\. This student was not/,
    ],
    ["a template that is none", 5, { messages: turns("a", "b") }, /chat_template: expected a template or a list/],
    [
      "a broken template",
      "{% for m in %}",
      { messages: turns("a", "b") },
      /expected a Jinja template that can be parsed/,
    ],
    [
      "no assistant turn",
      CHATML,
      { messages: turns("a") },
      /row "7": expected at least one assistant message .*user only/,
    ],
    [
      "a template's own refusal",
      "{{ raise_exception('roles must alternate') }}",
      { messages: turns("a", "b") },
      /row "7": .*accepts, got its error "roles must alternate"/,
    ],
    [
      "a role that the template drops",
      CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}"),
      { messages: [{ role: "system", content: "be kind" }, ...turns("a", "b")] },
      /row "7": expected a chat template that writes every message, got message 1 \(system\) left out/,
    ],
    [
      "an assistant that the template drops",
      MARKED.replace("m.role == 'assistant'", "false"),
      { messages: turns("a", "b") },
      /row "7": expected at least one token of the assistant to predict/,
    ],
    [
      "a text that changes with what follows",
      "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}",
      { messages: turns("a", "b") },
      /row "7": message 2: expected a chat template that leaves the text .* generation %\}/,
    ],
    [
      "a prompt that ends with the assistant",
      CHATML,
      { messages: turns("a", "b", "c", "d"), promptLength: 2 },
      /row "7": prompt: expected a last message for the assistant to answer, got messages of user, assistant/,
    ],
    [
      "tags out of turn",
      "{% generation %}{% generation %}a",
      { messages: turns("a", "b") },
      /endgeneration %\} in turns/,
    ],
    ["a tag left open", "ab{% generation %}a", { messages: turns("a", "b") }, /expected \{% endgeneration %\}/],
    ["a character that marks", CHATML, { messages: turns("a", "\u{FDD0}") }, /noncharacters/],
  ];
  test.each(cases)("%s", async (_name, template, row, message) => {
    const tokenizer = await open(template);
    expect(() => encodeRow(tokenizer, { ...row, id: "7" }, { maxPositions: 1000 })).toThrow(message);
  });

  test("a chat to complete that the assistant has answered", async () => {
    const tokenizer = await open(CHATML);
    expect(() => encodeChatPrompt(tokenizer, { messages: turns("a", "b") }, "prompt 1")).toThrow(
      /prompt 1: expected a last message for the assistant to answer/,
    );
  });
});

describe("a student", () => {
  let engine: Engine;
  let student: LanguageModel;
  beforeAll(async () => {
    engine = await createEngine("cpu", { threads: 1 });
    student = await openStudent(engine, { source: sourceOf(filesWith(MARKED)) });
  });
  afterAll(async () => {
    await student.dispose();
    await engine.dispose();
  });

  const first = "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n";
  const second = `${first}b c<|im_end|>\n<|im_start|>user\nd<|im_end|>\n<|im_start|>assistant\n`;

  test("scores a conversation as the sum of its answers, each behind what comes before it", async () => {
    const messages = turns("a", "b c", "d", "e");
    const [chat, one, two] = await student.score(
      [{ messages }, { prompt: first, completion: "b c<|im_end|>" }, { prompt: second, completion: "e<|im_end|>" }],
      ["lossSum", "loss"],
    );
    expect(chat!.tokens).toBe(one!.tokens + two!.tokens);
    // Float32 sums over different paddings.
    expect(chat!.lossSum).toBeCloseTo(one!.lossSum! + two!.lossSum!, 4);
    expect(chat!.loss! * chat!.tokens).toBeCloseTo(chat!.lossSum!, 4);
  });

  test("trains on a one-turn conversation as on the same text", async () => {
    const options = { ...TRAIN_OPTIONS, steps: 2, batchSize: 1 };
    const losses: number[][] = [];
    for (const row of [
      { messages: turns("a", "b c") },
      { messages: turns("a", "b c"), promptLength: 1 },
      { prompt: first, completion: "b c<|im_end|>" },
    ]) {
      const steps: number[] = [];
      for await (const { loss } of student.train([row], options)) steps.push(loss);
      losses.push(steps);
      await student.reset();
    }
    expect(losses[0]).toEqual(losses[2]);
    // As TRL: the line end behind the answer is part of a completion.
    expect(losses[1]).not.toEqual(losses[2]);
  });

  test("answers messages as it completes their text", async () => {
    const [chat, text] = await student.generate([{ messages: turns("a") }, first], { maxNewTokens: 5 });
    expect(chat).toEqual(text);
  });
});

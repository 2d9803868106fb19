/** @file Rows from JSONL: TRL's formats, ids, and errors that name the line. */
import { describe, expect, test } from "vitest";
import { parseExamples, parsePrompts } from "../../src/formats/examples.ts";
import { formatJsonl, parseJsonl } from "../../src/formats/jsonl.ts";

test("reads prompt-completion and text rows with given and default ids", () => {
  const text =
    '{"id":"a","prompt":"p","completion":"c","level":3}\n{"text":"t"}\n\n{"id":7,"prompt":"","completion":""}\n';
  expect(parseExamples(text, "d.jsonl")).toEqual([
    { id: "a", prompt: "p", completion: "c" },
    { id: "2", text: "t" },
    { id: "7", prompt: "", completion: "" },
  ]);
});

test("tolerates a byte order mark, CRLF, blank lines and a missing last line end", () => {
  expect(parseJsonl('\ufeff{"a":1}\r\n\r\n  {"a":2}', "x")).toEqual([
    { line: 1, value: { a: 1 } },
    { line: 3, value: { a: 2 } },
  ]);
});

test("line separators inside texts do not end a line", () => {
  const rows = [{ text: "a\u2028b\u0085c\nd" }];
  expect(parseJsonl(formatJsonl(rows), "x").map(({ value }) => value)).toEqual(rows);
});

test("reads prompts, with or without a completion beside them", () => {
  expect(parsePrompts('{"prompt":"p","completion":"ignored"}\n{"id":"x","prompt":"q"}', "p.jsonl")).toEqual([
    { id: "1", prompt: "p" },
    { id: "x", prompt: "q" },
  ]);
  expect(() => parsePrompts('{"text":"t"}', "p.jsonl")).toThrow(/p\.jsonl:1: prompt: expected a string, got nothing/);
});

test("reads conversations, as messages or as prompt and completion, with what their template may read", () => {
  const user = { role: "user", content: "q" };
  const assistant = { role: "assistant", content: "a", reasoning_content: "hm", tool_calls: null };
  const lines = [
    { messages: [user, assistant], tools: null, chat_template_kwargs: { enable_thinking: false } },
    { prompt: [user], completion: [assistant] },
  ];
  expect(parseExamples(formatJsonl(lines), "d.jsonl")).toEqual([
    { id: "1", messages: [user, assistant], templateArguments: { enable_thinking: false } },
    { id: "2", messages: [user, assistant], promptLength: 1 },
  ]);
  expect(parsePrompts(formatJsonl([{ messages: [user] }, { id: "p", prompt: [user] }]), "p.jsonl")).toEqual([
    { id: "1", prompt: { messages: [user] } },
    { id: "p", prompt: { messages: [user] } },
  ]);
});

describe("is refused with its line", () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["nothing", "", /d\.jsonl: expected at least one row, got no data/],
    ["blank lines alone", "\n \r\n", /no data/],
    ["a line that is no JSON", '{"text":"a"}\n{"text":', /d\.jsonl:2: expected one JSON object/],
    ["a JSON list of rows", '[{"text":"a"}]', /d\.jsonl:1: expected a JSON object, got a list of 1/],
    ["a row of other fields", '{"question":"q"}', /d\.jsonl:1.*"prompt" and "completion".*question/],
    ["a prompt alone", '{"prompt":"p"}', /d\.jsonl:1: completion: expected a string, got nothing/],
    [
      "a completion that is no text",
      '{"prompt":"p","completion":5}',
      /d\.jsonl:1: completion: expected a string, got number 5/,
    ],
    ["an empty completion of a chat", '{"prompt":[{"role":"user","content":"x"}],"completion":[]}', /:1: completion/],
    [
      "a chat with a text behind it",
      '{"prompt":[{"role":"user","content":"x"}],"completion":"y"}',
      /:1: completion: expected a list of messages, got string "y"/,
    ],
    [
      "messages that are none",
      '{"messages":"hi"}',
      /d\.jsonl:1: messages: expected a list of messages, got string "hi"/,
    ],
    ["a message that is a text", '{"messages":["hi"]}', /messages\[0\]: expected a message with role and content/],
    [
      "a message without a role",
      '{"messages":[{"content":"x"}]}',
      /messages\[0\]\.role: expected one of .*user.*, got nothing/,
    ],
    ["an unknown role", '{"messages":[{"role":"human","content":"x"}]}', /role: expected one of .*got string "human"/],
    [
      "a message without content",
      '{"messages":[{"role":"user"}]}',
      /messages\[0\]: content: expected a string, got nothing/,
    ],
    [
      "content in parts",
      '{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}',
      /content: expected a string, got a list of parts/,
    ],
    ["a tool's message", '{"messages":[{"role":"tool","content":"x"}]}', /tool call\. Tools are unsupported/],
    ["tool calls", '{"messages":[{"role":"assistant","content":"","tool_calls":[{}]}]}', /Tools are unsupported/],
    ["tools", '{"messages":[{"role":"user","content":"x"}],"tools":[{}]}', /d\.jsonl:1: tools.*Tools are unsupported/],
    [
      "arguments that are none",
      '{"messages":[{"role":"user","content":"x"}],"chat_template_kwargs":1}',
      /chat_template_kwargs: expected an object/,
    ],
    ["an id that is no name", '{"id":{},"text":"t"}', /d\.jsonl:1: id/],
    ["an id twice", '{"id":"a","text":"t"}\n{"id":"a","text":"u"}', /d\.jsonl:2.*"a", which line 1 has/],
    ["an id that is another row's number", '{"id":2,"text":"t"}\n{"text":"u"}', /d\.jsonl:2.*"2", which line 1 has/],
    ["half a character", '{"text":"\\ud83d"}', /d\.jsonl:1: text: expected well-formed Unicode/],
  ];
  for (const [name, text, message] of cases) {
    test(name, () => {
      expect(() => parseExamples(text, "d.jsonl")).toThrow(message);
    });
  }
});

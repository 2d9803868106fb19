/** @file What goes over the wire to each kind of provider, what its errors mean in plain words, and that no key gets out. */
import { afterEach, describe, expect, it } from "vitest";
import { BadInputError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { retryAfterOf } from "../../src/teacher/chat/classifyError.ts";
import { chatUrl } from "../../src/teacher/chat/openModel.ts";
import type { TeacherError } from "../../src/teacher/teacherError.ts";
import { chatTeacher, sayOpenAi, scriptedServer, seeds } from "../support/chatTeachers.ts";
import type { ScriptedServer } from "../support/chatTeachers.ts";

const KEY = "sk-planted+key/0123456789";
const [SEED] = seeds(1);
const call = () => ({ rng: new Rng(1), example: SEED! });

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const json = (response: import("node:http").ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
};

describe("requests", () => {
  it("to OpenAI-compatible servers carry model, messages, limit, seed and schema; the key only in its header", async () => {
    server = await scriptedServer((_, response) => sayOpenAi(response, '{"answer":"1 + 1 = 2\\n#### 2"}'));
    const teacher = chatTeacher({ url: `${server.url}/`, temperature: 0.7 }, { key: KEY });
    const reply = await teacher.answer("What?", call());
    expect(reply).toMatchObject({
      value: { answer: "1 + 1 = 2\n#### 2" },
      finishReason: "stop",
      usage: { requests: 1, promptTokens: 10, completionTokens: 5 },
    });
    const [{ path, headers, body }] = server.seen as [(typeof server.seen)[0]];
    expect(path).toBe("/v1/chat/completions");
    expect(headers.authorization).toBe(`Bearer ${KEY}`);
    expect(body).toMatchObject({
      model: "tutelage-solver",
      max_tokens: 300,
      temperature: 0.7,
      response_format: { type: "json_schema", json_schema: { schema: { required: ["answer"] } } },
    });
    expect(body["seed"]).toSatisfy(Number.isSafeInteger);
    expect(JSON.stringify([path, body])).not.toContain(KEY);
    // A page could not send the SDK's own to a server whose list of allowed headers does not name it.
    expect(headers["user-agent"]).not.toContain("ai-sdk");
  });

  it("to Anthropic carry the header that lets a page ask", async () => {
    server = await scriptedServer((_, response) =>
      json(response, 200, {
        type: "message",
        id: "m",
        model: "claude",
        role: "assistant",
        content: [{ type: "text", text: '{"question":"New?"}' }],
        stop_reason: "end_turn",
        usage: { input_tokens: 7, output_tokens: 3 },
      }),
    );
    const teacher = chatTeacher(
      { url: server.url, model: "claude-test", structured: "prompt" },
      { key: KEY, provider: "anthropic" },
    );
    const reply = await teacher.propose(SEED!, "vary", call());
    expect(reply).toMatchObject({ value: { question: "New?" }, usage: { promptTokens: 7, completionTokens: 3 } });
    const [{ path, headers, body }] = server.seen as [(typeof server.seen)[0]];
    expect(path).toBe("/v1/messages");
    expect(headers).toMatchObject({ "x-api-key": KEY, "anthropic-dangerous-direct-browser-access": "true" });
    expect(body).toMatchObject({ model: "claude-test", max_tokens: 300 });
  });

  it("to Google carry the key in a header, not in the address", async () => {
    server = await scriptedServer((_, response) =>
      json(response, 200, {
        candidates: [
          {
            content: { role: "model", parts: [{ text: '{"first": 9, "second": "2"}' }] },
            finishReason: "STOP",
            index: 0,
          },
        ],
        usageMetadata: { promptTokenCount: 11, candidatesTokenCount: 4, totalTokenCount: 15 },
      }),
    );
    const teacher = chatTeacher({ url: server.url, model: "gemini-test" }, { key: KEY, provider: "google" });
    const reply = await teacher.judge("What?", ["a", "b"], call());
    // The same scores for both orders say nothing about the answers: they even out.
    expect(reply).toMatchObject({ value: { scores: [5.5, 5.5] }, usage: { requests: 2, promptTokens: 22 } });
    const [{ path, headers, body }] = server.seen as [(typeof server.seen)[0]];
    expect(path).toBe("/v1/models/gemini-test:generateContent");
    expect(headers["x-goog-api-key"]).toBe(KEY);
    expect(body).toMatchObject({ generationConfig: { maxOutputTokens: 300, responseMimeType: "application/json" } });
  });

  it("never follow a redirect, which would carry the key elsewhere", async () => {
    const other = await scriptedServer((_, response) => sayOpenAi(response, "{}"));
    server = await scriptedServer((_, response) => {
      response.writeHead(307, { location: `${other.url}/chat/completions` });
      response.end();
    });
    const teacher = chatTeacher({ url: server.url, retries: 0 }, { key: KEY });
    await expect(teacher.answer("What?", call())).rejects.toMatchObject({ code: "teacher" });
    expect(other.seen).toEqual([]);
    await other.close();
  });

  it("refuses addresses in which keys hide, without repeating them", () => {
    for (const url of [
      `https://user:${KEY}@host/v1`,
      `https://host/v1?key=${KEY}`,
      `https://host/#${KEY}`,
      KEY,
      "ftp://h",
    ]) {
      expect(() => chatUrl("openai", url)).toThrow(BadInputError);
      expect(() => chatUrl("openai", url)).not.toThrow(KEY);
    }
    expect(chatUrl("openai", "http://localhost:11434/v1/")).toBe("http://localhost:11434/v1");
  });

  it("refuses an address with the call's own path, and says what to leave out", () => {
    for (const [address, path] of [
      ["http://localhost:11434/v1/chat/completions", "/chat/completions"],
      ["https://api.anthropic.com/v1/messages/", "/messages"],
      ["https://host/v1beta/models/gemini", "/models/gemini"],
    ] as const)
      expect(() => chatUrl("openai", address)).toThrow(`Leave out ${path}`);
  });
});

describe("errors", () => {
  const failing = async (status: number, body: unknown, headers = {}): Promise<TeacherError> => {
    server = await scriptedServer((_, response) => json(response, status, body, headers));
    const teacher = chatTeacher({ url: server.url, retries: 0 }, { key: KEY });
    const error = await teacher.answer("What?", call()).then(
      () => undefined,
      (reason: unknown) => reason as TeacherError,
    );
    await server.close();
    return error!;
  };
  const said = (message: string, code = ""): object => ({ error: { message, code, type: "t", param: null } });

  it("are told apart by what can be done about them", async () => {
    expect(await failing(401, said("Incorrect API key"))).toMatchObject({ kind: "key", fatal: true });
    expect(await failing(400, said("API key not valid"))).toMatchObject({ kind: "key", fatal: true });
    expect(await failing(404, said("no such model"))).toMatchObject({ kind: "model", fatal: true });
    expect(await failing(429, said("quota", "insufficient_quota"))).toMatchObject({ kind: "unavailable", fatal: true });
    expect(await failing(429, said("slow down"), { "retry-after": "7" })).toMatchObject({
      kind: "rate-limit",
      passing: true,
      retryAfterMs: 7000,
    });
    expect(await failing(529, said("overloaded"))).toMatchObject({ kind: "server", passing: true });
    const refused = await failing(400, said("response_format is not supported"));
    expect(refused).toMatchObject({ kind: "request", fatal: false, passing: false });
    expect(refused.message).toContain("structured");
  });

  it("say when nothing listens, and never retry what cannot pass", async () => {
    const teacher = chatTeacher({ url: "http://127.0.0.1:9/v1", retries: 0 });
    await expect(teacher.answer("What?", call())).rejects.toThrow(
      /no connection to http:\/\/127.0.0.1:9.*Is it running/,
    );
    // Where nothing listens nothing was used; where a connection broke it may have been.
    const gone = await scriptedServer(() => undefined);
    await gone.close();
    await expect(chatTeacher({ url: gone.url, retries: 1 }).answer("What?", call())).rejects.toMatchObject({
      kind: "network",
      usage: { requests: 2, promptTokens: 0, completionTokens: 0 },
    });
    server = await scriptedServer((_, response) => response.destroy());
    await expect(chatTeacher({ url: server.url, retries: 0 }).answer("What?", call())).rejects.toMatchObject({
      kind: "network",
      usage: { requests: 1, completionTokens: 300 },
    });
    await server.close();
    server = await scriptedServer((_, response) => json(response, 401, said("no")));
    await expect(chatTeacher({ url: server.url, retries: 5 }).answer("What?", call())).rejects.toThrow("401");
    expect(server.seen).toHaveLength(1);
  });

  it("never hold the key, however a server repeats it", async () => {
    const forms = [KEY, encodeURIComponent(KEY), btoa(KEY)].join(" ");
    for (const status of [400, 401, 404, 500])
      expect(
        JSON.stringify(await failing(status, said(`Bad: ${forms}`)).then((e) => [e.message, e.details, e.stack])),
      ).not.toMatch(/planted|c2stcGxhbnRlZ/);
    server = await scriptedServer((_, response) => sayOpenAi(response, JSON.stringify({ answer: forms })));
    const { value } = await chatTeacher({ url: server.url }, { key: KEY }).answer("What?", call());
    expect(value.answer).toBe("[key] [key] [key]");
  });

  it("never hold the key in escapes either, which reading a reply would undo", async () => {
    const escaped = Array.from(KEY, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`).join("");
    const hex = Array.from(KEY, (letter) => `&#x${letter.charCodeAt(0).toString(16).toUpperCase()};`).join("");
    const forms = [escaped, KEY.replaceAll("/", "\\/"), hex, btoa(KEY).replaceAll("=", ""), `${KEY.slice(0, -1)}x`];
    server = await scriptedServer((_, response) => sayOpenAi(response, `{"answer": "${forms.join(" ")}"}`));
    const { value } = await chatTeacher({ url: server.url }, { key: KEY }).answer("What?", call());
    expect(value.answer).toBe(`[key] [key] [key] [key] ${KEY.slice(0, -1)}x`);
  });

  it("read Retry-After as seconds, as a date and in milliseconds", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    expect(retryAfterOf({ "retry-after": "1.5" }, now)).toBe(1500);
    expect(retryAfterOf({ "retry-after": "Thu, 01 Jan 2026 00:00:05 GMT" }, now)).toBe(5000);
    expect(retryAfterOf({ "retry-after": "Wed, 31 Dec 2025 00:00:05 GMT" }, now)).toBe(0);
    expect(retryAfterOf({ "retry-after": "9", "retry-after-ms": "20" }, now)).toBe(20);
    expect(retryAfterOf({ "retry-after": "soon" }, now)).toBeUndefined();
    expect(retryAfterOf({}, now)).toBeUndefined();
  });
});

describe("replies", () => {
  it("that are no JSON are asked for once more, with what was wrong; then the item is lost", async () => {
    server = await scriptedServer((_, response, number) =>
      sayOpenAi(response, number === 0 ? "The answer is 2." : '{"answer": "#### 2"}'),
    );
    const teacher = chatTeacher({ url: server.url });
    expect(await teacher.answer("What?", call())).toMatchObject({
      value: { answer: "#### 2" },
      usage: { requests: 2 },
    });
    const messages = server.seen[1]?.body["messages"] as { role: string; content: string }[];
    expect(messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
    expect(messages[3]?.content).toContain("expected a JSON object");
    await server.close();
    server = await scriptedServer((_, response) => sayOpenAi(response, "No."));
    await expect(chatTeacher({ url: server.url }).answer("What?", call())).rejects.toMatchObject({
      kind: "reply",
      usage: { requests: 2, promptTokens: 20 },
    });
  });

  it("that were cut off are never used, and never asked for again", async () => {
    server = await scriptedServer((_, response) => sayOpenAi(response, '{"answer": "1 + 1', "length"));
    await expect(chatTeacher({ url: server.url }).answer("What?", call())).rejects.toThrow(/cut off after 300 tokens/);
    expect(server.seen).toHaveLength(1);
  });

  it("without counts are charged a token a byte; senseless counts are not believed", async () => {
    server = await scriptedServer((_, response, number) =>
      sayOpenAi(response, '{"answer": "2"}', "stop", number === 0 ? {} : { prompt_tokens: -5, completion_tokens: 1.5 }),
    );
    const teacher = chatTeacher({ url: server.url });
    for (const seed of [1, 2]) {
      const { usage } = await teacher.answer("What?", { rng: new Rng(seed), example: SEED! });
      expect(usage.completionTokens).toBe(15);
      expect(usage.promptTokens).toBeGreaterThan(500);
    }
  });
});

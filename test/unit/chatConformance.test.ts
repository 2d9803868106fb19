/** @file Our clients against another project's servers of the same APIs (aimock: OpenAI, Anthropic, Gemini), whole and streamed: text, usage, errors. */
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import type { HttpProvider } from "../../src/teacher/config.ts";
import { chatTeacher, seeds } from "../support/chatTeachers.ts";

const mock = new LLMock({ port: 0 });
beforeAll(() => mock.start());
afterAll(() => mock.stop());
beforeEach(() => {
  mock.reset();
});

const [SEED] = seeds(1);
const PATHS: Readonly<Record<HttpProvider, string>> = { openai: "/v1", anthropic: "/v1", google: "/v1beta" };
const MODELS: Readonly<Record<HttpProvider, string>> = {
  openai: "gpt-4o-mini",
  anthropic: "claude-sonnet-4-5",
  google: "gemini-2.5-flash",
};

for (const provider of ["openai", "anthropic", "google"] as const)
  for (const stream of [false, true])
    describe(`${provider}, ${stream ? "streamed" : "whole"}`, () => {
      const teacher = () =>
        chatTeacher(
          { url: mock.url + PATHS[provider], model: MODELS[provider], structured: "json", stream, retries: 2 },
          { provider, key: "sk-any-key" },
        );

      it("reads a reply with its usage, and asks again for one that is no JSON", async () => {
        mock.onMessage(/That cannot be used/, { content: '{"answer": "1 + 1 = 2\\n#### 2"}' });
        mock.onMessage(/Now answer this question/, { content: "Two, I think." });
        mock.onMessage(/Write one new question/, { content: 'Sure: {"question": "What is 2 + 2?"}' });
        const call = { rng: new Rng(1), example: SEED! };
        const proposed = await teacher().propose(SEED!, "vary", call);
        expect(proposed.value.question).toBe("What is 2 + 2?");
        expect(proposed).toMatchObject({ finishReason: "stop", usage: { requests: 1 } });
        expect(proposed.usage.promptTokens).toBeGreaterThan(0);
        expect(proposed.usage.completionTokens).toBeGreaterThan(0);
        const answered = await teacher().answer("One and one?", call);
        expect(answered.value.answer).toBe("1 + 1 = 2\n#### 2");
        expect(answered.usage.requests).toBe(2);
      });

      it("names a refused key, and gets over a server error", async () => {
        mock.onMessage(/Write one new question/, { content: '{"question": "Q?"}' });
        const ask = () => teacher().propose(SEED!, "vary", { rng: new Rng(2) });
        mock.nextRequestError(401, { message: "bad key", type: "authentication_error" });
        await expect(ask()).rejects.toMatchObject({ kind: "key" });
        mock.nextRequestError(500, { message: "oops", type: "server_error" });
        expect(await ask()).toMatchObject({ value: { question: "Q?" }, usage: { requests: 2 } });
      });
    });

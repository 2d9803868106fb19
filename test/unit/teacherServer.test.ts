/** @file The teacher's server as OpenAI's own client sees it, and as a page of another origin does. */
import OpenAI from "openai";
import { afterEach, expect, it } from "vitest";
import { startTeacherServer, SERVED_MODEL } from "../../src/teacher/node/teacherServer.ts";
import type { TeacherServer, TeacherServerOptions } from "../../src/teacher/node/teacherServer.ts";
import { seeds, TASK } from "../support/chatTeachers.ts";

let server: TeacherServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function client(options: TeacherServerOptions = {}, apiKey = "any key"): Promise<OpenAI> {
  server = await startTeacherServer(TASK, options);
  return new OpenAI({ baseURL: server.url, apiKey, maxRetries: 0 });
}

const [SEED] = seeds(1);
const ASKED = { model: SERVED_MODEL, messages: [{ role: "user" as const, content: SEED!.question }] };

it("answers OpenAI's client: a chat, with usage and finish reason", async () => {
  const openai = await client();
  const reply = await openai.chat.completions.create(ASKED);
  expect(reply).toMatchObject({
    object: "chat.completion",
    model: SERVED_MODEL,
    choices: [{ index: 0, message: { role: "assistant", content: SEED!.answer }, finish_reason: "stop" }],
  });
  expect(reply.usage!.total_tokens).toBe(reply.usage!.prompt_tokens + reply.usage!.completion_tokens);
  const cut = await openai.chat.completions.create({ ...ASKED, max_completion_tokens: 3 });
  expect(cut.choices[0]).toMatchObject({ finish_reason: "length" });
  expect(cut.usage!.completion_tokens).toBeLessThanOrEqual(3);
});

it("streams to OpenAI's client the same text in pieces, with usage where it is asked for", async () => {
  const openai = await client();
  const stream = await openai.chat.completions.create({
    ...ASKED,
    stream: true,
    stream_options: { include_usage: true },
  });
  const pieces: string[] = [];
  let usage = 0;
  let finish: string | null = null;
  for await (const chunk of stream) {
    pieces.push(chunk.choices[0]?.delta.content ?? "");
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage?.total_tokens ?? usage;
  }
  expect(pieces.join("")).toBe(SEED!.answer);
  expect(pieces.filter((piece) => piece !== "").length).toBeGreaterThan(1);
  expect(finish).toBe("stop");
  expect(usage).toBeGreaterThan(0);
});

it("tells OpenAI's client of errors as its API does", async () => {
  const openai = await client({ key: "right", rateLimit: 1 }, "right");
  await expect(openai.chat.completions.create({ ...ASKED, model: "gpt-x" })).rejects.toBeInstanceOf(
    OpenAI.NotFoundError,
  );
  await expect(openai.chat.completions.create({ ...ASKED, messages: [] })).rejects.toBeInstanceOf(
    OpenAI.BadRequestError,
  );
  await openai.chat.completions.create(ASKED);
  const limited = await openai.chat.completions.create(ASKED).catch((error: unknown) => error);
  expect(limited).toBeInstanceOf(OpenAI.RateLimitError);
  expect(Number((limited as InstanceType<typeof OpenAI.RateLimitError>).headers?.get("retry-after"))).toBeGreaterThan(
    0,
  );
  const stranger = new OpenAI({ baseURL: server!.url, apiKey: "wrong", maxRetries: 0 });
  await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  expect((await openai.models.list()).data.map(({ id }) => id)).toEqual([SERVED_MODEL]);
  expect((await openai.models.retrieve(SERVED_MODEL)).object).toBe("model");
});

it("lets OpenAI's client go in the middle of an answer, whole or streamed, and serves the next one", async () => {
  const openai = await client({ latencyMs: 100 });
  const abort = new AbortController();
  const waiting = openai.chat.completions.create(ASKED, { signal: abort.signal });
  await expect.poll(() => server!.counts.requests, { timeout: 60_000 }).toBe(1);
  abort.abort();
  await expect(waiting).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
  const stream = await openai.chat.completions.create({ ...ASKED, stream: true });
  for await (const chunk of stream) if ((chunk.choices[0]?.delta.content ?? "") !== "") break;
  expect(stream.controller.signal.aborted).toBe(true);
  expect((await openai.chat.completions.create(ASKED)).choices[0]?.message.content).toBe(SEED!.answer);
});

it("is retried by OpenAI's client through its faults, and counts them", async () => {
  await client({ failRate: 0.6, faults: ["500", "429"], retryAfterSeconds: 0.01, seed: 4 });
  const patient = new OpenAI({ baseURL: server!.url, apiKey: "any", maxRetries: 8 });
  for (let i = 0; i < 4; i++)
    expect((await patient.chat.completions.create(ASKED)).choices[0]?.message.content).toBe(SEED!.answer);
  const { requests, answered, faults } = server!.counts;
  expect(answered).toBe(4);
  expect(requests).toBe(4 + (faults["500"] ?? 0) + (faults["429"] ?? 0));
  expect(requests).toBeGreaterThan(4);
}, 60_000);

it("answers a page on a connection of its own, so that its browser sends nothing again, and other clients on a kept one", async () => {
  await client();
  const answers = async (headers: Record<string, string>): Promise<string | null> => {
    const body = JSON.stringify({ model: SERVED_MODEL, messages: ASKED.messages });
    const reply = await fetch(`${server!.url}/chat/completions`, { method: "POST", headers, body });
    expect(reply.status).toBe(200);
    await reply.text();
    return reply.headers.get("connection");
  };
  expect(await answers({ origin: "https://page.example" })).toBe("close");
  expect(await answers({})).toBe("keep-alive");
});

it("lets pages of any origin ask, and refuses what is no question without falling over", async () => {
  await client();
  const { url } = server!;
  const preflight = await fetch(`${url}/chat/completions`, {
    method: "OPTIONS",
    headers: { origin: "https://page.example", "access-control-request-headers": "authorization,content-type" },
  });
  expect(preflight.status).toBe(204);
  expect(Object.fromEntries(preflight.headers)).toMatchObject({
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "authorization,content-type",
  });
  const post = (body: string) => fetch(`${url}/chat/completions`, { method: "POST", body });
  const statuses = [];
  for (const body of ["", "{", "[]", '{"model":1}', JSON.stringify({ model: SERVED_MODEL, messages: "hi" })])
    statuses.push((await post(body)).status);
  expect(statuses).toEqual([400, 400, 400, 400, 400]);
  expect((await post("x".repeat(1_100_000))).status).toBe(413);
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:/);
});

/** @file Chat teachers for tests: word problems over HTTP on loopback, with short pauses; and a server that says what a test tells it to. */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Rng } from "../../src/core/rng.ts";
import { createTask } from "../../src/tasks/registry.ts";
import type { Question } from "../../src/tasks/types.ts";
import { createChatTeacher } from "../../src/teacher/chat/chatTeacher.ts";
import type { ChatTeacher, ChatTeacherOptions } from "../../src/teacher/chat/chatTeacher.ts";
import type { ChatProvider, ChatSettings } from "../../src/teacher/config.ts";
import { SERVED_MODEL } from "../../src/teacher/node/teacherServer.ts";

export const TASK = createTask("word-problems");

/** Seed questions of the task. */
export function seeds(count: number, seed = 1): readonly Question[] {
  return TASK.splits({ pool: count, validation: 0, test: 0 }, new Rng(seed)).pool;
}

/** Settings of the loop's defaults. The timeout is long: under load the first request alone takes seconds. */
export function chatSettings(change: Partial<ChatSettings> = {}): ChatSettings {
  return {
    model: SERVED_MODEL,
    calls: "two",
    structured: "schema",
    stream: false,
    maxOutputTokens: 300,
    timeoutSeconds: 60,
    retries: 5,
    concurrency: 4,
    limits: {},
    ...change,
  };
}

/** A teacher of word problems that waits milliseconds where a real one waits seconds. */
export function chatTeacher(
  change: Partial<ChatSettings> = {},
  options: ChatTeacherOptions & { readonly provider?: ChatProvider } = {},
): ChatTeacher {
  const { provider = "openai", ...rest } = options;
  return createChatTeacher(provider, TASK, chatSettings(change), { firstPauseMs: 2, breakerPauseMs: 20, ...rest });
}

/** A request as a scripted server got it. */
export interface SeenRequest {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Record<string, unknown>;
}

export interface ScriptedServer {
  readonly url: string;
  readonly seen: SeenRequest[];
  close(): Promise<void>;
}

/** A loopback server that answers every request with `answer`. */
export async function scriptedServer(
  answer: (request: SeenRequest, response: ServerResponse, number: number) => void,
): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
      const one = { path: request.url ?? "", headers: request.headers, body };
      seen.push(one);
      answer(one, response, seen.length - 1);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Sends `text` as an OpenAI chat completion. */
export function sayOpenAi(
  response: ServerResponse,
  text: string,
  finish: string | null = "stop",
  usage?: object,
): void {
  response.writeHead(200, { "content-type": "application/json" });
  const choice = { index: 0, message: { role: "assistant", content: text }, finish_reason: finish };
  const counts = usage ?? { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
  response.end(JSON.stringify({ id: "1", created: 1, model: "m", choices: [choice], usage: counts }));
}

/**
 * @file The built-in teacher behind an OpenAI-compatible HTTP server: chat completions
 * (streamed too), the list of models, CORS, usage; and faults on purpose, for teaching
 * and for tests. Serves any client; keeps nothing of what it is asked.
 */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { badInput, messageOf } from "../../core/errors.ts";
import { Rng } from "../../core/rng.ts";
import type { Task } from "../../tasks/types.ts";
import { createSolverChat } from "../solverChat.ts";
import { completionBody, completionEvents, completionOf, errorBody, parseChatBody } from "./chatBody.ts";
import { COMMON_FAULTS, playFault } from "./faults.ts";
import type { FaultName } from "./faults.ts";

/** The one model of the server. */
export const SERVED_MODEL = "tutelage-solver";

const MAX_BODY_BYTES = 1_000_000;
const MINUTE_MS = 60_000;

export interface TeacherServerOptions {
  /** Loopback by default. */
  readonly host?: string;
  /** 0, the default: any free one. */
  readonly port?: number;
  /** Every request must carry it. */
  readonly key?: string | undefined;
  /** Share of requests that end in one of `faults`. */
  readonly failRate?: number;
  readonly faults?: readonly FaultName[];
  readonly retryAfterSeconds?: number;
  /** Share of answers whose text is not the JSON asked for. */
  readonly malformedRate?: number;
  /** Share of pairs that are wrong. */
  readonly wrongRate?: number;
  /** Mean of a random delay between half and one and a half of it. */
  readonly latencyMs?: number;
  /** Requests in any minute; more are refused with 429. */
  readonly rateLimit?: number | undefined;
  /** Of faults and delays. */
  readonly seed?: number;
  /** Told of every chat request that arrived whole, before it is answered. */
  readonly onRequest?: ((request: ServedRequest) => void) | undefined;
}

/** A chat request as it arrived. */
export interface ServedRequest {
  /** Counts from 0, in the order of arrival. */
  readonly number: number;
  /** The client's own `x-client-request-id`, undefined when it sent none. */
  readonly clientRequestId: string | undefined;
}

/** What was served. `requests` counts every chat request that arrived whole. */
export interface ServedCounts {
  readonly requests: number;
  readonly answered: number;
  readonly refused: number;
  readonly faults: Readonly<Partial<Record<FaultName, number>>>;
}

export interface TeacherServer {
  /** Base address for clients, `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  readonly counts: ServedCounts;
  /** Ends connections and the server. */
  close(): Promise<void>;
}

/** Starts a server for `task`. @throws BadInputError for a task without a solver, or an address that cannot be had. */
export async function startTeacherServer(task: Task, options: TeacherServerOptions = {}): Promise<TeacherServer> {
  const { host = "127.0.0.1", port = 0 } = options;
  const service = new ChatService(task, options);
  const server = createServer((request, response) => {
    // A client that goes away is no error of the server.
    response.on("error", () => undefined);
    service.serve(request, response).catch((error: unknown) => {
      if (!response.headersSent) service.send(response, 500, errorBody(messageOf(error), "server_error"));
      else response.destroy();
    });
  });
  await listen(server, host, port);
  const { address, port: bound, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${bound}/v1`,
    get counts() {
      return service.counts;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class ChatService {
  readonly #options: TeacherServerOptions;
  readonly #chat: ReturnType<typeof createSolverChat>;
  readonly #rng: Rng;
  readonly #arrivalsMs: number[] = [];
  #requests = 0;
  #answered = 0;
  #refused = 0;
  readonly #faults: Partial<Record<FaultName, number>> = {};

  constructor(task: Task, options: TeacherServerOptions) {
    this.#options = options;
    this.#chat = createSolverChat(task, { errorRate: options.wrongRate ?? 0 });
    this.#rng = new Rng(options.seed ?? 0);
  }

  get counts(): ServedCounts {
    return {
      requests: this.#requests,
      answered: this.#answered,
      refused: this.#refused,
      faults: { ...this.#faults },
    };
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-expose-headers", "retry-after, retry-after-ms");
    // A browser sends a request again by itself where a connection that was used before is cut before any reply
    // (Chromium: `HttpNetworkTransaction::ShouldResendRequest`). On a connection of its own, each arrives once.
    if (request.headers.origin !== undefined) response.setHeader("connection", "close");
    const path = new URL(request.url ?? "/", "http://localhost").pathname.replace(/\/+$/, "");
    if (request.method === "OPTIONS") {
      response.writeHead(204, {
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": request.headers["access-control-request-headers"] ?? "*",
        "access-control-allow-private-network": "true",
        "access-control-max-age": "600",
      });
      return void response.end();
    }
    if (!this.#allowed(request))
      return this.send(
        response,
        401,
        errorBody("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
      );
    const model = { id: SERVED_MODEL, object: "model", created: 0, owned_by: "tutelage" };
    if (request.method === "GET" && path === "/v1/models")
      return this.send(response, 200, { object: "list", data: [model] });
    if (request.method === "GET" && path === `/v1/models/${SERVED_MODEL}`) return this.send(response, 200, model);
    if (request.method === "POST" && path === "/v1/chat/completions") return this.#complete(request, response);
    return this.send(
      response,
      404,
      errorBody(
        `There is nothing at ${request.method ?? ""} ${path}. Ask POST /v1/chat/completions or GET /v1/models.`,
        "invalid_request_error",
      ),
    );
  }

  send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
    if (status >= 400) this.#refused++;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  }

  #allowed(request: IncomingMessage): boolean {
    const { key } = this.#options;
    return key === undefined || request.headers.authorization === `Bearer ${key}`;
  }

  async #complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await readBody(request);
    if (text === undefined)
      return this.send(
        response,
        413,
        errorBody(`The request is longer than ${MAX_BODY_BYTES} bytes.`, "invalid_request_error"),
      );
    const number = this.#requests++;
    const id = request.headers["x-client-request-id"];
    this.#options.onRequest?.({ number, clientRequestId: typeof id === "string" ? id : undefined });
    const asked = parseChatBody(parseJson(text));
    if (typeof asked === "string") return this.send(response, 400, errorBody(asked, "invalid_request_error"));
    if (asked.model !== SERVED_MODEL)
      return this.send(
        response,
        404,
        errorBody(
          `The model '${asked.model}' does not exist; this server has '${SERVED_MODEL}'.`,
          "invalid_request_error",
          "model_not_found",
        ),
      );
    const waitSeconds = this.#secondsOverRate();
    if (waitSeconds > 0)
      return this.send(response, 429, errorBody("Rate limit reached.", "requests", "rate_limit_exceeded"), {
        "retry-after": String(waitSeconds),
      });

    // Drawn in the order of arrival, before anything is awaited.
    const {
      failRate = 0,
      faults = COMMON_FAULTS,
      malformedRate = 0,
      latencyMs = 0,
      retryAfterSeconds = 1,
    } = this.#options;
    const fault = this.#rng.uniform() < failRate ? this.#rng.pick(faults) : undefined;
    const malformed = this.#rng.uniform() < malformedRate;
    const delayMs = latencyMs * (0.5 + this.#rng.uniform());
    if (delayMs > 0) await wait(delayMs);

    // Equal requests without a seed get different replies, as from any model that samples.
    const rng = new Rng(asked.seed ?? number).fork(JSON.stringify(asked.messages));
    const whole = await this.#chat.reply(asked.messages, rng, { json: asked.json });
    const said = malformed ? `Sure! Here you are: ${whole.slice(2)}` : whole;
    const completion = completionOf(asked, `chatcmpl-${number}`, said);
    const events = asked.stream ? completionEvents(completion, asked.includeUsage) : [];
    if (fault !== undefined) {
      this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
      const due = asked.stream ? events.join("") : JSON.stringify(completionBody(completion));
      return playFault(fault, response, { retryAfterSeconds, due, stream: asked.stream });
    }
    this.#answered++;
    if (!asked.stream) return this.send(response, 200, completionBody(completion));
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    for (const event of events) response.write(event);
    response.end();
  }

  /** 0 when the request may pass, and is counted; else how long to wait. */
  #secondsOverRate(): number {
    const { rateLimit } = this.#options;
    if (rateLimit === undefined) return 0;
    const nowMs = Date.now();
    while ((this.#arrivalsMs[0] ?? Infinity) <= nowMs - MINUTE_MS) this.#arrivalsMs.shift();
    const [oldest] = this.#arrivalsMs;
    if (oldest === undefined || this.#arrivalsMs.length < rateLimit) {
      this.#arrivalsMs.push(nowMs);
      return 0;
    }
    return Math.max(1, Math.ceil((oldest + MINUTE_MS - nowMs) / 1000));
  }
}

/** The request's text, undefined when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      try {
        badInput(
          "serve-teacher",
          "an address that is free",
          `${host}:${port} (${error.code ?? error.message})`,
          "Choose another --port or --host",
        );
      } catch (problem) {
        reject(problem instanceof Error ? problem : error);
      }
    });
    server.listen(port, host, resolve);
  });
}

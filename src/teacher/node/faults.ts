/** @file Faults that the teacher's server can play: each ends one response in a way that real servers and networks do. */
import type { ServerResponse } from "node:http";
import { errorBody } from "./chatBody.ts";

/** Faults by name, with one line each. */
export const FAULTS = {
  "429": "too many requests, with Retry-After",
  "500": "internal error",
  "503": "overloaded",
  timeout: "no answer at all",
  reset: "the connection is cut before the answer",
  malformed: "a body that is no JSON",
  truncated: "the connection is cut in the middle of the answer",
  html: "a web page instead of the API's answer",
  huge: "an answer of 10 MB",
  endless: "an answer that never ends",
} as const;

export type FaultName = keyof typeof FAULTS;

/** What `--fail-rate` plays unless told otherwise. */
export const COMMON_FAULTS: readonly FaultName[] = ["429", "500", "timeout", "reset", "malformed", "truncated"];

const HUGE_BYTES = 10_000_000;
const ENDLESS_INTERVAL_MS = 5;
const JSON_TYPE = { "content-type": "application/json" };
const EVENT_TYPE = { "content-type": "text/event-stream" };

export interface FaultSetting {
  readonly retryAfterSeconds: number;
  /** The answer that was due: a JSON body, or events. */
  readonly due: string;
  readonly stream: boolean;
}

/** Ends `response` with the fault; `timeout` and `endless` end when the connection does. */
export function playFault(name: FaultName, response: ServerResponse, setting: FaultSetting): void {
  const { retryAfterSeconds, due, stream } = setting;
  const type = stream ? EVENT_TYPE : JSON_TYPE;
  const fail = (status: number, message: string, code: string, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { ...JSON_TYPE, ...headers });
    response.end(JSON.stringify(errorBody(message, code, code)));
  };
  switch (name) {
    case "429":
      return fail(429, "Rate limit reached (played).", "rate_limit_exceeded", {
        "retry-after": String(retryAfterSeconds),
      });
    case "500":
      return fail(500, "The server had an error (played).", "server_error");
    case "503":
      return fail(503, "The server is overloaded (played).", "server_error");
    case "timeout":
      return;
    case "reset":
      return void response.destroy();
    case "malformed":
      response.writeHead(200, JSON_TYPE);
      return void response.end(due.slice(0, Math.floor(due.length / 2)));
    case "truncated":
      response.writeHead(200, type);
      return void response.write(due.slice(0, Math.floor(due.length / 2)), () => void response.destroy());
    case "html":
      response.writeHead(200, { "content-type": "text/html" });
      return void response.end("<!doctype html><title>Sign in</title><script>alert(1)</script>");
    case "huge":
      response.writeHead(200, type);
      return void response.end(" ".repeat(HUGE_BYTES) + due);
    case "endless": {
      response.writeHead(200, type);
      const piece = stream
        ? `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "and " } }] })}\n\n`
        : " ";
      const timer = setInterval(() => response.write(piece.repeat(64)), ENDLESS_INTERVAL_MS);
      return void response.on("close", () => clearInterval(timer));
    }
    default:
      return name satisfies never;
  }
}

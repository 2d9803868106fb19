/** @file Contenders in Node: a child process each. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Reply, Request } from "../service.ts";
import type { Line } from "../seat.ts";

const ENTRY = fileURLToPath(new URL("./process.mjs", import.meta.url));

/** A new process; what it prints goes to stderr. */
export function openNodeLine(): Line {
  const child = fork(ENTRY, { stdio: ["ignore", 2, 2, "ipc"] });
  return {
    ask: (request: Request) =>
      new Promise<Reply>((resolve) => {
        const onExit = (code: number | null): void =>
          resolve({ type: "failed", message: `the process ended with status ${String(code)}` });
        child.once("exit", onExit);
        child.once("message", (reply) => {
          child.off("exit", onExit);
          resolve(reply as Reply);
        });
        child.send(request);
      }),
    end: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", () => resolve());
        child.kill();
      }),
  };
}

/** @file The `tutelage` program in this process, with what it printed; and a place for its files. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../src/cli/main.ts";

export interface CliResult {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  /** stdout as JSON lines. @throws SyntaxError when a line is something else. */
  readonly records: readonly Record<string, unknown>[];
}

export interface CliOptions {
  /** Called with every piece of stdout as it comes. */
  readonly onOut?: (text: string) => void;
  /** stdout and stderr are terminals. */
  readonly terminal?: boolean;
}

/** Runs a command on one CPU thread unless `args` say otherwise. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  let out = "";
  let err = "";
  const terminal = options.terminal ?? false;
  const status = await main(args, {
    out: (text) => {
      out += text;
      options.onOut?.(text);
    },
    err: (text) => void (err += text),
    terminal,
    progressTerminal: terminal,
  });
  return {
    status,
    out,
    err,
    get records() {
      return out
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

/** The fastest way through an engine command. */
export const CPU = ["--ep", "cpu", "--threads", "1"] as const;

/** An empty directory that a test removes, and files in it. */
export class Workspace {
  readonly path = mkdtempSync(join(tmpdir(), "tutelage-cli-"));

  in(...parts: readonly string[]): string {
    return join(this.path, ...parts);
  }

  write(name: string, data: string | Uint8Array): string {
    writeFileSync(this.in(name), data);
    return this.in(name);
  }

  /** JSONL of rows. */
  rows(name: string, rows: readonly unknown[]): string {
    return this.write(name, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  }

  /** Everything in it, hidden and temporary files included. */
  list(...parts: readonly string[]): string[] {
    return readdirSync(this.in(...parts)).sort();
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** @file The `tutelage` program: finds the command, turns errors into messages and exit statuses. */
import { setMaxListeners } from "node:events";
import { BadInputError, messageOf, TutelageError } from "../core/errors.ts";
import type { Command } from "./command.ts";
import { cacheCommand } from "./commands/cache.ts";
import { exportCommand } from "./commands/export.ts";
import { generateCommand } from "./commands/generate.ts";
import { loopCommand } from "./commands/loop.ts";
import { serveTeacherCommand } from "./commands/serveTeacher.ts";
import { scoreCommand } from "./commands/score.ts";
import { studyCommand } from "./commands/study.ts";
import { teacherCommand } from "./commands/teacher.ts";
import { trainCommand } from "./commands/train.ts";
import { PROCESS_STREAMS, type Streams } from "./output.ts";

const COMMANDS: readonly Command[] = [
  scoreCommand,
  trainCommand,
  generateCommand,
  exportCommand,
  loopCommand,
  studyCommand,
  teacherCommand,
  serveTeacherCommand,
  cacheCommand,
];

function usage(): string {
  const lines = COMMANDS.map((command) => `  ${command.name.padEnd(15)}${command.summary}`);
  return `Usage: tutelage COMMAND [options]\n\nA small language model learns in a closed loop: it picks what to ask, a teacher answers, ONNX Runtime trains it.\n\nCommands:\n${lines.join("\n")}\n\nOptions of a command: tutelage COMMAND --help\nExit status: 0 done, 2 bad input or usage, 1 failure.\n`;
}

/** The most requests of a teacher at once, twice over, and some. */
const MAX_LISTENERS = 200;

/** Runs the program; returns the exit status: 0 done, 2 bad input or usage, 1 failure. */
export async function main(argv: readonly string[], streams: Streams = PROCESS_STREAMS): Promise<number> {
  // Each teacher call in flight listens to the run's one signal: many listeners are no leak.
  setMaxListeners(MAX_LISTENERS);
  const [name, ...args] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    (name === undefined ? streams.err : streams.out)(usage());
    return name === undefined ? 2 : 0;
  }
  try {
    const command = COMMANDS.find((candidate) => candidate.name === name);
    if (command === undefined)
      throw new BadInputError(
        `tutelage: expected a command (${COMMANDS.map((known) => known.name).join(", ")}), got '${name}'. See: tutelage --help`,
      );
    await command.run(args, streams);
    return 0;
  } catch (error) {
    const message = messageOf(error);
    streams.err(`${message.startsWith("tutelage") ? "" : "tutelage: "}${message}\n`);
    if (!(error instanceof TutelageError) && error instanceof Error && error.stack !== undefined)
      streams.err(`${error.stack}\n`);
    return error instanceof BadInputError ? 2 : 1;
  }
}

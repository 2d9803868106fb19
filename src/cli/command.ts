/** @file What a command of the `tutelage` program is. */
import type { Streams } from "./output.ts";

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  help(): string;
  /** Runs with the arguments after the command's name. @throws TutelageError; the program turns it into an exit status. */
  run(args: readonly string[], streams: Streams): Promise<void>;
}

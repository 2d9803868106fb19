/**
 * @file What goes where: results on stdout (JSON lines, or a line for people on a
 * terminal), everything else on stderr.
 */
export interface Streams {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** stdout is a terminal. */
  readonly terminal: boolean;
  /** stderr is a terminal: progress may rewrite its line. */
  readonly progressTerminal: boolean;
}

export const PROCESS_STREAMS: Streams = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  terminal: process.stdout.isTTY === true,
  progressTerminal: process.stderr.isTTY === true,
};

export class Output {
  readonly #streams: Streams;
  readonly #json: boolean;
  #progressShown = false;

  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.#json = json || !streams.terminal;
  }

  /** One result. */
  record(value: object, forPeople: string): void {
    this.#clearProgress();
    this.#streams.out(`${this.#json ? JSON.stringify(value) : forPeople}\n`);
  }

  /** A line about the run, never part of the result. */
  note(text: string): void {
    this.#clearProgress();
    this.#streams.err(`${text}\n`);
  }

  /** A line that the next one replaces; only where someone watches. */
  progress(text: string): void {
    if (!this.#streams.progressTerminal) return;
    this.#streams.err(`\r\u001b[K${text}`);
    this.#progressShown = true;
  }

  #clearProgress(): void {
    if (this.#progressShown) this.#streams.err("\r\u001b[K");
    this.#progressShown = false;
  }
}

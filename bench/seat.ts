/** @file A contender as the bench sees it, wherever it runs. */
import type { ContenderName, ContenderSpec, StepParts, StepResult, Work } from "./contender.ts";
import type { Reply, Request } from "./service.ts";

/** Where a contender runs. */
export type HostName = "node" | "browser";

/** Something that can be asked; the process or page behind it is ended by `end`. */
export interface Line {
  ask(request: Request): Promise<Reply>;
  end(): Promise<void>;
}

export interface Timing {
  readonly ms: number;
  readonly parts: StepParts | undefined;
}

export class Seat {
  readonly contender: ContenderName;
  readonly host: HostName;
  readonly #line: Line;
  #description = "";
  #work: readonly Work[] = [];

  private constructor(contender: ContenderName, host: HostName, line: Line) {
    this.contender = contender;
    this.host = host;
    this.#line = line;
  }

  /** Opens the contender behind `line`. @throws Error with what the contender reported. */
  static async open(spec: ContenderSpec, host: HostName, line: Line): Promise<Seat> {
    const seat = new Seat(spec.contender, host, line);
    const reply = await seat.#ask({ type: "open", spec });
    if (reply.type === "opened") {
      seat.#description = reply.description;
      seat.#work = reply.work;
    }
    return seat;
  }

  /** Unique among the rows of one model. */
  get id(): string {
    return this.host === "node" ? this.contender : `${this.contender} in browser`;
  }

  get description(): string {
    return this.#description;
  }

  get work(): readonly Work[] {
    return this.#work;
  }

  async step(): Promise<StepResult> {
    const reply = await this.#ask({ type: "step" });
    if (reply.type !== "stepped") throw new Error(`${this.id}: unexpected reply '${reply.type}'`);
    return reply.result;
  }

  /** Milliseconds of one `work`, the mean of `times` in a row, and of what a step is made of. */
  async time(work: Work, times: number): Promise<Timing> {
    const reply = await this.#ask({ type: "time", work, times });
    if (reply.type !== "timed") throw new Error(`${this.id}: unexpected reply '${reply.type}'`);
    return { ms: reply.ms, parts: reply.parts };
  }

  async close(): Promise<void> {
    await this.#line.ask({ type: "close" }).catch(() => undefined);
    await this.#line.end();
  }

  async #ask(request: Request): Promise<Reply> {
    const reply = await this.#line.ask(request);
    if (reply.type === "failed") throw new Error(`${this.id}: ${reply.message}`);
    return reply;
  }
}

/**
 * @file The one door that requests to a teacher go through, in order: concurrency,
 * requests and tokens per minute, hard ceilings, pauses that the teacher asked for, and
 * a circuit breaker. Not here: what a request says, and whether it is tried again.
 *
 * Law: what was used plus the most that requests in flight can use never exceeds a
 * ceiling. A request whose use stays unknown (it broke off) counts with that most.
 */
import { throwIfAborted } from "../../core/errors.ts";
import { TeacherError } from "../teacherError.ts";
import type { ChatLimits, ChatPrice } from "../config.ts";

/** Requests and tokens per minute are counted over this window before each request. */
const WINDOW_MS = 60_000;
/** Failures one after another that open the breaker. */
const BREAKER_FAILURES = 8;
/** First pause of the breaker; doubles with every probe that fails. */
const BREAKER_PAUSE_MS = 5_000;
/** Failed probes after which the teacher counts as gone. */
const BREAKER_PROBES = 3;
const MS_PER_MINUTE = 60_000;
const TOKENS_PER_PRICE = 1e6;
/** `setTimeout` takes no more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface Tokens {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface Spent extends Tokens {
  readonly requests: number;
  readonly costUsd: number;
}

/** How a request ended, for the breaker: answered (also with an error of our making), told to wait, or not answered. */
export type Health = "up" | "busy" | "down";

/** Leave to send one request. Must be settled, once. */
export interface Permit {
  /** Until the ceiling of minutes; Infinity without one. */
  readonly remainingMs: number;
  /** `used` undefined: unknown, so all that was reserved. `reason`: what went wrong, where something did. */
  settle(used: Tokens | undefined, health: Health, reason?: string): void;
}

export interface GateOptions {
  readonly limits: ChatLimits;
  readonly price?: ChatPrice | undefined;
  readonly concurrency: number;
  /** Clock in milliseconds, `Date.now` by default. */
  readonly now?: (() => number) | undefined;
  readonly breakerPauseMs?: number | undefined;
}

interface Waiter {
  readonly most: Tokens;
  readonly admit: (permit: Permit) => void;
  readonly refuse: (error: unknown) => void;
}

interface Sent {
  readonly atMs: number;
  tokens: number;
}

/** Money that tokens cost; 0 without a price. */
export function costOf(tokens: Tokens, price: ChatPrice | undefined): number {
  if (price === undefined) return 0;
  const { promptTokens, completionTokens } = tokens;
  return (promptTokens * price.promptUsd + completionTokens * price.completionUsd) / TOKENS_PER_PRICE;
}

/** Admits requests first come, first served. */
export class Gate {
  readonly #options: GateOptions;
  readonly #now: () => number;
  readonly #waiting: Waiter[] = [];
  readonly #inFlight = new Set<Tokens>();
  #sent: Sent[] = [];
  #requests = 0;
  #promptTokens = 0;
  #completionTokens = 0;
  #startedMs: number | undefined;
  #pausedUntilMs = 0;
  #failures = 0;
  /** The request in flight tries whether the teacher is back. */
  #probing = false;
  #probesFailed = 0;
  #stopped: TeacherError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** What was used so far; unknown use counted as the most it can be. */
  get spent(): Spent {
    const tokens = { promptTokens: this.#promptTokens, completionTokens: this.#completionTokens };
    return { requests: this.#requests, ...tokens, costUsd: costOf(tokens, this.#options.price) };
  }

  /** Counts what was used elsewhere, such as in an earlier session of the run. */
  charge({ requests, promptTokens, completionTokens }: Omit<Spent, "costUsd">): void {
    this.#requests += requests;
    this.#promptTokens += promptTokens;
    this.#completionTokens += completionTokens;
  }

  /**
   * Waits for leave to send a request that uses at most `most`.
   * @throws TeacherError "budget" when a ceiling leaves no room, "unavailable" when the teacher is gone; `aborted`.
   */
  async enter(most: Tokens, signal?: AbortSignal): Promise<Permit> {
    throwIfAborted(signal, "teacher");
    return new Promise((resolve, reject) => {
      const leave = (): void => signal?.removeEventListener("abort", abort);
      const waiter: Waiter = {
        most,
        admit: (permit) => {
          leave();
          resolve(permit);
        },
        refuse: (error) => {
          leave();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      };
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        try {
          throwIfAborted(signal, "teacher");
        } catch (error) {
          waiter.refuse(error);
        }
        this.#pump();
      };
      signal?.addEventListener("abort", abort);
      this.#waiting.push(waiter);
      this.#pump();
    });
  }

  /** Sends nothing for so long: the teacher asked for it. */
  pause(durationMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#now() + durationMs);
  }

  /** Admits or refuses from the head of the queue as long as it can; else waits for the event that changes that. */
  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      this.#stopped ??= this.#ceilingOver(head.most);
      if (this.#stopped !== undefined) {
        this.#waiting.shift();
        head.refuse(this.#stopped);
        continue;
      }
      if (this.#mustWaitForReplies(head.most)) return;
      const waitMs = this.#waitMs(head.most);
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), Math.min(Math.ceil(waitMs), MAX_TIMER_MS));
        return;
      }
      this.#waiting.shift();
      head.admit(this.#reserve(head.most));
    }
  }

  /** The ceiling that a request using `most` would break even if nothing were in flight. */
  #ceilingOver(most: Tokens): TeacherError | undefined {
    const { maxRequests, maxTokens, maxCostUsd, maxMinutes } = this.#options.limits;
    if (maxRequests !== undefined && this.#requests + 1 > maxRequests)
      return budget(`the ceiling of ${maxRequests} requests is reached`);
    if (maxTokens !== undefined && this.#tokens() + most.promptTokens + most.completionTokens > maxTokens)
      return budget(`the ceiling of ${maxTokens} tokens leaves no room for another request (${this.#tokens()} used)`);
    if (maxCostUsd !== undefined && this.spent.costUsd + costOf(most, this.#options.price) > maxCostUsd)
      return budget(
        `the ceiling of ${maxCostUsd} US dollars leaves no room for another request (${this.spent.costUsd.toFixed(4)} spent)`,
      );
    if (maxMinutes !== undefined && this.#remainingMs() <= 0)
      return budget(`the ceiling of ${maxMinutes} minutes is reached`);
    return undefined;
  }

  /** No place, or ceilings leave room only if what is in flight turns out to use less than it may. */
  #mustWaitForReplies(most: Tokens): boolean {
    // While the breaker is open, one request at a time tries whether the teacher is back.
    const places = this.#failures >= BREAKER_FAILURES ? 1 : this.#options.concurrency;
    if (this.#inFlight.size >= places) return true;
    const { maxTokens, maxCostUsd } = this.#options.limits;
    const all = [...this.#inFlight, most];
    const promptTokens = all.reduce((sum, one) => sum + one.promptTokens, this.#promptTokens);
    const completionTokens = all.reduce((sum, one) => sum + one.completionTokens, this.#completionTokens);
    if (maxTokens !== undefined && promptTokens + completionTokens > maxTokens) return true;
    return maxCostUsd !== undefined && costOf({ promptTokens, completionTokens }, this.#options.price) > maxCostUsd;
  }

  /** Until pauses end and the rates have room. */
  #waitMs(most: Tokens): number {
    const nowMs = this.#now();
    let waitMs = this.#pausedUntilMs - nowMs;
    const { requestsPerMinute, tokensPerMinute } = this.#options.limits;
    if (requestsPerMinute === undefined && tokensPerMinute === undefined) return waitMs;
    this.#sent = this.#sent.filter(({ atMs }) => atMs > nowMs - WINDOW_MS);
    const untilGone = (sent: Sent | undefined): number => (sent === undefined ? 0 : sent.atMs + WINDOW_MS - nowMs);
    if (requestsPerMinute !== undefined && this.#sent.length >= requestsPerMinute)
      waitMs = Math.max(waitMs, untilGone(this.#sent[this.#sent.length - requestsPerMinute]));
    if (tokensPerMinute !== undefined) {
      // A request larger than the whole rate goes alone.
      const room = Math.max(0, tokensPerMinute - most.promptTokens - most.completionTokens);
      let used = this.#sent.reduce((sum, { tokens }) => sum + tokens, 0);
      for (const sent of this.#sent) {
        if (used <= room) break;
        used -= sent.tokens;
        waitMs = Math.max(waitMs, untilGone(sent));
      }
    }
    return waitMs;
  }

  #reserve(most: Tokens): Permit {
    // An object of its own: two requests may reserve the same amount.
    const reservation: Tokens = { ...most };
    const sent: Sent = { atMs: this.#now(), tokens: most.promptTokens + most.completionTokens };
    this.#startedMs ??= sent.atMs;
    this.#probing = this.#failures >= BREAKER_FAILURES;
    this.#requests++;
    this.#inFlight.add(reservation);
    const { requestsPerMinute, tokensPerMinute } = this.#options.limits;
    if (requestsPerMinute !== undefined || tokensPerMinute !== undefined) this.#sent.push(sent);
    return {
      remainingMs: this.#remainingMs(),
      settle: (used = most, health, reason = "no reason given") => {
        if (!this.#inFlight.delete(reservation)) return;
        this.#promptTokens += used.promptTokens;
        this.#completionTokens += used.completionTokens;
        sent.tokens = used.promptTokens + used.completionTokens;
        this.#note(health, reason);
        this.#pump();
      },
    };
  }

  /** The breaker: counts failures in a row, pauses when they are many, gives up when probes fail too. */
  #note(health: Health, reason: string): void {
    if (health === "busy") return;
    if (health === "up") {
      this.#failures = 0;
      this.#probesFailed = 0;
      return;
    }
    if (this.#probing) this.#probesFailed++;
    this.#failures++;
    if (this.#failures < BREAKER_FAILURES || this.#inFlight.size > 0) return;
    this.pause((this.#options.breakerPauseMs ?? BREAKER_PAUSE_MS) * 2 ** this.#probesFailed);
    if (this.#probesFailed >= BREAKER_PROBES)
      this.#stopped = new TeacherError(
        "unavailable",
        `the teacher failed ${this.#failures} times in a row and seems to be down; the last time: ${reason}`,
      );
  }

  #tokens(): number {
    return this.#promptTokens + this.#completionTokens;
  }

  #remainingMs(): number {
    const { maxMinutes } = this.#options.limits;
    if (maxMinutes === undefined) return Infinity;
    return this.#startedMs === undefined
      ? maxMinutes * MS_PER_MINUTE
      : this.#startedMs + maxMinutes * MS_PER_MINUTE - this.#now();
  }
}

function budget(message: string): TeacherError {
  return new TeacherError("budget", message);
}

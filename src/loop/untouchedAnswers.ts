/**
 * @file What students of one race answer before any training, worked out once. The
 * lanes begin with equal weights and the same questions, so that the second would
 * compute bit for bit what the first did. Greedy answers and scores only; from the
 * first training on every student computes for itself.
 */
import type { Student } from "../student/types.ts";

interface Answer {
  readonly value: Promise<unknown>;
  /** How long it took to work out; set when it is. */
  durationMs: number;
  /** Students that still may ask for it. */
  waiting: number;
}

export class UntouchedAnswers {
  readonly #known = new Map<string, Answer>();
  readonly #now: () => number;
  #students = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * `student`, sharing its untouched answers with all students of the same `identity`.
   * Borrows it; it must be used through the result alone as long as it is to be trained.
   * @param identity what its base weights depend on.
   * @param spared told the time that each answer taken from another student would have cost.
   */
  join(student: Student, identity: string, spared: (durationMs: number) => void = () => undefined): Student {
    this.#students++;
    let untouched = false;
    const shared = <R>(asked: unknown, work: () => Promise<R>): Promise<R> =>
      untouched ? this.#once(JSON.stringify([identity, asked]), work, spared) : work();
    return {
      engine: student.engine,
      parameters: student.parameters,
      maxPositions: student.maxPositions,
      encode: (row, options) => student.encode(row, options),
      score: (rows, scores, options = {}) => {
        const { batchSize, truncate } = options;
        return shared({ rows, scores, batchSize, truncate }, () => student.score(rows, scores, options));
      },
      tokenLosses: (row, options) => student.tokenLosses(row, options),
      meanStates: (rows, options) => student.meanStates(rows, options),
      innerProducts: (rows, kind, options = {}) =>
        shared({ rows, innerProducts: kind }, () => student.innerProducts(rows, kind, options)),
      generate: (prompts, options) => {
        const { maxNewTokens, temperature = 0, batchSize } = options;
        const work = () => student.generate(prompts, options);
        return temperature === 0 ? shared({ prompts, maxNewTokens, batchSize }, work) : work();
      },
      train: (rows, options) => {
        untouched = false;
        return student.train(rows, options);
      },
      reset: async () => {
        await student.reset();
        untouched = true;
      },
      snapshot: () => student.snapshot(),
      restore: (parameters) => {
        untouched = false;
        return student.restore(parameters);
      },
      dispose: () => student.dispose(),
    };
  }

  /** The answer to `key`; forgotten when every student had it, or when it failed. */
  async #once<R>(key: string, work: () => Promise<R>, spared: (durationMs: number) => void): Promise<R> {
    const known = this.#known.get(key);
    const startedMs = this.#now();
    const answer = known ?? { value: work(), waiting: this.#students, durationMs: 0 };
    if (known === undefined) this.#known.set(key, answer);
    if (--answer.waiting === 0) this.#known.delete(key);
    try {
      const value = (await answer.value) as R;
      if (known === undefined) answer.durationMs = this.#now() - startedMs;
      else spared(answer.durationMs);
      return value;
    } catch (error) {
      this.#known.delete(key);
      throw error;
    }
  }
}

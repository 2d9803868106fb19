/** @file A store whose process dies: from a given operation on, or when told, nothing is written and nothing is answered any more. */
import type { Checkpoint, RunEntry, RunManifest, RunStore, StoredRun } from "../../src/loop/runStore.ts";

export interface CrashPlan {
  /** Dies at this write (0-based): `before` it is done, or `after`, unanswered. */
  readonly atWrite?: number;
  readonly when?: "before" | "after";
}

/** Wraps a store that outlives the crash. */
export class CrashingStore implements RunStore {
  readonly runId: string;
  readonly #inner: RunStore;
  readonly #plan: CrashPlan;
  #writes = 0;
  #dead = false;
  #onDeath: () => void = () => undefined;
  /** Resolves at the crash. */
  readonly death: Promise<void>;

  constructor(inner: RunStore, plan: CrashPlan = {}) {
    this.runId = inner.runId;
    this.#inner = inner;
    this.#plan = plan;
    this.death = new Promise((resolve) => {
      this.#onDeath = resolve;
    });
  }

  get writes(): number {
    return this.#writes;
  }

  kill(): void {
    this.#dead = true;
    this.#onDeath();
  }

  load(): Promise<StoredRun | undefined> {
    return this.#inner.load();
  }

  create(manifest: RunManifest): Promise<void> {
    return this.#write(() => this.#inner.create(manifest));
  }

  append(entry: RunEntry): Promise<void> {
    return this.#write(() => this.#inner.append(entry));
  }

  saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return this.#write(() => this.#inner.saveCheckpoint(checkpoint));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #write(work: () => Promise<void>): Promise<void> {
    const mine = this.#writes++;
    const dies = !this.#dead && mine === this.#plan.atWrite;
    if (dies && this.#plan.when !== "after") this.kill();
    if (this.#dead) return new Promise(() => undefined);
    await work();
    if (!dies) return;
    this.kill();
    return new Promise(() => undefined);
  }
}

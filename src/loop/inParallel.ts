/**
 * @file Bounded concurrency that a consumer paces: work starts only while the
 * generator is being pulled, so not pulling pauses after what is in flight.
 */

/**
 * Runs `work` on every item, at most `concurrency` at once, and yields how many are
 * done after each. Returns the results in the order of the items. The first failure
 * is thrown once everything in flight has settled; leaving early waits likewise.
 */
export async function* inParallel<T, R>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<number, readonly R[], void> {
  const results = new Map<number, R>();
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let next = 0;
  try {
    while (results.size < items.length && failures.length === 0) {
      while (running.size < concurrency && next < items.length) {
        const index = next++;
        const task: Promise<void> = work(items[index] as T)
          .then(
            (result) => void results.set(index, result),
            (error: unknown) => void failures.push(error),
          )
          .then(() => void running.delete(task));
        running.add(task);
      }
      const before = results.size;
      await Promise.race(running);
      if (results.size > before) yield results.size;
    }
  } finally {
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
  return items.map((_, index) => results.get(index) as R);
}

/**
 * @file The few host types that pure layers may name, as every host has them, so that
 * they compile without DOM or Node types. Merges with the full declaration elsewhere.
 */
interface AbortSignal {
  readonly aborted: boolean;
  readonly reason: any;
}

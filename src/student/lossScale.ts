/**
 * @file Dynamic loss scaling: gradients in float16 are computed of a multiple of the loss,
 * so that small ones do not vanish. Policy of PyTorch's GradScaler (halved on overflow, doubled
 * after 2,000 steps without), but a step that overflows is done again with the smaller scale
 * instead of being left out: a training has as many steps in every precision.
 */

/** Of a loss summed over tokens; PyTorch begins with 2^16 of their mean. */
export const INITIAL_SCALE = 2 ** 10;
const GROWTH_INTERVAL = 2000;

/** What continues a scale: written with the state of a training. */
export interface LossScaleState {
  readonly scale: number;
  /** Steps without overflow since the scale last changed. */
  readonly goodSteps: number;
}

export class LossScale {
  #scale: number;
  #goodSteps: number;

  constructor(state: LossScaleState = { scale: INITIAL_SCALE, goodSteps: 0 }) {
    this.#scale = state.scale;
    this.#goodSteps = state.goodSteps;
  }

  get scale(): number {
    return this.#scale;
  }

  get state(): LossScaleState {
    return { scale: this.#scale, goodSteps: this.#goodSteps };
  }

  /** After gradients that are not finite: halves the scale; false when it is 1 already and the fault is not its own. */
  shrink(): boolean {
    if (this.#scale <= 1) return false;
    this.#scale /= 2;
    this.#goodSteps = 0;
    return true;
  }

  /** After a step that was applied. */
  grow(): void {
    if (++this.#goodSteps < GROWTH_INTERVAL) return;
    this.#scale *= 2;
    this.#goodSteps = 0;
  }
}

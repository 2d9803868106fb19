/**
 * @file Before anything is timed: every contender does the same first steps on the same
 * weights and batch, and loss and gradient norm must agree. The second and third step
 * agree only if clipping and AdamW agree too.
 */
import type { StepResult } from "./contender.ts";
import type { Seat } from "./seat.ts";

const STEPS = 3;
/** float32 with different orders of summation; measured differences are below a tenth of these. */
const LOSS_TOLERANCE = 2e-5;
const NORM_TOLERANCE = 5e-4;

/** Throws unless all seats agree with the first; returns the reference's steps. */
export async function verify(seats: readonly Seat[]): Promise<readonly StepResult[]> {
  const [reference] = seats;
  if (reference === undefined) return [];
  const expected = await stepsOf(reference);
  for (const seat of seats.slice(1)) {
    const actual = await stepsOf(seat);
    expected.forEach((want, i) => {
      const got = actual[i] ?? { loss: NaN, gradNorm: NaN };
      const [loss, norm] = [Math.abs(got.loss / want.loss - 1), Math.abs(got.gradNorm / want.gradNorm - 1)];
      // Written so that NaN fails.
      if (!(loss < LOSS_TOLERANCE && norm < NORM_TOLERANCE)) {
        throw new Error(
          `${seat.id} does not compute what ${reference.id} does: step ${i + 1} has loss ${got.loss} and norm ${got.gradNorm}, expected ${want.loss} and ${want.gradNorm}. Nothing was timed`,
        );
      }
    });
  }
  return expected;
}

async function stepsOf(seat: Seat): Promise<StepResult[]> {
  const steps: StepResult[] = [];
  for (let i = 0; i < STEPS; i++) steps.push(await seat.step());
  return steps;
}

/**
 * @file The four lessons. Every number in their sentences comes from the learner's own run;
 * nothing is said about a result that the run might not show.
 */
import { formatCount, formatInteger, formatNats, formatPercent } from "../../format.ts";
import { GLOSSARY } from "../../glossary.ts";
import type { LaneState } from "../../laneState.ts";
import { RARE_KIND } from "../../presets.ts";
import {
  allFinished,
  gained,
  gapVerdict,
  laneOf,
  lossByOutcome,
  rejections,
  roundOf,
  sharedPicks,
  sureAndWrong,
  teacherTokens,
  wrongPicks,
} from "./facts.ts";
import type { Lesson } from "./lesson.ts";

type Lanes = readonly LaneState[];

/** `31 of 60 right (51.7 %)` */
function score(lane: LaneState, round: number): string {
  const evaluation = roundOf(lane, round)?.evaluation;
  return evaluation === undefined
    ? "not tested yet"
    : `${evaluation.correct} of ${evaluation.n} right (${formatPercent(evaluation.accuracy)})`;
}

const untouched = {
  title: "Test the untouched student",
  done: (lanes: Lanes) => allFinished(lanes, 0),
  shown: (lanes: Lanes) =>
    `Before any teaching: ${score(laneOf(lanes, 0), 0)}. Both lanes begin with the same student, so they begin equal.`,
} as const;

const LOSS: Lesson = {
  id: "loss",
  title: "What the student does not know",
  about: "A model cannot tell you what it does not know. Its loss can give a hint.",
  settings: { pool: "60", heldOut: "60", rounds: "1", querySize: "15", perSeed: "2" },
  cpuSeconds: 43,
  steps: [
    {
      ...untouched,
      text: "The [[student|student]] is a small language model that was taught simple word problems. Before anything else it is tested on [[heldOut|held-out questions]], which it will never be taught.",
      todo: "Press Step. Nothing else happens until you press again.",
    },
    {
      title: "Score the pool",
      text: "Now the student answers every question of the [[pool|pool]]. For each answer we look at how probable it found its own words. The mean of −log p is the [[loss|loss]], in [[nat|nats]]: near 0 it was sure of every word, higher means it hesitated.",
      todo: "Press Step once more and look at the pool below the curve: each point is a question, a full point is answered right, a hollow one wrong. Point at some of them.",
      done: (lanes) => lanes.every(({ pool, poolRound }) => poolRound >= 1 && pool.length > 0),
      shown: (lanes) => {
        const { right, wrong } = lossByOutcome(laneOf(lanes, 0));
        if (right.n === 0 || wrong.n === 0)
          return `In this pool all ${formatCount(right.n + wrong.n, "answer")} are ${right.n === 0 ? "wrong" : "right"}: there is nothing to compare.`;
        const told = `Mean loss of its ${right.n} right answers: ${formatNats(right.mean)} nats; of its ${wrong.n} wrong ones: ${formatNats(wrong.mean)} nats.`;
        return wrong.mean > right.mean
          ? `${told} In this pool it hesitates more where it is wrong. ${overlap(laneOf(lanes, 0))}`
          : `${told} In this pool the loss does not tell wrong from right.`;
      },
    },
    {
      title: "Pick what to ask about",
      text: "Both lanes may ask about 15 seeds. The first picks them by chance ([[random|random]]), the second takes the highest [[ownLoss|own-answer loss]]. Picked points get a ring.",
      todo: "Press Step once more.",
      done: (lanes) => lanes.every(({ picksRound }) => picksRound >= 1),
      shown: (lanes) => {
        const [chance, loss] = [wrongPicks(laneOf(lanes, 0)), wrongPicks(laneOf(lanes, 1))];
        return `Of the ${chance.picked} seeds picked by chance the student answers ${chance.wrong} wrongly; of the ${loss.picked} with the highest loss, ${loss.wrong}.`;
      },
    },
    {
      title: "Teach, and test again",
      text: "The [[teacher|teacher]] writes two new questions like each picked seed, with worked answers. They are [[verification|verified]], the student trains on them and is tested again.",
      todo: "Press Start or Resume and let the round end.",
      done: (lanes) => allFinished(lanes, 1),
      shown: (lanes) =>
        `After ${formatCount(laneOf(lanes, 0).rounds.at(-1)?.examples ?? 0, "pair")} by chance: ${score(laneOf(lanes, 0), 1)}. After ${formatCount(laneOf(lanes, 1).rounds.at(-1)?.examples ?? 0, "pair")} by loss: ${score(laneOf(lanes, 1), 1)}. Look at the [[interval|intervals]] before you call one of them better.`,
    },
  ],
  question: {
    text: "Was that luck? Take another [[seed|seed of chance]], which draws other questions. Among the answers to the new pool, is the mean loss of the wrong ones again higher than that of the right ones?",
    change: { seed: "2" },
    todo: "Run it at least until the pool is scored (two Steps), compare full and hollow points, then answer.",
    done: (lanes) => lanes.every(({ pool, poolRound }) => poolRound >= 1 && pool.length > 0),
    answer: {
      kind: "choice",
      options: { higher: "Yes, higher", lower: "No, equal or lower", none: "There is nothing to compare" },
      of: (lanes) => {
        const { right, wrong } = lossByOutcome(laneOf(lanes, 0));
        if (right.n === 0 || wrong.n === 0) return "none";
        return wrong.mean > right.mean ? "higher" : "lower";
      },
    },
    explained: (lanes) => {
      const { right, wrong } = lossByOutcome(laneOf(lanes, 0));
      return `In this run: ${formatNats(right.mean)} nats over ${right.n} right answers, ${formatNats(wrong.mean)} nats over ${wrong.n} wrong ones. A hint, not a proof. ${overlap(laneOf(lanes, 0))}`;
    },
  },
  sources: [GLOSSARY.ownLoss.source, GLOSSARY.activeLearning.source, GLOSSARY.loss.source],
};

const STRATEGIES: Lesson = {
  id: "strategies",
  title: "Choosing what to ask",
  about: "Two students, one budget: does it matter which questions are asked?",
  settings: { pool: "100", heldOut: "100", rounds: "2", querySize: "20", perSeed: "6" },
  cpuSeconds: 191,
  steps: [
    {
      ...untouched,
      text: "A fair race: the same [[student|student]], the same [[teacher|teacher]], the same [[budget|budget]]. Only the [[strategy|strategy]] that picks the seeds differs.",
      todo: "Press Step: both lanes are tested before they learn anything.",
    },
    {
      title: "See the choices part",
      text: "Both lanes score the same pool with the same student, so they know the same. What they pick differs all the same: chance against the highest [[ownLoss|own-answer loss]].",
      todo: "Press Step twice, for Score and for Select.",
      done: (lanes) => lanes.every(({ picksRound }) => picksRound >= 1),
      shown: (lanes) => {
        const [a, b] = [laneOf(lanes, 0), laneOf(lanes, 1)];
        return `Each lane picked ${a.picks.size} of ${a.pool.length} seeds; ${sharedPicks(a, b)} of them are the same. Two picks by chance alone would share about ${Math.round((a.picks.size * b.picks.size) / Math.max(1, a.pool.length))}.`;
      },
    },
    {
      title: "Run the race",
      text: "From here the students differ, because they are taught different things. In the second [[round|round]] each is scored as it is by then, and picks anew.",
      todo: "Press Resume and wait for both rounds.",
      done: (lanes) => allFinished(lanes, 2),
      shown: (lanes) =>
        `By chance: ${score(laneOf(lanes, 0), 2)}. By loss: ${score(laneOf(lanes, 1), 2)}, with ${laneOf(lanes, 0).rounds.at(-1)?.examples ?? 0} and ${laneOf(lanes, 1).rounds.at(-1)?.examples ?? 0} pairs.`,
    },
    {
      title: "Read the gap",
      text: "The sentence under “What was measured” gives the gap with its [[interval|95 % interval]]. If the interval includes zero, this race does not tell the two apart: a hundred test questions are few. That is why studies repeat a race over many seeds.",
      todo: "Read it. This step is done when the race is.",
      done: (lanes) => allFinished(lanes, 2),
      shown: (lanes) =>
        ({
          unclear: "Your race: the interval includes zero. Nobody has won.",
          above: "Your race: the interval leaves zero out, in favour of own-loss. One seed says little about the next.",
          below: "Your race: the interval leaves zero out, in favour of chance. One seed says little about the next.",
        })[gapVerdict(lanes, 2)],
    },
  ],
  question: {
    text: "Now a [[mixture|mixture]] in which more hangs on the picks. Another student, made for algebra, reads “3x + 5 = 20” but not “3 times x plus 5 equals 20”. One seed in ten is told in such words, and the test asks in words alone. What does the interval of the gap say after two rounds?",
    change: RARE_KIND,
    todo: "Run it to its end, read the sentence about the gap, then answer.",
    done: (lanes) => allFinished(lanes, 2),
    answer: {
      kind: "choice",
      options: {
        unclear: "It includes zero: they cannot be told apart",
        above: "It leaves zero out: own-loss is ahead",
        below: "It leaves zero out: chance is ahead",
      },
      of: (lanes) => gapVerdict(lanes, 2),
    },
    explained: (lanes) =>
      `By chance ${score(laneOf(lanes, 0), 2)}, by loss ${score(laneOf(lanes, 1), 2)}. Picks by chance are as the pool is, nine in ten in symbols. A strategy is better only if it is ahead over many seeds: that is what a study is for.`,
  },
  sources: [GLOSSARY.strategy.source, GLOSSARY.ownLoss.source, GLOSSARY.interval.source],
};

const NOISE: Lesson = {
  id: "noise",
  title: "A noisy teacher",
  about: "What if the teacher is wrong? Learn from everything, or check first?",
  settings: {
    pool: "80",
    heldOut: "100",
    rounds: "2",
    querySize: "25",
    perSeed: "4",
    strategyA: "random",
    strategyB: "random",
    errorRate: "0.4",
    verification: "compare",
  },
  cpuSeconds: 175,
  slider: { name: "errorRate", label: "Error rate of the teacher", low: 0, high: 0.8, step: 0.1 },
  steps: [
    {
      ...untouched,
      text: "This [[teacher|teacher]] plants a mistake in some of its pairs on purpose: a wrong number, a wrong step, a question that cannot be answered. The slider is its [[errorRate|error rate]]; set it before you begin. Both lanes pick by chance; the first learns from everything, the second [[verification|verifies]] first.",
      todo: "Choose a rate, or leave it, and press Step.",
    },
    {
      title: "See what is turned away",
      text: "Verification does not trust the teacher: it solves each new question itself and follows every step of the answer. What fails is kept for you to read, but not trained on.",
      todo: "Press Step until both lanes have verified, or press Resume. Then read some of the rejected pairs in the second lane, with the reason of each.",
      done: (lanes) => lanes.every((lane) => roundOf(lane, 1) !== undefined || lane.phase?.phase === "train"),
      shown: (lanes) => {
        const { tally } = laneOf(lanes, 1);
        const done = rejections(laneOf(lanes, 1));
        const rejected = done.written > 0 ? done.rejected : tally.rejected;
        const written = done.written > 0 ? done.written : tally.accepted + tally.rejected;
        return `The second lane has turned away ${rejected} of ${formatCount(written, "pair")}. The first has learned from mistakes like these.`;
      },
    },
    {
      title: "Compare the students",
      text: "The checked lane has fewer pairs to learn from, the unchecked one has wrong ones among them. Which costs more is not obvious, and depends on how often the teacher errs.",
      todo: "Let both rounds end.",
      done: (lanes) => allFinished(lanes, 2),
      shown: (lanes) => {
        const rate = laneOf(lanes, 1).run?.config.teacher.errorRate ?? 0;
        return `At an error rate of ${rate}: unchecked ${score(laneOf(lanes, 0), 2)} after ${formatCount(laneOf(lanes, 0).rounds.at(-1)?.examples ?? 0, "pair")}, checked ${score(laneOf(lanes, 1), 2)} after ${formatCount(laneOf(lanes, 1).rounds.at(-1)?.examples ?? 0, "pair")}. ${
          gapVerdict(lanes, 2) === "unclear"
            ? "The interval of the gap includes zero: this run does not tell them apart."
            : "The interval of the gap leaves zero out."
        }`;
      },
    },
  ],
  question: {
    text: "A better teacher: an error rate of 0.1. What share of the pairs written for the second lane is turned away?",
    change: { errorRate: "0.1" },
    todo: "Run it to its end and count: the table of rounds or the list of pairs has the numbers.",
    done: (lanes) => allFinished(lanes, 2),
    answer: {
      kind: "number",
      label: "Turned away, in percent",
      tolerance: 1,
      of: (lanes) => rejections(laneOf(lanes, 1)).percent,
    },
    explained: (lanes) => {
      const { rejected, written, percent } = rejections(laneOf(lanes, 1));
      return `${rejected} of ${formatCount(written, "pair")}: ${percent.toFixed(1)} %. Not exactly 10 %: mistakes are drawn by chance, and doubles of earlier questions are turned away too.`;
    },
  },
  sources: [
    {
      text: "Lee et al., 2024 (LLM2LLM), arXiv 2403.15042: no verification of the teacher's answers",
      href: "https://arxiv.org/abs/2403.15042",
    },
  ],
};

const COST: Lesson = {
  id: "cost",
  title: "What it costs",
  about: "Does more teaching help, and does each pair help less than the one before? Measure it.",
  settings: { pool: "100", heldOut: "100", rounds: "3", querySize: "25", perSeed: "4" },
  cpuSeconds: 290,
  steps: [
    {
      ...untouched,
      text: "Teaching costs: a chat model asks money for each token, a human teacher time. Here the built-in teacher is free, so we count what it would be asked for: pairs, and words. The curve shows accuracy against the [[budget|budget]] spent.",
      todo: "Press Step for the first point of each curve, at zero pairs.",
    },
    {
      title: "Buy the first pairs",
      text: "One [[round|round]] buys at most 100 [[pair|pairs]]: 25 seeds, four new questions each. A first lesson may cost some of what the student could do before: the new questions are unlike those it was pretrained on.",
      todo: "Press Resume, and Pause when the second points are there, or let it run on.",
      done: (lanes) => allFinished(lanes, 1),
      shown: (lanes) =>
        `${formatCount(roundOf(laneOf(lanes, 0), 1)?.examples ?? 0, "pair")} by chance changed the number of right answers by ${signed(gained(laneOf(lanes, 0), 0, 1))} of ${laneOf(lanes, 0).rounds[0]?.evaluation.n ?? 0}; ${formatCount(roundOf(laneOf(lanes, 1), 1)?.examples ?? 0, "pair")} by loss by ${signed(gained(laneOf(lanes, 1), 0, 1))}.`,
    },
    {
      title: "Spend the rest",
      text: "Every round costs the same, but does it gain the same? Learning curves often flatten in the end, because what is easy to learn is learned first; and with a small test a curve may even fall by chance.",
      todo: "Let all three rounds end.",
      done: (lanes) => allFinished(lanes, 3),
      shown: (lanes) =>
        `Right answers gained, round by round: by chance ${gainsText(laneOf(lanes, 0))}; by loss ${gainsText(laneOf(lanes, 1))}.`,
    },
    {
      title: "Read the bill",
      text: "The built-in teacher counts a word as a token and costs nothing. Set up, Teacher, has the same bill for a chat model: put in its prices and it tells requests, tokens and dollars before anything is sent, and stops at the ceiling you set.",
      todo: "Open Set up if you like. This step is done when the run is.",
      done: (lanes) => allFinished(lanes, 3),
      shown: (lanes) => `By chance: ${billText(laneOf(lanes, 0))}. By loss: ${billText(laneOf(lanes, 1))}.`,
    },
  ],
  question: {
    text: "Half the price: two new questions a seed instead of four. In the second lane, which round gained the most right answers?",
    change: { perSeed: "2" },
    todo: "Run all three rounds, compare the rises in the table of numbers under the curve, then answer.",
    done: (lanes) => allFinished(lanes, 3),
    answer: {
      kind: "choice",
      options: {
        first: "The first",
        second: "The second",
        third: "The third",
        none: "No single one: some gained equally much",
      },
      of: (lanes) => {
        const gains = [1, 2, 3].map((round) => gained(laneOf(lanes, 1), round - 1, round) ?? 0);
        const best = Math.max(...gains);
        const [at, another] = gains.flatMap((gain, index) => (gain === best ? [index] : []));
        return another === undefined ? (["first", "second", "third"][at ?? 0] ?? "none") : "none";
      },
    },
    explained: (lanes) =>
      `By loss, round by round: ${gainsText(laneOf(lanes, 1))} right answers of ${laneOf(lanes, 1).rounds[0]?.evaluation.n ?? 0}; ${billText(laneOf(lanes, 1))}. Compare it with your first run's bill. With so few test questions a difference of a few answers may be chance.`,
  },
  sources: [GLOSSARY.budget.source, GLOSSARY.activeLearning.source],
};

/** How many wrong answers look as sure as right ones. */
function overlap(lane: LaneState): string {
  const sure = sureAndWrong(lane);
  const { wrong } = lossByOutcome(lane);
  if (sure === 0) return `Here none of the ${wrong.n} wrong answers has a lower loss than half of the right ones.`;
  return `Yet ${sure} of the ${wrong.n} wrong answers ${sure === 1 ? "has" : "have"} a lower loss than half of the right ones.`;
}

/** `+2, 0, +6`: right answers gained in each finished round of training. */
function gainsText(lane: LaneState): string {
  const rounds = lane.rounds.filter(({ round }) => round > 0);
  return rounds.map(({ round }) => signed(gained(lane, round - 1, round))).join(", ");
}

/** What a lane asked the teacher for, and what came of it. */
function billText(lane: LaneState): string {
  const words = teacherTokens(lane);
  const gain = gained(lane, 0, lane.rounds.at(-1)?.round ?? 0) ?? 0;
  const each = gain > 0 ? `, ${formatInteger(Math.round(words / gain))} words for each` : "";
  return `${formatInteger(words)} words for ${formatCount(lane.rounds.at(-1)?.examples ?? 0, "pair")} and ${signed(gain)} right answers${each}`;
}

function signed(value: number | undefined): string {
  if (value === undefined) return "?";
  return value > 0 ? `+${value}` : value < 0 ? `−${-value}` : "0";
}

/** The lessons in their order. */
export const LESSONS: readonly Lesson[] = [LOSS, STRATEGIES, NOISE, COST];

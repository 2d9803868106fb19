/**
 * @file The words of the page, each in one or two sentences with where they come from: for
 * the set-up drawer and the lessons. Plain data. Sources are named by what they are, with
 * their address; a term of our own says so.
 */

/** Where a term is explained in full. */
export interface Source {
  readonly text: string;
  /** Absent for choices of this program, which no paper made. */
  readonly href?: string;
}

export interface Term {
  readonly title: string;
  readonly text: string;
  readonly source: Source;
}

const arxiv = (authors: string, id: string): Source => ({
  text: `${authors}, arXiv ${id}`,
  href: `https://arxiv.org/abs/${id}`,
});
const OURS: Source = { text: "A choice of this program" };
const PAPER = arxiv("Kessler et al., 2025", "2512.00884");
const SETTLES: Source = {
  text: "Settles, Active Learning Literature Survey, 2009",
  href: "https://burrsettles.com/pub/settles.activelearning.pdf",
};
const TRAINER: Source = {
  text: "transformers, Trainer",
  href: "https://huggingface.co/docs/transformers/main_classes/trainer",
};

/** The terms by id. */
export const GLOSSARY = {
  activeLearning: {
    title: "Active learning",
    text: "The learner chooses which examples it is taught next, instead of taking them as they come. The hope is to learn as much from fewer of them.",
    source: SETTLES,
  },
  student: {
    title: "Student",
    text: "The small language model that is trained here. It reads a question and writes an answer, token by token.",
    source: PAPER,
  },
  teacher: {
    title: "Teacher",
    text: "Whoever writes new questions and worked answers: here an exact solver inside the page, or a large language model that you choose.",
    source: PAPER,
  },
  task: {
    title: "Task",
    text: "The kind of question asked, with a checker that knows whether a final answer is right. Built-in tasks make their own questions and can solve each one exactly.",
    source: OURS,
  },
  mixture: {
    title: "Mixture",
    text: "Which kinds of question there are, and how many of each. Where a kind is rare in the pool but is what matters, picking by chance spends most of its questions on what is known already.",
    source: SETTLES,
  },
  pool: {
    title: "Pool",
    text: "The seed questions the student may be taught from. Every round the same seeds are looked at again. With replay some of them are trained on too.",
    source: PAPER,
  },
  heldOut: {
    title: "Held-out questions",
    text: "Questions kept apart: never taught, never shown to the teacher, only used to test. Accuracy is measured on them. More of them means less luck in the measurement.",
    source: SETTLES,
  },
  round: {
    title: "Round",
    text: "Once through the loop: score the pool, select seeds, ask the teacher, verify, train, evaluate. Round 0 tests the student as it came.",
    source: PAPER,
  },
  querySize: {
    title: "Query size",
    text: "How many seeds are picked each round (m in the paper). Small rounds look at the student more often; large ones cost fewer looks.",
    source: PAPER,
  },
  perSeed: {
    title: "New questions per seed",
    text: "How many new questions the teacher writes for each seed that was picked. Rounds × query size × this is the most pairs a run can buy.",
    source: OURS,
  },
  budget: {
    title: "Budget",
    text: "What teaching may cost: pairs, teacher tokens, or money. Strategies are compared at the same budget, because more teaching helps almost any of them.",
    source: PAPER,
  },
  strategy: {
    title: "Query strategy",
    text: "The rule that turns what is known about each seed into the choice of which ones to ask about.",
    source: SETTLES,
  },
  random: {
    title: "Random",
    text: "Seeds by chance. It needs no scores, covers the pool evenly, and is the baseline that any clever strategy has to beat.",
    source: SETTLES,
  },
  loss: {
    title: "Loss",
    text: "The mean of −log p over the tokens of an answer, p being the probability the student gave each token. 0 means it was certain of every token; higher means more surprise.",
    source: {
      text: "Goodfellow, Bengio and Courville, Deep Learning, section 6.2",
      href: "https://www.deeplearningbook.org/contents/mlp.html",
    },
  },
  nat: {
    title: "Nat",
    text: "The unit of a loss taken with the natural logarithm. A token given probability 37 % costs 1 nat, one given 13.5 % costs 2.",
    source: {
      text: "MacKay, Information Theory, Inference, and Learning Algorithms, section 2.4",
      href: "https://www.inference.org.uk/mackay/itila/",
    },
  },
  ownLoss: {
    title: "Own-answer loss",
    text: "The loss of the answer that the student itself wrote: how unsure it was while writing. It needs no worked answer, so it works on questions nobody has solved.",
    source: PAPER,
  },
  trueLoss: {
    title: "True loss",
    text: "The loss of the worked answer: how far the student is from it. A student may be sure of itself and still far from the truth.",
    source: PAPER,
  },
  accuracy: {
    title: "Accuracy",
    text: "The share of held-out questions whose final answer is exactly right. An answer that is nearly right counts as wrong.",
    source: OURS,
  },
  interval: {
    title: "95 % interval",
    text: "The Wilson interval: how far chance in the choice of test questions alone could move the accuracy. It says nothing about another seed or another student.",
    source: { text: "Wilson, 1927", href: "https://doi.org/10.1080/01621459.1927.10502953" },
  },
  verification: {
    title: "Verification",
    text: "Each pair is checked before it is learned from: the task solves the question itself where it can, and checks every step of the answer. What fails is shown, not trained on.",
    source: OURS,
  },
  errorRate: {
    title: "Error rate",
    text: "The share of the built-in teacher's items in which it plants a mistake on purpose: a number between 0 (exact) and 1. Real teachers err too; here you can set how often.",
    source: OURS,
  },
  restart: {
    title: "Restart or continue",
    text: "Each round trains either on from where the last one ended, or from the base weights again on all pairs so far. Restarting forgets less of what came before, and costs more.",
    source: arxiv("LLM2LLM, Lee et al., 2024", "2403.15042"),
  },
  accumulate: {
    title: "Pairs trained on",
    text: "All accepted pairs so far, as in the paper, or only those of the round.",
    source: PAPER,
  },
  replay: {
    title: "Replay",
    text: "Seed pairs mixed in per new pair, so that the student does not forget what it could already do. 0.5 means one for every two.",
    source: {
      text: "Robins, Catastrophic forgetting, rehearsal and pseudorehearsal, 1995",
      href: "https://doi.org/10.1080/09540099550039318",
    },
  },
  lora: {
    title: "LoRA",
    text: "Low-rank adaptation: the weights stay as they are, and a small product of two thin matrices beside each is trained. Needs a fraction of the memory.",
    source: arxiv("Hu et al., 2021", "2106.09685"),
  },
  adapter: {
    title: "Adapter",
    text: "What a LoRA finetuning left: thin matrices beside a model's own weights, a small file in PEFT's format. It fits the model that it was trained on, and no other.",
    source: arxiv("Hu et al., 2021", "2106.09685"),
  },
  loraR: {
    title: "Rank r",
    text: "The width of the adapter's thin matrices. A higher rank can learn more and costs more memory.",
    source: arxiv("Hu et al., 2021", "2106.09685"),
  },
  loraAlpha: {
    title: "Alpha",
    text: "Scales what the adapter adds, by alpha / r. Twice the rank is a common habit.",
    source: arxiv("Hu et al., 2021", "2106.09685"),
  },
  frozenWeights: {
    title: "Frozen weights",
    text: "The model's own weights, which an adapter leaves as they are. In float16 they take half the memory; a checkpoint that is in float16 loses nothing by it, another is rounded.",
    source: TRAINER,
  },
  epochs: {
    title: "Epochs",
    text: "How often a round's training passes over its pairs.",
    source: TRAINER,
  },
  learningRate: {
    title: "Learning rate",
    text: "How far a step moves the weights. Too high forgets or diverges, too low learns nothing in the few steps a round has.",
    source: TRAINER,
  },
  scheduler: {
    title: "Schedule",
    text: "How the learning rate changes over a round's steps, after the warm-up.",
    source: TRAINER,
  },
  warmup: {
    title: "Warm-up",
    text: "Steps during which the learning rate rises from 0, so that the first gradients do not throw the weights about.",
    source: TRAINER,
  },
  batch: {
    title: "Batch size",
    text: "Pairs that one micro-step looks at together. Times the accumulation, it is what one step of the optimizer learns from.",
    source: TRAINER,
  },
  accumulation: {
    title: "Accumulation",
    text: "Micro-steps whose gradients are added before the weights move: a larger batch without more memory.",
    source: TRAINER,
  },
  weightDecay: {
    title: "Weight decay",
    text: "Pulls every weight towards 0 a little at each step (norms and biases left out), decoupled from the gradient.",
    source: arxiv("Loshchilov and Hutter, 2019", "1711.05101"),
  },
  clipping: {
    title: "Gradient clipping",
    text: "A gradient longer than this is shortened to it, so that one odd batch cannot throw the student off. 0 turns it off.",
    source: arxiv("Pascanu et al., 2013", "1211.5063"),
  },
  precision: {
    title: "Precision",
    text: "What the matrix products of training are computed in. float16 can be faster but loses small numbers: weights and sums stay in float32, the loss is scaled, and the GPU must first agree with float32 on a batch.",
    source: arxiv("Micikevicius et al., 2018", "1710.03740"),
  },
  picker: {
    title: "From scores to picks",
    text: "Take the highest scores, or draw by chance with higher scores likelier. Drawing gives up some score for variety.",
    source: PAPER,
  },
  maxNewTokens: {
    title: "Answer length",
    text: "The most tokens the student may write per answer. An answer that is cut off is counted as wrong.",
    source: OURS,
  },
  seed: {
    title: "Seed of chance",
    text: "The number all chance in the run is drawn from. The same settings with the same seed give the same run; another seed shows how much was luck.",
    source: OURS,
  },
  engine: {
    title: "Engine",
    text: "Where ONNX Runtime computes: on the GPU through WebGPU, or on the CPU through WebAssembly.",
    source: { text: "ONNX Runtime Web", href: "https://onnxruntime.ai/docs/tutorials/web/" },
  },
  pair: {
    title: "Synthetic pair",
    text: "A new question and its worked answer, both written by the teacher after a seed that was picked.",
    source: PAPER,
  },
  checker: {
    title: "Checker",
    text: "How the final answer of a text is found and when two are the same. Your own answers are read by the same rule as the student's.",
    source: OURS,
  },
} as const satisfies Readonly<Record<string, Term>>;

export type TermId = keyof typeof GLOSSARY;

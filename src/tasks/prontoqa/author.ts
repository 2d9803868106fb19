/** @file The writer and solver of fictional ontologies from which the built-in teacher is made. */
import type { Rng } from "../../core/rng.ts";
import { regionOf } from "../splits.ts";
import type { Author } from "../types.ts";
import { MAX_HOPS, drawProblem, orderOf } from "./drawProblem.ts";
import type { ProblemPlan } from "./drawProblem.ts";
import { decide, negated } from "./logic.ts";
import type { Problem } from "./logic.ts";
import { proofKey, truthText, verifyPair, workedAnswer } from "./proof.ts";
import { questionOf } from "./question.ts";
import {
  clusterOf,
  conceptOf,
  readProblem,
  readRule,
  sentencesOf,
  tellFact,
  tellProblem,
  tellRule,
} from "./sentences.ts";
import { CONCEPTS } from "./words.ts";

const ATTEMPTS = 400;

/**
 * An author that keeps to the pool's region, and to the seed's individual, order of sentences and way to
 * tell rules; to the property that is asked for where the proof has two rules or more.
 * - simplify: one rule less in the proof (one stays one, with a single distractor).
 * - complicate, addStep: one rule more (five stay five, with more distractors). - vary: as many.
 * - rarer: as many, about another individual and property, the sentences in the other order.
 */
export const AUTHOR: Author = {
  write(text, operation, rng) {
    const seed = readProblem(text);
    const decision = seed === undefined ? undefined : decide(seed);
    if (seed === undefined || decision?.decided !== true || decision.steps.length === 0) return undefined;
    const seedKey = proofKey(decision);
    const change = operation === "simplify" ? -1 : operation === "complicate" || operation === "addStep" ? 1 : 0;
    const wanted = decision.steps.length + change;
    const hops = Math.min(MAX_HOPS, Math.max(1, wanted));
    const asked = conceptOf(seed.query.predicate) === undefined ? seed.query.predicate : undefined;
    const order = orderOf(
      seed,
      decision.steps.map((step) => step.rule),
    );
    const plan: ProblemPlan = {
      hops,
      cluster: clusterOf(seed),
      ...(operation === "rarer"
        ? { order: order === "shuffled" ? "in order" : "shuffled" }
        : { order, entity: seed.entity, ...(hops >= 2 && asked !== undefined ? { property: asked } : {}) }),
      ...(wanted < 1 ? { distractors: 1 } : wanted > MAX_HOPS ? { distractors: 3 } : {}),
    };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const written = questionOf(drawProblem(plan, rng));
      if (written === undefined || written.form === seedKey || regionOf(written.form) !== "pool") continue;
      const { question, level, tags } = written.question;
      return { question, level, ...(tags === undefined ? {} : { tags }) };
    }
    return undefined;
  },

  solve(text, options = {}) {
    const problem = readProblem(text);
    if (problem === undefined) return undefined;
    const decision = decide(problem);
    if (decision.decided) return workedAnswer(problem, decision);
    // Takes what is not said for false, or the first of two opposites for the truth.
    const facts = problem.facts.map((fact) => fact.text).join(" ");
    return options.careless === true ? `${facts}\nAnswer: ${truthText(decision.reason === "both")}` : undefined;
  },

  spoilQuestion(text, rng) {
    const problem = readProblem(text);
    const decision = problem === undefined ? undefined : decide(problem);
    if (problem === undefined || decision?.decided !== true || decision.steps.length === 0)
      return sentencesOf(text).slice(0, -1).join(" ");
    const spoilers = rng.shuffle([
      () => withoutRule(problem, rng.pick(decision.steps).rule.text),
      () => withContradiction(problem, rng.pick(decision.steps).rule.when),
      () => tellProblem(problem).replace(/ True or false: .*$/, ""),
    ]);
    for (const spoil of spoilers) {
      const spoiled = spoil();
      const read = readProblem(spoiled);
      if (read === undefined || !decide(read).decided) return spoiled;
    }
    return sentencesOf(text).slice(0, -1).join(" ");
  },

  spoilAnswer(question, answer, rng) {
    const candidates = rng.shuffle([
      () => answer.replace(/Answer: (True|False)/, (_, word) => `Answer: ${truthText(word === "False")}`),
      () => withOtherKind(answer, rng),
      () => withoutSentence(answer, rng),
      () => withOppositeEnd(answer),
    ]);
    for (const spoil of candidates) {
      const spoiled = spoil();
      if (spoiled !== answer && !verifyPair({ question, answer: spoiled }).correct) return spoiled;
    }
    return answer.split("\n").slice(0, -1).join("\n");
  },
};

function withoutRule(problem: Problem, text: string): string {
  return tellProblem({ ...problem, rules: problem.rules.filter((rule) => rule.text !== text) });
}

/** A kind on the way to the answer gets both the property and its opposite. */
function withContradiction(problem: Problem, when: string): string {
  const both = [problem.query, negated(problem.query)].flatMap(
    (gives) => readRule(tellRule(when, gives, "Each")) ?? [],
  );
  return tellProblem({ ...problem, rules: [...problem.rules, ...both] });
}

function sentencesAndVerdict(answer: string): { readonly sentences: readonly string[]; readonly verdict: string } {
  const [proof = "", ...verdict] = answer.split("\n");
  return { sentences: sentencesOf(proof), verdict: verdict.join("\n") };
}

/** One word for a kind replaced by another. */
function withOtherKind(answer: string, rng: Rng): string {
  const { sentences, verdict } = sentencesAndVerdict(answer);
  const at = rng.integer(0, Math.max(0, sentences.length - 1));
  const changed = sentences.map((sentence, i) =>
    i === at
      ? sentence.replace(/[a-z]+us(?=\.)/, (word) => rng.pick(CONCEPTS.filter((other) => other !== word)))
      : sentence,
  );
  return `${changed.join(" ")}\n${verdict}`;
}

/** A sentence in the middle of the proof left out. */
function withoutSentence(answer: string, rng: Rng): string {
  const { sentences, verdict } = sentencesAndVerdict(answer);
  return sentences.length < 3
    ? answer
    : `${sentences.toSpliced(rng.integer(1, sentences.length - 1), 1).join(" ")}\n${verdict}`;
}

/** The last sentence turned into its opposite. */
function withOppositeEnd(answer: string): string {
  const { sentences, verdict } = sentencesAndVerdict(answer);
  const problem = readProblem(`True or false: ${sentences.at(-1) ?? ""}`);
  return problem === undefined
    ? answer
    : `${[...sentences.slice(0, -1), tellFact(problem.entity, negated(problem.query))].join(" ")}\n${verdict}`;
}

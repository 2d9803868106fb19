import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { drawProblem, ORDERS } from "../../src/tasks/prontoqa/drawProblem.ts";
import { decide } from "../../src/tasks/prontoqa/logic.ts";
import { finalTruth } from "../../src/tasks/prontoqa/proof.ts";
import { LEVELS, prontoqaTask } from "../../src/tasks/prontoqa/prontoqa.ts";
import { questionOf } from "../../src/tasks/prontoqa/question.ts";
import { readProblem, tellProblem } from "../../src/tasks/prontoqa/sentences.ts";
import { OPERATIONS } from "../../src/teacher/types.ts";
import { expectNoComplaint } from "../support/complaints.ts";
import { ontologyAnswer, wrongProof } from "../support/ontologyReferee.ts";
import { sharedPath, testWithShared } from "../support/shared.ts";

const task = prontoqaTask();
const rng = new Rng(1);
const TEN_THOUSAND = Array.from({ length: 10_000 }, (_, i) => {
  const plan = { hops: 1 + (i % 5), order: ORDERS[i % 2]! };
  const problem = drawProblem(plan, rng);
  return { plan, problem, question: questionOf(problem)!.question };
});

describe("10,000 generated ontologies", () => {
  it("have the answer and proof that an independent prover accepts, as many true as false", () => {
    let truths = 0;
    expectNoComplaint(TEN_THOUSAND, ({ question }) => {
      const answer = ontologyAnswer(question.question);
      if (answer === "True") truths++;
      if (!question.answer.endsWith(`\nAnswer: ${answer}`)) return `${answer}: ${question.question}`;
      const wrong = wrongProof(question.question, question.answer);
      return wrong && `${wrong}: ${question.question}\n${question.answer}`;
    });
    expect(Math.abs(truths - 5000)).toBeLessThan(250);
  });

  it("would not pass that prover with another sentence", () => {
    const text =
      "Each yumpus is a dumpus. Wumpuses are sour. Dumpuses are not sour. Max is a yumpus. True or false: Max is sour.";
    const proof =
      "Max is a yumpus. Each yumpus is a dumpus. Max is a dumpus. Dumpuses are not sour. Max is not sour.\nAnswer: False";
    expect(ontologyAnswer(text)).toBe("False");
    expect(wrongProof(text, proof)).toBeUndefined();
    expect(ontologyAnswer(text.replace("Dumpuses are not", "Dumpuses are"))).toBe("True");
    expect(ontologyAnswer(text.replace("Each yumpus is a dumpus. ", ""))).toBe("neither");
    expect(ontologyAnswer(text.replace("Wumpuses", "Yumpuses"))).toBe("both");
    expect(wrongProof(text, proof.replace("Max is a dumpus. ", ""))).toBe("the start");
    expect(wrongProof(text, proof.replace("False", "True"))).toMatch(/end/);
  });

  it("have a proof of exactly as many rules as asked for, in 2·rules + 1 sentences", () => {
    expectNoComplaint(TEN_THOUSAND, ({ plan, problem, question }) => {
      const decision = decide(problem);
      const sentences = question.answer.split("\n")[0]!.split(/(?<=\.) /).length;
      return decision.decided &&
        decision.steps.length === plan.hops &&
        question.level === LEVELS[plan.hops - 1] &&
        sentences === 2 * plan.hops + 1
        ? undefined
        : question.question;
    });
  });

  it("are read back word for word, and verified", () => {
    for (const { problem, question } of TEN_THOUSAND.slice(0, 500))
      expect(readProblem(question.question)).toEqual(problem);
    expectNoComplaint(TEN_THOUSAND, ({ question }) => {
      const read = readProblem(question.question);
      return read !== undefined && tellProblem(read) === question.question && task.verify(question).correct
        ? undefined
        : question.question;
    });
  });

  it("always say the opposite of someone else, so that the property alone gives nothing away", () => {
    for (const { problem } of TEN_THOUSAND.slice(0, 1000)) {
      const said = problem.rules.filter((rule) => rule.gives.predicate === problem.query.predicate);
      expect(new Set(said.map((rule) => rule.gives.positive))).toEqual(new Set([false, true]));
      expect(said).toHaveLength(2);
    }
  });

  it("are short enough for a small student", () => {
    expect(Math.max(...TEN_THOUSAND.map(({ question }) => question.question.length))).toBeLessThanOrEqual(420);
    expect(Math.max(...TEN_THOUSAND.map(({ question }) => question.answer.length))).toBeLessThanOrEqual(330);
  });
});

describe("an ontology told with articles", () => {
  const ARTICLES = prontoqaTask({ clusters: { article: 1 } }).splits(
    { pool: 200, validation: 0, test: 0 },
    new Rng(2),
  ).pool;

  it("tells every rule so, in the question and in the proof, and is read back", () => {
    expectNoComplaint(ARTICLES, ({ question, answer, tags, program }) =>
      !/Each|Every|uses are/.test(question + answer) &&
      tags?.["cluster"] === "article" &&
      JSON.stringify(readProblem(question)) === JSON.stringify(program) &&
      task.verify({ question, answer }).correct
        ? undefined
        : question,
    );
  });

  it("is what the author writes from such a seed, and from no other", () => {
    const plain = task.splits({ pool: 50, validation: 0, test: 0 }, new Rng(3)).pool;
    for (const [i, { question, tags }] of [...ARTICLES.slice(0, 50), ...plain].entries())
      for (const operation of OPERATIONS)
        expect(task.author!.write(question, operation, new Rng(i))!.tags).toMatchObject({ cluster: tags!["cluster"]! });
  });

  it("has the canonical form of the same proof in other words", () => {
    const articles =
      "A yumpus is a dumpus. A wumpus is sour. A dumpus is not sour. Max is a yumpus. True or false: Max is sour.";
    const plain =
      "Each yumpus is a dumpus. Wumpuses are sour. Dumpuses are not sour. Max is a yumpus. True or false: Max is sour.";
    expect(task.canonical(articles)).toBe(task.canonical(plain));
  });
});

describe("the canonical form", () => {
  const text =
    "Each yumpus is a dumpus. Wumpuses are sour. Dumpuses are not sour. Max is a yumpus. True or false: Max is sour.";
  it("is the proof's: other names, wordings, orders, distractors or the opposite statement make no new question", () => {
    const same =
      "Every dumpus is not sour. Yumpuses are dumpuses. Every dumpus is a rompus. Rex is a yumpus. True or false: Rex is not sour.";
    expect(task.canonical(same)).toBe(task.canonical(text));
    expect(task.canonical(text.replaceAll("dumpus", "lorpus").replace("Dumpuses", "Lorpuses"))).not.toBe(
      task.canonical(text),
    );
    expect(task.canonical(text.replace("are not sour", "are not sweet").replace("is sour", "is sweet"))).not.toBe(
      task.canonical(text),
    );
  });
  it("of an undecided or foreign text is the text", () => {
    expect(task.canonical("Max is a yumpus. True or false: Max is sour.")).toMatch(/^text /);
    expect(task.canonical(" What  is love? ")).toBe(task.canonical("what is love?"));
  });
});

describe("verifying a pair", () => {
  const question =
    "Each yumpus is a dumpus. Wumpuses are sour. Dumpuses are not sour. Max is a yumpus. True or false: Max is sour.";
  const good =
    "Max is a yumpus. Each yumpus is a dumpus. Max is a dumpus. Dumpuses are not sour. Max is not sour.\nAnswer: False";
  const verdict = (answer: string, asked = question) => task.verify({ question: asked, answer });
  it("accepts other wordings of a premise, and leaves out of the rules", () => {
    expect(verdict(good).correct).toBe(true);
    expect(verdict(good.replace("Each yumpus is a dumpus", "Yumpuses are dumpuses")).correct).toBe(true);
    expect(verdict("Max is a dumpus.\nMax is not sour.\nAnswer: false").correct).toBe(true);
  });
  it.each([
    ["the other answer", good.replace("False", "True"), /statement is false/],
    ["a leap", "Max is a yumpus. Max is not sour.\nAnswer: False", /does not follow by one rule/],
    ["a made-up rule", good.replace("Each yumpus", "Each rompus"), /not a premise/],
    ["someone else", good.replaceAll("Max", "Rex"), /someone else/],
    ["no conclusion", good.replace(" Max is not sour.", ""), /do not end at/],
    ["other words", good.replace("Max is a dumpus.", "So it is."), /cannot be read/],
    ["no verdict", good.replace(/\n.*/, ""), /no line/],
  ])("rejects %s", (_what, answer, reason) => {
    expect(verdict(answer)).toMatchObject({ correct: false });
    expect(verdict(answer).reason).toMatch(reason);
  });
  it("rejects a question that proves neither, or both", () => {
    expect(verdict(good, question.replace("Each yumpus is a dumpus. ", "")).reason).toMatch(/neither/);
    expect(verdict(good, question.replace("Wumpuses", "Yumpuses")).reason).toMatch(/both/);
  });
});

describe("the final answer", () => {
  it.each([
    ["Answer: True", "True"],
    ["answer : false.", "False"],
    ["Answer: **True**", "True"],
    ["Answer: False\nAnswer: True", "False"],
    ["True", undefined],
    ["Answer: Truely", undefined],
    ["Answer: maybe True", undefined],
  ])("of %j is %s", (text, truth) => expect(finalTruth(text)).toBe(truth));
});

testWithShared(
  "the published questions are read, and their answers and proofs are found right",
  ["data", "prontoqa", "prontoqa250.jsonl"],
  () => {
    const rows = readFileSync(sharedPath("data", "prontoqa", "prontoqa250.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map(
        (line) => JSON.parse(line) as { context: string; question: string; answer: "A" | "B"; explanation: string[] },
      );
    expect(rows).toHaveLength(250);
    for (const row of rows) {
      const question = `${row.context} ${row.question}`;
      const truth = row.answer === "A" ? "True" : "False";
      expect(
        task.verify({ question, answer: `${row.explanation.join(" ")}\nAnswer: ${truth}` }),
        question,
      ).toMatchObject({ correct: true });
      expect(task.verify({ question, answer: task.author!.solve(question)! }).correct).toBe(true);
      expect(ontologyAnswer(question)).toBe(truth);
    }
  },
);

/**
 * @file A second opinion on word problems, written apart from the templates: it keeps
 * a ledger of who has how many of what, reads sentences by their verbs, tells known
 * from unknown people in a comparison, and finds an unknown start by trying every
 * number. It shares no code and no tables with `src/tasks`.
 */

const UNITS_OF_TEN: Record<string, number> = { thirty: 30, forty: 40, fifty: 50 };
const COUNTING = [
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
  "eleven",
  "twelve",
  "thirteen",
  "fourteen",
  "fifteen",
  "sixteen",
  "seventeen",
  "eighteen",
  "nineteen",
  "twenty",
];

const REWRITES: readonly (readonly [RegExp, string])[] = [
  [/half a dozen/gi, "6"],
  ...COUNTING.map((word, i): [RegExp, string] => [new RegExp(`\\b${word} dozen`, "gi"), String(12 * (i + 2))]),
  [/\ba dozen/gi, "12"],
  ...COUNTING.map((word, i): [RegExp, string] => [new RegExp(`\\b${word}\\b`, "gi"), String(i + 2)]),
  ...Object.entries(UNITS_OF_TEN).map(([word, value]): [RegExp, string] => [
    new RegExp(`\\b${word}\\b`, "gi"),
    String(value),
  ]),
  [/\btwice\b/gi, "2 times"],
];

/** The text with every quantity in digits. */
function withDigits(text: string): string {
  return REWRITES.reduce((out, [pattern, digits]) => out.replace(pattern, digits), text);
}

const PARTS: Record<string, number> = { half: 2, "a third": 3, "a quarter": 4, "a fifth": 5 };

class Impossible extends Error {}

class Ledger {
  readonly amounts = new Map<string, number>();
  readonly people: string[] = [];
  who = "";
  unit = "";
  need: number | undefined;
  price: number | undefined;
  period: number | undefined;

  get x(): number {
    return this.of(this.who);
  }
  set x(value: number) {
    if (!Number.isInteger(value) || value < 0) throw new Impossible(`${this.who} would have ${value} ${this.unit}`);
    this.amounts.set(this.who, value);
  }
  of(name: string): number {
    const amount = this.amounts.get(name);
    if (amount === undefined) throw new Error(`nobody said how many ${name} has`);
    return amount;
  }
  meet(name: string, amount: number): void {
    if (!Number.isInteger(amount) || amount < 0) throw new Impossible(`${name} would have ${amount}`);
    this.amounts.set(name, amount);
    this.people.push(name);
  }
  /** A relation "a = f(b)": whoever is not known yet becomes known, and the talk turns to them. */
  relate(a: string, b: string, forward: (b: number) => number, backward: (a: number) => number): void {
    const known = this.amounts.has(b);
    this.meet(known ? a : b, known ? forward(this.of(b)) : backward(this.of(a)));
    this.who = known ? a : b;
  }
}

const NUMBER = "(\\d+)";
const NAME = "([A-Z][a-z]+)";
const SUBJECT = "(She|He|she|he|Each [a-z]+|each [a-z]+|[A-Z][a-z]+)";

type Rule = readonly [RegExp, (ledger: Ledger, m: readonly string[]) => void];
const rule = (source: string, act: (ledger: Ledger, m: readonly string[]) => void): Rule => [
  new RegExp(`^${source}$`),
  act,
];
const n = (text: string | undefined): number => Number(text);
const subject = (ledger: Ledger, word: string): string =>
  /^(she|he)$/i.test(word) ? ledger.who : word.replace(/^Each/, "each");

const SHARE_WORDS = /(equally|evenly|divvies|even shares)/;

const RULES: readonly Rule[] = [
  // What does not matter.
  rule(".*(years old|degrees outside|minutes|miles long).*", () => undefined),
  rule(`${SUBJECT} also has .*`, () => undefined),
  // Comparisons, in either direction.
  rule(`${SUBJECT} has ${NUMBER} (more|fewer) \\w+ than ${NAME}\\.`, (l, [, a, count, word, b]) => {
    const d = word === "more" ? n(count) : -n(count);
    l.relate(
      subject(l, a!),
      b!,
      (v) => v + d,
      (v) => v - d,
    );
  }),
  rule(`Compared with ${NAME}, (?:she|he) has ${NUMBER} (more|fewer) \\w+\\.`, (l, [, b, count, word]) => {
    const d = word === "more" ? n(count) : -n(count);
    l.relate(
      l.who,
      b!,
      (v) => v + d,
      (v) => v - d,
    );
  }),
  rule(`${NAME} (beats|trails) ${NAME} by ${NUMBER} \\w+\\.`, (l, [, a, verb, b, count]) => {
    const d = verb === "beats" ? n(count) : -n(count);
    l.relate(
      a!,
      b!,
      (v) => v + d,
      (v) => v - d,
    );
  }),
  rule(`${SUBJECT} has ${NUMBER} times as many \\w+ as ${NAME}\\.`, (l, [, a, k, b]) =>
    l.relate(
      subject(l, a!),
      b!,
      (v) => v * n(k),
      (v) => v / n(k),
    ),
  ),
  rule(`Compared with ${NAME}, (?:she|he) has ${NUMBER} times as many \\w+\\.`, (l, [, b, k]) =>
    l.relate(
      l.who,
      b!,
      (v) => v * n(k),
      (v) => v / n(k),
    ),
  ),
  rule(`${SUBJECT} has (half|a third|a quarter|a fifth) as many \\w+ as ${NAME}\\.`, (l, [, a, part, b]) =>
    l.relate(
      subject(l, a!),
      b!,
      (v) => v / PARTS[part!]!,
      (v) => v * PARTS[part!]!,
    ),
  ),
  rule(`Compared with ${NAME}, (?:she|he) has (half|a third|a quarter|a fifth) as many \\w+\\.`, (l, [, b, part]) =>
    l.relate(
      l.who,
      b!,
      (v) => v / PARTS[part!]!,
      (v) => v * PARTS[part!]!,
    ),
  ),
  rule(`${NAME} boasts ${NUMBER} times that many \\w+\\.`, (l, [, a, k]) =>
    l.relate(
      a!,
      l.who,
      (v) => v * n(k),
      (v) => v / n(k),
    ),
  ),
  rule(`${NAME} makes do with (half|a third|a quarter|a fifth) as many \\w+\\.`, (l, [, a, part]) =>
    l.relate(
      a!,
      l.who,
      (v) => v / PARTS[part!]!,
      (v) => v * PARTS[part!]!,
    ),
  ),
  // Changes by a factor.
  rule(`(?:Soon|Later) ${SUBJECT} has ${NUMBER} times as many \\w+\\.`, (l, [, , k]) => void (l.x *= n(k))),
  rule(`.*grows the stash to ${NUMBER} times its size\\.`, (l, [, k]) => void (l.x *= n(k))),
  rule(`Then the number of [A-Za-z']+ \\w+ is multiplied by ${NUMBER}\\.`, (l, [, k]) => void (l.x *= n(k))),
  rule(".*\\b(half|a third|a quarter|a fifth) of (?:the|[A-Z][a-z]+'s) \\w+( are kept)?\\.", (l, [sentence, part]) => {
    // What is kept and what goes are the same only for one half.
    if (part !== "half" && !/(keep|kept|hangs on)/.test(sentence!)) throw new Error(`not kept: ${sentence}`);
    l.x /= PARTS[part!]!;
  }),
  rule("Half of the \\w+ are taken from .*", (l) => void (l.x /= 2)),
  // Shares, packs and sales.
  rule(
    ".*(?:eats|uses) the same number every (day|month) and they last a (week|year)\\.",
    (l, [, , span]) => void (l.period = span === "week" ? 7 : 12),
  ),
  rule(`.*(?:in|into) (\\w+)(?: of |, )${NUMBER}(?: apiece)?\\.`, (l, [, box, k]) => {
    l.x /= n(k);
    l.unit = box!;
  }),
  rule(`(?:.*packs )?${NUMBER} (?:of [A-Z][a-z]+'s )?\\w+ (?:are put )?in each (\\w+)\\.`, (l, [, k, box]) => {
    l.x /= n(k);
    l.unit = box!.endsWith("x") ? `${box}es` : `${box}s`;
  }),
  rule(`.*\\bworth ${NUMBER} dollars each\\.`, (l, [, p]) => void (l.price = n(p))),
  rule(`.*(?:sells the|unloads the|are sold).* ${NUMBER} dollars (?:each|apiece)\\.`, (l, [, p]) => {
    l.x *= n(p);
    l.unit = "dollars";
  }),
  rule(`.*\\b${NUMBER} dollars (?:are paid to (?:her|him) )?for each of the \\w+\\.`, (l, [, p]) => {
    l.x *= n(p);
    l.unit = "dollars";
  }),
  rule(
    `(?:.*\\b(?:shares|splits|divvies up|shared|split)\\b.* )?${NUMBER} (\\w+)(?: share| go even shares on)?.*\\.`,
    (l, [sentence, k, people]) => {
      if (!SHARE_WORDS.test(sentence!)) throw new NoMatch();
      const each = `each ${people === "children" ? "child" : people === "classmates" ? "classmate" : people!.slice(0, -1)}`;
      const part = l.x / n(k);
      l.who = each;
      l.x = part;
    },
  ),
  // Wishes.
  rule(`.*(?:needs|wants|aiming for) ${NUMBER} \\w+\\.`, (l, [, count]) => void (l.need = n(count))),
  rule(`${NUMBER} \\w+ are needed\\.`, (l, [, count]) => void (l.need = n(count))),
  // Another person's amount.
  rule(`${NAME} (?:has|chips in) ${NUMBER} \\w+\\.`, (l, [, name, count]) => {
    if (l.amounts.has(name!)) throw new NoMatch();
    l.meet(name!, n(count));
  }),
  rule(`${NUMBER} \\w+ are owned by ${NAME}\\.`, (l, [, count, name]) => l.meet(name!, n(count))),
  // Many at once.
  rule(`.*\\b(gives|slips|sells|eats|loses|spends|gives away)\\b.*`, (l, [sentence]) => {
    const many = products(sentence!);
    if (many === undefined) throw new NoMatch();
    l.x -= many;
  }),
  rule(`${NUMBER} \\w+ are given to each of ${NUMBER} \\w+\\.`, (l, [, a, b]) => void (l.x -= n(a) * n(b))),
  rule(`.*\\b(buys|gets|finds|earns|picks up another|are given to)\\b.*`, (l, [sentence]) => {
    const many = products(sentence!);
    if (many === undefined) throw new NoMatch();
    l.x += many;
  }),
  // One change.
  rule(
    `.*\\b(?:gives(?: away)?|loses|eats|sells|spends|parts with|gobbles up|hands off|blows) ${NUMBER} \\w+.*\\.`,
    (l, [, count]) => void (l.x -= n(count)),
  ),
  rule(
    `(?:Then )?${NUMBER} (?:of [A-Z][a-z]+'s )?\\w+ are (?:taken from|stolen from|eaten by) .*\\.`,
    (l, [, count]) => void (l.x -= n(count)),
  ),
  rule(
    `.*\\b(?:buys|gets|finds|picks|bakes|collects|earns|grabs|snags another) ${NUMBER} (?:more |extra )?\\w+.*\\.`,
    (l, [, count]) => void (l.x += n(count)),
  ),
  rule(`${NUMBER} more \\w+ are given to .*\\.`, (l, [, count]) => void (l.x += n(count))),
  rule(`Then ${NUMBER} \\w+ are handed to .*\\.`, (l, [, count]) => void (l.x += n(count))),
];

class NoMatch extends Error {}

/** The product a sentence states ("3 bags of 4", "5 a day for 4 days", "every day for a week … 5"), undefined when it states one number. */
function products(sentence: string): number | undefined {
  const numbers = [...sentence.matchAll(/\d+/g)].map((m) => Number(m[0]));
  if (numbers.length === 2) return numbers[0]! * numbers[1]!;
  if (numbers.length === 1 && /day for a week/.test(sentence)) return numbers[0]! * 7;
  if (numbers.length === 1 && /month for a year/.test(sentence)) return numbers[0]! * 12;
  return undefined;
}

function open(ledger: Ledger, sentence: string, start: number | undefined): void {
  const name = [...sentence.matchAll(/\b[A-Z][a-z]+\b/g)].map((m) => m[0]).at(0);
  if (name === undefined) throw new Error(`nobody in "${sentence}"`);
  ledger.who = name;
  const numbers = [...sentence.matchAll(/\d+/g)].map((m) => Number(m[0]));
  const amount = / some /.test(sentence) ? start : (products(sentence) ?? numbers[0]);
  if (amount === undefined) throw new Error(`how many in "${sentence}"?`);
  ledger.meet(name, amount);
  const words = sentence.replace(/ (an hour|a day|every|to|on hand|in each|are|apiece|for).*/, "").match(/[a-z]+/g);
  ledger.unit = /placed in each/.test(sentence) ? /\d+ ([a-z]+) are/.exec(sentence)![1]! : words!.at(-1)!;
}

function tell(
  sentences: readonly string[],
  start: number | undefined,
): { readonly ledger: Ledger; readonly end: number | undefined } {
  const ledger = new Ledger();
  let end: number | undefined;
  sentences.forEach((sentence, i) => {
    if (i === 0) return open(ledger, sentence, start);
    const ending = /^(?:Now|After that,) (?:she|he|each [a-z]+) has (\d+) \w+\.$/.exec(sentence);
    if (ending !== null) return void (end = Number(ending[1]));
    for (const [pattern, act] of RULES) {
      const match = pattern.exec(sentence);
      if (match === null) continue;
      try {
        return act(ledger, [...match]);
      } catch (error) {
        if (!(error instanceof NoMatch)) throw error;
      }
    }
    throw new Error(`the referee cannot read "${sentence}"`);
  });
  return { ledger, end };
}

function ask(question: string, ledger: Ledger): number {
  const unit = /How many (?:more |fewer )?([a-z]+)/.exec(question)?.[1] ?? /count of ([a-z]+)/.exec(question)?.[1];
  const worth = /How many dollars are ([A-Z][a-z]+)'s ([a-z]+) worth\?/.exec(question);
  if (worth !== null) {
    if (worth[2] !== ledger.unit) throw new Error(`asked for ${worth[2]}, told of ${ledger.unit}`);
    return ledger.of(worth[1]!) * ledger.price!;
  }
  const asked = unit ?? /By how many ([a-z]+)/.exec(question)?.[1];
  if (asked !== ledger.unit) throw new Error(`asked for ${asked}, told of ${ledger.unit}: "${question}"`);
  if (ledger.period !== undefined && /each (day|month)\?$/.test(question)) return ledger.x / ledger.period;
  if (/(need|needed|short)\b/.test(question)) return ledger.need! - ledger.x;
  const names = [...question.matchAll(/\b([A-Z][a-z]+)\b/g)]
    .map((m) => m[1]!)
    .filter((word) => ledger.amounts.has(word));
  if (/the 2 have/.test(question)) return ledger.people.slice(-2).reduce((sum, name) => sum + ledger.of(name), 0);
  if (/(in all|together)\?$/.test(question) && names.length === 2) return ledger.of(names[0]!) + ledger.of(names[1]!);
  if (/fewer/.test(question)) return ledger.of(names[1]!) - ledger.of(names[0]!);
  if (/(more .* than|By how many)/.test(question)) return ledger.of(names[0]!) - ledger.of(names[1]!);
  const each = /does (each [a-z]+)/.exec(question)?.[1];
  return ledger.of(each ?? names[0]!);
}

/** The answer to a word problem by the referee's own reading. Throws where it cannot read one, or the story is impossible. */
export function refereeAnswer(text: string): number {
  const sentences = withDigits(text).split(/(?<=[.?]) /);
  const at = sentences.findIndex((sentence) => sentence.endsWith("?"));
  const [question] = sentences.splice(at, 1);
  if (!/(at first|begin with)\?$/.test(question!)) return whole(ask(question!, tell(sentences, undefined).ledger));
  const starts: number[] = [];
  for (let start = 1; start <= 300; start++) {
    try {
      const { ledger, end } = tell(sentences, start);
      if (ledger.x === end) starts.push(start);
    } catch (error) {
      if (!(error instanceof Impossible)) throw error;
    }
  }
  if (starts.length !== 1) throw new Error(`${starts.length} starts fit "${text}"`);
  return starts[0]!;
}

function whole(value: number): number {
  if (!Number.isInteger(value)) throw new Impossible(`${value} is not whole`);
  return value;
}

/** Recomputes every line `a op b = c` of a worked answer; the first line that is not one, or is wrong. */
export function wrongLine(answer: string): string | undefined {
  const lines = answer.split("\n");
  const last = lines.pop();
  let result: number | undefined;
  for (const line of lines) {
    const match = /^(\d+) ([-+*/]) (\d+) = (\d+)$/.exec(line);
    if (match === null) return line;
    const [a, op, b, c] = [Number(match[1]), match[2], Number(match[3]), Number(match[4])];
    if ({ "+": a + b, "-": a - b, "*": a * b, "/": a / b }[op as "+"] !== c) return line;
    result = c;
  }
  return last === `#### ${result}` ? undefined : (last ?? "");
}

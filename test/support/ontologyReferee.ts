/**
 * @file A second opinion on fictional ontologies, which shares nothing with the task: a
 * text is cut into words, beliefs grow until nothing new follows, and a proof is replayed.
 */

/** "yumpus", "not sour": singular and without articles. */
interface Belief {
  readonly about: string;
  readonly says: string;
}

const KINDS = /^(?:each|every|an?)$/;

/** One sentence as subject and predicate; the subject of a rule begins with "every ". */
function readBelief(sentence: string): Belief {
  const words = sentence.replace(/\.$/, "").split(" ");
  const verb = words.findIndex((word) => word === "is" || word === "are");
  if (verb < 1) throw new Error(`the referee cannot read "${sentence}"`);
  const subject = words.slice(0, verb);
  const singular = (word: string): string => (word.endsWith("uses") ? word.slice(0, -2) : word);
  const predicate = words
    .slice(verb + 1)
    .filter((word) => word !== "a" && word !== "an")
    .map(singular)
    .join(" ");
  if (words[verb] === "are") return { about: `every ${singular(subject[0]!.toLowerCase())}`, says: predicate };
  return KINDS.test(subject[0]!.toLowerCase())
    ? { about: `every ${subject[1]!}`, says: predicate }
    : { about: subject[0]!, says: predicate };
}

function opposite(says: string): string {
  return says.startsWith("not ") ? says.slice(4) : `not ${says}`;
}

function split(text: string): { readonly premises: readonly Belief[]; readonly query: Belief } {
  const [context, query] = text.split(/ ?(?:True or false:|Is the following statement true or false\?) /);
  return { premises: context!.split(/(?<=\.) /).map(readBelief), query: readBelief(query!) };
}

/** All that holds of the individual. */
function closure(premises: readonly Belief[], entity: string): Set<string> {
  const held = new Set(premises.filter((belief) => belief.about === entity).map((belief) => belief.says));
  for (let size = -1; size !== held.size;) {
    size = held.size;
    for (const { about, says } of premises) if (held.has(about.replace("every ", ""))) held.add(says);
  }
  return held;
}

/** "True", "False", "neither" or "both". */
export function ontologyAnswer(text: string): string {
  const { premises, query } = split(text);
  const held = closure(premises, query.about);
  const [yes, no] = [held.has(query.says), held.has(opposite(query.says))];
  return yes && no ? "both" : yes ? "True" : no ? "False" : "neither";
}

/** What is wrong with a worked proof, undefined when nothing is. Each conclusion must follow from the two sentences before it. */
export function wrongProof(text: string, answer: string): string | undefined {
  const { premises, query } = split(text);
  const [proof, verdict] = answer.split("\n");
  const sentences = proof!.split(/(?<=\.) /).map(readBelief);
  const stated = (belief: Belief): boolean =>
    premises.some((premise) => premise.about === belief.about && premise.says === belief.says);
  if (sentences.length % 2 !== 1 || !stated(sentences[0]!)) return "the start";
  for (let i = 1; i < sentences.length; i += 2) {
    const [before, rule, after] = [sentences[i - 1]!, sentences[i]!, sentences[i + 1]!];
    if (!stated(rule)) return `not a premise: ${JSON.stringify(rule)}`;
    if (rule.about !== `every ${before.says}` || after.about !== before.about || after.says !== rule.says)
      return `does not follow: ${JSON.stringify(after)}`;
  }
  const last = sentences.at(-1)!;
  const truth = last.says === query.says ? "True" : last.says === opposite(query.says) ? "False" : "nothing";
  return last.about === query.about && verdict === `Answer: ${truth}` ? undefined : `the end: ${verdict}`;
}

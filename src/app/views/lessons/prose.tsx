/** @file Sentences of a lesson: `[[term|word]]` becomes a word that explains itself, everything else stays text. */
import type { VNode } from "preact";
import { Term } from "../../components/term.tsx";
import { GLOSSARY } from "../../glossary.ts";
import type { TermId } from "../../glossary.ts";
import type { Prose } from "./lesson.ts";

export interface ProsePart {
  readonly text: string;
  readonly term?: TermId;
}

const TERM = /\[\[(\w+)\|([^\]]+)\]\]/g;

/** The text and terms of `prose` in order. @throws Error for a term that the glossary has not. */
export function readProse(prose: Prose): readonly ProsePart[] {
  const parts: ProsePart[] = [];
  let end = 0;
  for (const match of prose.matchAll(TERM)) {
    const [whole, id = "", text = ""] = match;
    if (!Object.hasOwn(GLOSSARY, id)) throw new Error(`lessons: expected a term of the glossary, got ${id}`);
    if (match.index > end) parts.push({ text: prose.slice(end, match.index) });
    parts.push({ text, term: id as TermId });
    end = match.index + whole.length;
  }
  if (end < prose.length) parts.push({ text: prose.slice(end) });
  return parts;
}

/** The sentences. */
export function ProseView({ prose }: { readonly prose: Prose }): VNode {
  return (
    <>
      {readProse(prose).map(({ text, term }, index) =>
        term === undefined ? (
          text
        ) : (
          <Term key={index} id={term}>
            {text}
          </Term>
        ),
      )}
    </>
  );
}

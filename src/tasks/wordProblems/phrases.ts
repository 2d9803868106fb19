/** @file All phrasings of the word problems, plain and unfamiliar. */
import { PLAIN_PHRASES } from "./plainPhrases.ts";
import { UNFAMILIAR_PHRASES } from "./unfamiliarPhrases.ts";
import type { Phrase } from "./phrase.ts";

export const PHRASES: readonly Phrase[] = [...PLAIN_PHRASES, ...UNFAMILIAR_PHRASES];

/**
 * @file The words of fictional ontologies: kinds of beings that mean nothing, and
 * properties. Source of the vocabulary: ProntoQA (Saparov and He 2023, arXiv 2210.01240).
 */

/** Kinds of beings. */
export const CONCEPTS: readonly string[] = [
  "wumpus",
  "yumpus",
  "zumpus",
  "dumpus",
  "rompus",
  "numpus",
  "tumpus",
  "vumpus",
  "impus",
  "jompus",
  "gorpus",
  "shumpus",
  "lempus",
  "sterpus",
  "grimpus",
  "lorpus",
  "brimpus",
  "scrompus",
];

/** Properties, one word each. */
export const PROPERTIES: readonly string[] = [
  "blue",
  "red",
  "brown",
  "orange",
  "small",
  "large",
  "metallic",
  "wooden",
  "luminous",
  "liquid",
  "transparent",
  "opaque",
  "nervous",
  "happy",
  "feisty",
  "shy",
  "bright",
  "dull",
  "sweet",
  "sour",
  "spicy",
  "bitter",
  "floral",
  "fruity",
  "earthy",
  "hot",
  "cold",
  "temperate",
  "kind",
  "mean",
  "angry",
  "amenable",
  "aggressive",
  "melodic",
  "muffled",
  "discordant",
  "loud",
  "slow",
  "moderate",
  "fast",
  "windy",
  "sunny",
  "overcast",
  "rainy",
];

/** Names of individuals. */
export const ENTITIES: readonly string[] = ["Max", "Stella", "Wren", "Alex", "Fae", "Polly", "Rex", "Sally", "Sam"];

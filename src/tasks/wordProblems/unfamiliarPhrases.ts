/**
 * @file Phrasings that say the same arithmetic in words the built-in student has
 * not met, by cluster. The clusters dozens, spelled and question-first need no
 * phrasings of their own: they change how numbers are written or where the question stands.
 */
import { phrase } from "./phrase.ts";
import type { Phrase } from "./phrase.ts";
import type { NounKind } from "./words.ts";
import { GOODS } from "./words.ts";

const MONEY: readonly NounKind[] = ["money"];
const GOODS_MONEY: readonly NounKind[] = [...GOODS, "money"];
const GOODS_BOXES: readonly NounKind[] = [...GOODS, "container"];
const ALL: readonly NounKind[] = [...GOODS, "money", "container"];
const EACH = { anyHolder: true };
const WEEK = 7;
const YEAR = 12;

const COLLOQUIAL: readonly Phrase[] = [
  phrase("count", "colloquial", GOODS_MONEY, "{who} has a stash of {n} {goods}."),
  phrase("count", "colloquial", GOODS_MONEY, "{who} has {n} {goods} on hand."),
  phrase("groups", "colloquial", GOODS, "{who} hauls in {k} {boxes}, {n} {goods} apiece."),
  phrase("gain", "colloquial", ALL, "{sub} grabs {n} extra {unit}.", EACH),
  phrase("gain", "colloquial", ALL, "{sub} snags another {n} {unit}.", EACH),
  phrase("lose", "colloquial", ALL, "{sub} parts with {n} {unit}.", EACH),
  phrase("lose", "colloquial", ["fruit", "baked"], "{sub} gobbles up {n} {unit}.", EACH),
  phrase("lose", "colloquial", ["thing", "container"], "{sub} hands off {n} {unit}.", EACH),
  phrase("lose", "colloquial", MONEY, "{sub} blows {n} {unit} on snacks.", EACH),
  phrase("gainGroups", "colloquial", GOODS, "{sub} picks up another {k} {boxes}, {n} {unit} apiece."),
  phrase("loseGroups", "colloquial", GOODS_MONEY, "{sub} slips {k} {people} {n} {unit} each."),
  phrase("more", "colloquial", ALL, "{other} beats {name} by {n} {unit}."),
  phrase("fewer", "colloquial", ALL, "{other} trails {name} by {n} {unit}."),
  phrase("times", "colloquial", ALL, "{other} boasts {times} that many {unit}."),
  phrase("fraction", "colloquial", ALL, "{other} makes do with {fraction} as many {unit}."),
  phrase("grow", "colloquial", ALL, "{sub} grows the stash to {times} its size."),
  phrase("part", "colloquial", ALL, "{sub} hangs on to just {fraction} of the {unit}."),
  phrase("share", "colloquial", ALL, "{sub} divvies up the {unit} among {k} {people}."),
  phrase("share", "colloquial", ALL, "{k} {people} go even shares on {name}'s {unit}."),
  phrase("pack", "colloquial", GOODS, "{sub} bundles the {unit} into {boxes}, {k} apiece."),
  phrase("cost", "colloquial", GOODS_BOXES, "{sub} unloads the {unit} at {p} dollars apiece."),
  phrase("total", "colloquial", ALL, "{other} chips in {n} {unit}.", {
    ask: "How many {unit} do the two have all told?",
  }),
  phrase("difference", "colloquial", ALL, "{other} has {n} {unit}.", {
    ask: "By how many {unit} does {name} beat {rival}?",
  }),
  phrase("need", "colloquial", ALL, "{sub} is aiming for {n} {unit}.", { ask: "How many {unit} short is {name}?" }),
  phrase("together", "colloquial", ALL, undefined, { ask: "How many {unit} do the two have all told?" }),
];

const PASSIVE: readonly Phrase[] = [
  phrase("count", "passive", GOODS_MONEY, "{n} {goods} are owned by {who}."),
  phrase("count", "passive", GOODS_MONEY, "{who} is given {n} {goods}."),
  phrase("groups", "passive", GOODS, "{n} {goods} are placed in each of {who}'s {k} {boxes}."),
  phrase("gain", "passive", ALL, "{n} more {unit} are given to {obj}.", EACH),
  phrase("gain", "passive", ALL, "Then {n} {unit} are handed to {obj}."),
  phrase("lose", "passive", ALL, "{n} {unit} are taken from {obj}.", EACH),
  phrase("lose", "passive", ALL, "Then {n} {unit} are stolen from {obj}."),
  phrase("lose", "passive", ["fruit", "baked"], "{n} of {name}'s {unit} are eaten by a {relative}."),
  phrase("gainGroups", "passive", GOODS, "{k} {boxes} of {n} {unit} are given to {obj}."),
  phrase("loseGroups", "passive", GOODS_MONEY, "{n} {unit} are given to each of {k} {people}."),
  phrase("grow", "passive", ALL, "Then the number of {name}'s {unit} is multiplied by {k}."),
  phrase("part", "passive", ALL, "Only {fraction} of {name}'s {unit} are kept."),
  phrase("part", "passive", ALL, "Half of the {unit} are taken from {obj}.", { fixed: 2 }),
  phrase("share", "passive", ALL, "{name}'s {unit} are shared equally among {k} {people}."),
  phrase("share", "passive", ALL, "{name}'s {unit} are split evenly by {k} {people}."),
  phrase("pack", "passive", GOODS, "{name}'s {unit} are packed in {boxes} of {k}."),
  phrase("pack", "passive", GOODS, "{k} of {name}'s {unit} are put in each {box}."),
  phrase("cost", "passive", GOODS_BOXES, "{name}'s {unit} are sold for {p} dollars each."),
  phrase("cost", "passive", GOODS_BOXES, "{p} dollars are paid to {obj} for each of the {unit}."),
  phrase("total", "passive", ALL, "{n} {unit} are owned by {other}.", {
    ask: "How many {unit} are owned by {name} and {rival} in all?",
  }),
  phrase("need", "passive", ALL, "{n} {unit} are needed.", { ask: "How many more {unit} are needed by {name}?" }),
];

const INDIRECT: readonly Phrase[] = [
  phrase("more", "indirect", ALL, "{sub} has {n} fewer {unit} than {other}."),
  phrase("more", "indirect", ALL, "Compared with {other}, {sub} has {n} fewer {unit}."),
  phrase("fewer", "indirect", ALL, "{sub} has {n} more {unit} than {other}."),
  phrase("fewer", "indirect", ALL, "Compared with {other}, {sub} has {n} more {unit}."),
  phrase("times", "indirect", ALL, "{sub} has {fraction} as many {unit} as {other}."),
  phrase("times", "indirect", ALL, "Compared with {other}, {sub} has {fraction} as many {unit}."),
  phrase("fraction", "indirect", ALL, "{sub} has {times} as many {unit} as {other}."),
  phrase("fraction", "indirect", ALL, "Compared with {other}, {sub} has {times} as many {unit}."),
  phrase("difference", "indirect", ALL, "{other} has {n} {unit}.", {
    ask: "How many fewer {unit} does {rival} have than {name}?",
  }),
];

const CALENDAR: readonly Phrase[] = [
  phrase("groups", "calendar", ["fruit"], "{who} picks {n} {goods} every day for a week.", { fixed: WEEK }),
  phrase("groups", "calendar", ["baked"], "{who} bakes {n} {goods} every day for a week.", { fixed: WEEK }),
  phrase("groups", "calendar", ["thing"], "{who} collects {n} {goods} every month for a year.", { fixed: YEAR }),
  phrase("groups", "calendar", MONEY, "{who} saves {n} {goods} every month for a year.", { fixed: YEAR }),
  phrase("groups", "calendar", MONEY, "{who} earns {n} {goods} every day for a week.", { fixed: WEEK }),
  phrase("gainGroups", "calendar", GOODS_MONEY, "Every day for a week, {sub} gets {n} more {unit}.", { fixed: WEEK }),
  phrase("gainGroups", "calendar", ["thing", "money"], "Each month for a year, {sub} gets {n} more {unit}.", {
    fixed: YEAR,
  }),
  phrase("loseGroups", "calendar", GOODS, "Every day for a week, {sub} gives away {n} {unit}.", { fixed: WEEK }),
  phrase("loseGroups", "calendar", ["thing"], "Each month for a year, {sub} gives away {n} {unit}.", { fixed: YEAR }),
  phrase("loseGroups", "calendar", MONEY, "Every day for a week, {sub} spends {n} {unit}.", { fixed: WEEK }),
  phrase("share", "calendar", ["fruit", "baked"], "{sub} eats the same number every day and they last a week.", {
    fixed: WEEK,
    ask: "How many {unit} does {name} eat each day?",
  }),
  phrase("share", "calendar", ["thing"], "{sub} uses the same number every day and they last a week.", {
    fixed: WEEK,
    ask: "How many {unit} are used each day?",
  }),
  phrase("share", "calendar", ["thing"], "{sub} uses the same number every month and they last a year.", {
    fixed: YEAR,
    ask: "How many {unit} are used each month?",
  }),
];

const DISTRACTORS: readonly Phrase[] = [
  phrase("distractor", "distractor", ALL, "{sub} is {d} years old."),
  phrase("distractor", "distractor", ALL, "It is {d} degrees outside.", EACH),
  phrase("distractor", "distractor", ALL, "{sub} also has {d} {thing}.", EACH),
  phrase("distractor", "distractor", ALL, "The trip takes {d} minutes.", EACH),
  phrase("distractor", "distractor", ALL, "{sub} waits {d} minutes in line.", EACH),
  phrase("distractor", "distractor", ALL, "The bus ride is {d} miles long.", EACH),
];

const BACKWARD: readonly Phrase[] = [
  phrase("unknown", "backward", GOODS_MONEY, "{who} has some {goods}."),
  phrase("unknown", "backward", GOODS_MONEY, "{who} takes some {goods} to {place}."),
  phrase("ending", "backward", ALL, "Now {sub} has {n} {unit}.", EACH),
  phrase("ending", "backward", ALL, "After that, {sub} has {n} {unit}.", EACH),
];

export const UNFAMILIAR_PHRASES: readonly Phrase[] = [
  ...COLLOQUIAL,
  ...PASSIVE,
  ...INDIRECT,
  ...CALENDAR,
  ...DISTRACTORS,
  ...BACKWARD,
];

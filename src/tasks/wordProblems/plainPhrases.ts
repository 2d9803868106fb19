/** @file The plain phrasings: the ones the built-in student is pretrained on, and the questions that go with all clusters. */
import { ask, phrase } from "./phrase.ts";
import type { Ask, Phrase } from "./phrase.ts";
import type { NounKind } from "./words.ts";
import { GOODS } from "./words.ts";

const MONEY: readonly NounKind[] = ["money"];
const GOODS_MONEY: readonly NounKind[] = [...GOODS, "money"];
const GOODS_BOXES: readonly NounKind[] = [...GOODS, "container"];
const ALL: readonly NounKind[] = [...GOODS, "money", "container"];
const EACH = { anyHolder: true };

export const PLAIN_PHRASES: readonly Phrase[] = [
  phrase("count", "plain", GOODS_MONEY, "{who} has {n} {goods}."),
  phrase("count", "plain", GOODS_MONEY, "{who} starts with {n} {goods}."),
  phrase("count", "plain", GOODS_MONEY, "{who} takes {n} {goods} to {place}."),
  phrase("count", "plain", GOODS, "{who} brings {n} {goods} to {place}."),
  phrase("count", "plain", ["fruit"], "{who} picks {n} {goods}."),
  phrase("count", "plain", ["baked"], "{who} bakes {n} {goods}."),
  phrase("count", "plain", ["thing"], "{who} owns {n} {goods}."),
  phrase("count", "plain", MONEY, "{who} saves {n} {goods}."),

  phrase("groups", "plain", GOODS, "{who} has {k} {boxes} of {n} {goods}."),
  phrase("groups", "plain", GOODS, "{who} has {k} {boxes} with {n} {goods} in each."),
  phrase("groups", "plain", ["fruit"], "{who} picks {n} {goods} an hour for {t} hours."),
  phrase("groups", "plain", ["baked"], "{who} bakes {n} {goods} a day for {t} days."),
  phrase("groups", "plain", ["thing"], "{who} collects {n} {goods} a day for {t} days."),
  phrase("groups", "plain", MONEY, "{who} earns {n} {goods} an hour for {t} hours."),

  phrase("gain", "plain", GOODS_BOXES, "{sub} buys {n} more {unit}.", EACH),
  phrase("gain", "plain", ALL, "{sub} gets {n} more {unit}.", EACH),
  phrase("gain", "plain", ["fruit", "thing", "money"], "{sub} finds {n} more {unit}.", EACH),
  phrase("gain", "plain", ["fruit"], "{sub} picks {n} more {unit}.", EACH),
  phrase("gain", "plain", ["baked"], "{sub} bakes {n} more {unit}.", EACH),
  phrase("gain", "plain", ["thing"], "{sub} collects {n} more {unit}.", EACH),
  phrase("gain", "plain", MONEY, "{sub} earns {n} more {unit}.", EACH),
  phrase("gain", "plain", GOODS_MONEY, "{sub} gets {n} more {unit} from a {relative}."),

  phrase("lose", "plain", GOODS_BOXES, "{sub} gives away {n} {unit}.", EACH),
  phrase("lose", "plain", ALL, "{sub} gives {n} {unit} to a {relative}."),
  phrase("lose", "plain", ALL, "{sub} loses {n} {unit}.", EACH),
  phrase("lose", "plain", ["fruit", "baked"], "{sub} eats {n} {unit}.", EACH),
  phrase("lose", "plain", GOODS_BOXES, "{sub} sells {n} {unit}.", EACH),
  phrase("lose", "plain", MONEY, "{sub} spends {n} {unit}.", EACH),

  phrase("gainGroups", "plain", GOODS, "{sub} buys {k} {boxes} of {n} {unit}."),
  phrase("gainGroups", "plain", GOODS, "{sub} gets {k} {boxes} with {n} more {unit} in each."),
  phrase("gainGroups", "plain", ["fruit", "thing"], "{sub} finds {n} more {unit} a day for {t} days."),
  phrase("gainGroups", "plain", MONEY, "{sub} earns {n} more {unit} a day for {t} days."),

  phrase("loseGroups", "plain", GOODS_MONEY, "{sub} gives {n} {unit} to each of {k} {people}."),
  phrase("loseGroups", "plain", GOODS, "{sub} sells {k} {boxes} of {n} {unit}."),
  phrase("loseGroups", "plain", ["fruit", "baked"], "{sub} eats {n} {unit} a day for {t} days."),
  phrase("loseGroups", "plain", ["thing"], "{sub} loses {n} {unit} a day for {t} days."),
  phrase("loseGroups", "plain", MONEY, "{sub} spends {n} {unit} a day for {t} days."),

  phrase("more", "plain", ALL, "{other} has {n} more {unit} than {name}."),
  phrase("fewer", "plain", ALL, "{other} has {n} fewer {unit} than {name}."),
  phrase("times", "plain", ALL, "{other} has {times} as many {unit} as {name}."),
  phrase("fraction", "plain", ALL, "{other} has {fraction} as many {unit} as {name}."),

  phrase("grow", "plain", ALL, "Soon {sub} has {times} as many {unit}."),
  phrase("grow", "plain", ALL, "Later {sub} has {times} as many {unit}."),
  phrase("part", "plain", ALL, "{sub} keeps {fraction} of the {unit}."),
  phrase("part", "plain", GOODS_BOXES, "{sub} gives away half of the {unit}.", { fixed: 2 }),
  phrase("part", "plain", GOODS_BOXES, "{sub} sells half of the {unit}.", { fixed: 2 }),
  phrase("part", "plain", MONEY, "{sub} spends half of the {unit}.", { fixed: 2 }),

  phrase("share", "plain", ALL, "{sub} shares the {unit} equally among {k} {people}."),
  phrase("share", "plain", ALL, "{sub} splits the {unit} evenly among {k} {people}."),
  phrase("share", "plain", ALL, "{k} {people} share {name}'s {unit} equally."),

  phrase("pack", "plain", GOODS, "{sub} puts the {unit} in {boxes} of {k}."),
  phrase("pack", "plain", GOODS, "{sub} packs {k} {unit} in each {box}."),

  phrase("cost", "plain", GOODS_BOXES, "{sub} sells the {unit} for {p} dollars each."),
  phrase("cost", "plain", GOODS_BOXES, "{sub} gets {p} dollars for each of the {unit}."),
  phrase("cost", "plain", GOODS, "{name}'s {unit} are worth {p} dollars each.", {
    ask: "How many dollars are {name}'s {firstUnit} worth?",
  }),

  phrase("total", "plain", ALL, "{other} has {n} {unit}.", {
    ask: "How many {unit} do {name} and {rival} have in all?",
  }),
  phrase("total", "plain", ALL, "{other} has {n} {unit}.", {
    ask: "How many {unit} do {name} and {rival} have together?",
  }),
  phrase("difference", "plain", ALL, "{other} has {n} {unit}.", {
    ask: "How many more {unit} does {name} have than {rival}?",
  }),
  phrase("need", "plain", ALL, "{sub} needs {n} {unit}.", { ask: "How many more {unit} does {name} need?" }),
  phrase("need", "plain", ALL, "{sub} wants {n} {unit}.", { ask: "How many more {unit} does {name} need?" }),
  phrase("together", "plain", ALL, undefined, { ask: "How many {unit} do {rival} and {name} have in all?" }),
  phrase("together", "plain", ALL, undefined, { ask: "How many {unit} do {rival} and {name} have together?" }),
];

/** Steps after which "now" makes sense: something happened. */
const CHANGES = ["gain", "lose", "gainGroups", "loseGroups", "grow", "part"] as const;
const COMPARISONS = ["more", "fewer", "times", "fraction"] as const;

export const ASKS: readonly Ask[] = [
  ask("plain", CHANGES, "How many {unit} does {name} have now?", EACH),
  ask("plain", CHANGES, "How many {unit} does {name} have in the end?", EACH),
  ask("plain", ["lose", "loseGroups", "part"], "How many {unit} does {name} have left?", EACH),
  ask("plain", COMPARISONS, "How many {unit} does {name} have?"),
  ask("plain", ["groups"], "How many {unit} does {name} have in all?"),
  ask("plain", ["share"], "How many {unit} does {name} get?", EACH),
  ask("plain", ["pack"], "How many {unit} does {name} fill?"),
  ask("plain", ["cost"], "How many {unit} does {name} get?"),
  ask("plain", ["cost"], "How many {unit} does {name} get in all?"),
  ask("colloquial", CHANGES, "What is {name}'s final count of {unit}?"),
  ask("colloquial", CHANGES, "How many {unit} does {name} wind up with?"),
  ask("backward", ["ending"], "How many {firstUnit} did {firstName} have at first?", EACH),
  ask("backward", ["ending"], "How many {firstUnit} did {firstName} begin with?", EACH),
];

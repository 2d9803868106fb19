/** @file `tutelage cache`: the models that were fetched from a hub. */
import { badInput } from "../../core/errors.ts";
import { requireHubId } from "../../hub/hubId.ts";
import type { CachedModel } from "../../hub/types.ts";
import type { Command } from "../command.ts";
import { helpText, Options, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";
import { formatBytes, modelCache } from "../studentSource.ts";

const OPTIONS: OptionSpecs = {};

const describe = ({ id, commit, revisions, bytes, complete }: CachedModel): string =>
  `${id}@${commit.slice(0, 8)}${revisions.length === 0 ? "" : ` (${revisions.join(", ")})`}  ${formatBytes(bytes)}${complete ? "" : ", unfinished"}`;

/** The models that a name means: all commits, or those that a revision or the beginning of a commit names. */
function choose(models: readonly CachedModel[], text: string): readonly CachedModel[] {
  const { id, revision } = requireHubId(text, "tutelage cache delete");
  return models.filter(
    (model) =>
      model.id === id &&
      (!text.includes("@") ||
        model.revisions.includes(revision) ||
        (revision.length >= 7 && model.commit.startsWith(revision))),
  );
}

export const cacheCommand: Command = {
  name: "cache",
  summary: "List or delete the models that were fetched from the hub.",
  help: () =>
    helpText(
      "tutelage cache list | tutelage cache delete ORG/NAME[@REVISION] …",
      'Prints one line a model: {"id","commit","revisions","bytes","complete"}; those that were deleted with "deleted": true. Without a revision all commits of a model are deleted.',
      OPTIONS,
      "The cache is $TUTELAGE_CACHE, else tutelage in the user's cache folder.",
    ),
  async run(args, streams) {
    const options = Options.parse("cache", args, OPTIONS, 1000);
    if (options.flag("help")) return void streams.out(this.help());
    const output = new Output(streams, options.flag("json"));
    const [action, ...names] = options.positionals;
    const cache = modelCache();
    const models = await cache.list();
    output.note(`cache: ${cache.files.name}, ${formatBytes(models.reduce((sum, { bytes }) => sum + bytes, 0))}`);
    if (action === "list" && names.length === 0) {
      for (const model of models) output.record(model, describe(model));
      return;
    }
    if (action !== "delete" || names.length === 0)
      badInput(
        "tutelage cache",
        "list, or delete with the names of models",
        options.positionals.join(" ") || "nothing",
        "See: tutelage cache --help",
      );
    const chosen = new Set<CachedModel>();
    for (const name of names) {
      const found = choose(models, name);
      if (found.length === 0)
        badInput("tutelage cache delete", "a model in the cache", JSON.stringify(name), "See: tutelage cache list");
      for (const model of found) chosen.add(model);
    }
    for (const model of chosen) {
      await cache.delete(model.id, model.commit);
      output.record({ ...model, deleted: true }, `deleted ${describe(model)}`);
    }
  },
};

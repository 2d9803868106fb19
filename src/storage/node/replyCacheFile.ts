/**
 * @file A teacher's replies kept in one JSON-lines file, shared by runs: what was asked
 * once is not asked again. Held in memory while open. Node only.
 */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import type { CachedReply, ReplyCache } from "../../teacher/types.ts";
import { errnoOf, fileOperation, LineFile } from "./files.ts";

const line = v.object({
  key: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  text: v.string(),
  promptTokens: v.number(),
  completionTokens: v.number(),
});

/** The cache in `path`, which need not exist yet. Lines that cannot be read (torn by a crash) are passed over: they cost a request, no more. */
export async function openReplyCache(path: string): Promise<ReplyCache> {
  const replies = new Map<string, CachedReply>();
  const text = await fileOperation(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return "";
      throw error;
    }
  });
  for (const row of text.split("\n")) {
    const parsed = v.safeParse(line, parseOrUndefined(row));
    if (!parsed.success) continue;
    const { key, ...reply } = parsed.output;
    replies.set(key, reply);
  }
  // A reply that is lost costs one request.
  const file = new LineFile(path, { sync: false });
  // A torn last line is ended, so that the next one stands alone.
  if (text !== "" && !text.endsWith("\n")) await fileOperation(path, () => appendFile(path, "\n"));
  return {
    get: (key) => Promise.resolve(replies.get(key)),
    async put(key, reply) {
      await file.append({ key, ...reply });
      replies.set(key, reply);
    },
  };
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

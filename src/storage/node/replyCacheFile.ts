/**
 * @file A teacher's replies kept in one JSON-lines file, shared by runs: what was asked
 * once is not asked again. Held in memory while open. Node only.
 */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ReplyCache } from "../../teacher/types.ts";
import { parseReplyLines } from "../replyLines.ts";
import { errnoOf, fileOperation, LineFile } from "./files.ts";

/** The cache in `path`, which need not exist yet. Lines that cannot be read (torn by a crash) are passed over: they cost a request, no more. */
export async function openReplyCache(path: string): Promise<ReplyCache> {
  const text = await fileOperation(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return "";
      throw error;
    }
  });
  const replies = new Map(parseReplyLines(text).replies);
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

/**
 * @file A teacher's replies kept in IndexedDB, shared by all runs of the browser: what was
 * asked once is not asked again. A database of its own, so that deleting it harms no run.
 */
import type { DBSchema } from "idb";
import type { CachedReply, ImportedReplies, ReplyCache } from "../teacher/types.ts";
import { openedDb } from "./openedDb.ts";
import { formatReplyLines, parseReplyLines } from "./replyLines.ts";

interface Database extends DBSchema {
  replies: { key: string; value: CachedReply };
}

/** A cache that can be taken elsewhere as one file. */
export interface PortableReplyCache extends ReplyCache {
  /** Every reply, a JSON object a line. @throws when the store cannot be read. */
  exportLines(): Promise<string>;
  /** Keeps the replies of such a file that are not here yet. @throws when the store cannot be written. */
  importLines(text: string): Promise<ImportedReplies>;
}

/** The cache in database `name`; opened at first use. A store that cannot be read or written (full, private mode) only costs requests. */
export function indexedDbReplyCache(name = "tutelage-replies"): PortableReplyCache {
  const open = openedDb<Database>(name, "replies");
  return {
    async get(key) {
      try {
        return await (await open()).get("replies", key);
      } catch {
        return undefined;
      }
    },
    async put(key, reply) {
      try {
        await (await open()).put("replies", reply, key);
      } catch {
        // The run keeps the reply itself; only a later run asks again.
      }
    },
    async exportLines() {
      const transaction = (await open()).transaction("replies");
      const [keys, values] = await Promise.all([transaction.store.getAllKeys(), transaction.store.getAll()]);
      return formatReplyLines(keys.flatMap((key, i) => (values[i] === undefined ? [] : [[key, values[i]] as const])));
    },
    async importLines(text) {
      const { replies, unread } = parseReplyLines(text);
      const transaction = (await open()).transaction("replies", "readwrite");
      const present = new Set(await transaction.store.getAllKeys());
      const fresh = [...replies].filter(([key]) => !present.has(key));
      await Promise.all([...fresh.map(([key, reply]) => transaction.store.put(reply, key)), transaction.done]);
      return { added: fresh.length, known: replies.size - fresh.length, unread };
    },
  };
}

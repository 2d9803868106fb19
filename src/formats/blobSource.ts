/**
 * @file Blobs as a student's files: a folder the user picked in the browser, or a
 * browser's file store. Nothing is read until asked for, and then only the part.
 */
import { badInput, messageOf } from "../core/errors.ts";
import { checkRange, missingFile, type FileSource } from "./fileSource.ts";
import { decodeUtf8 } from "./json.ts";

/** A source over blobs by path. Borrows the map. A file that changed on disk since it was picked is an error when read. */
export function blobSource(files: ReadonlyMap<string, Blob>, name: string): FileSource {
  const find = (path: string): Blob => files.get(path) ?? missingFile(name, path);
  const read = async (path: string): Promise<Uint8Array> => readBlob(find(path), `${name}/${path}`);
  return {
    name,
    has: async (path) => files.has(path),
    read,
    readText: async (path) => decodeUtf8(await read(path), `${name}/${path}`),
    async open(path) {
      const blob = find(path);
      return {
        size: blob.size,
        async read(begin, end) {
          checkRange(begin, end, blob.size, `${name}/${path}`);
          return readBlob(blob.slice(begin, end), `${name}/${path}`);
        },
        close: async () => undefined,
      };
    },
    list: async () => [...files.keys()].sort(),
  };
}

async function readBlob(blob: Blob, where: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    badInput(where, "a file that can be read", messageOf(error), "It was changed or moved: choose the folder again");
  }
}

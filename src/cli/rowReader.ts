/** @file How a student reads rows, without an engine: what fits it is known before anything is opened. */
import type { RowReader } from "../loop/checkRows.ts";
import type { FileSource } from "../formats/fileSource.ts";
import { describeStudent } from "../student/student.ts";
import type { EncodedRow } from "../student/types.ts";

/** The reading of the student in `source`; a row that was read before is known. @throws BadInputError for anything wrong with its files. */
export async function openRowReader(source: FileSource): Promise<RowReader> {
  const { blueprint, encode } = await describeStudent({ source, method: { method: "full" } });
  const known = new Map<string, EncodedRow>();
  return {
    maxPositions: blueprint.decoder.maxPositionEmbeddings,
    encode(row) {
      const key = JSON.stringify([row.prompt, row.completion]);
      const encoded = known.get(key) ?? encode(row);
      known.set(key, encoded);
      return encoded;
    },
  };
}

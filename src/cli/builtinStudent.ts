/** @file Where the built-in student's files are: `public/student` of the checkout or of the installed package. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { badInput } from "../core/errors.ts";

/** Directory of the student that `--student builtin` means. */
export function builtinStudentDirectory(): string {
  // From src/cli or dist/cli, and from dist/cli/chunks.
  const candidates = ["../../public/student", "../../../public/student"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return (
    candidates.find((path) => existsSync(path)) ??
    badInput(
      "built-in student",
      `its files in ${candidates.join(" or ")}`,
      "neither",
      "Reinstall the package, or name a directory with --student",
    )
  );
}

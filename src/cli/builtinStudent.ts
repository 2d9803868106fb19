/** @file Where the files of built-in students are: in `public` of the checkout or of the installed package. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { badInput } from "../core/errors.ts";
import { BUILTIN, builtinStudentFolder } from "../student/builtinFiles.ts";

/**
 * Directory of the student that `builtin` or `builtin:TASK` means in an experiment on `task`.
 * @throws BadInputError for a task without one, and where the package is not whole.
 */
export function builtinStudentDirectory(student = BUILTIN, task?: string): string {
  const folder = builtinStudentFolder(student, task);
  // From src/cli or dist/cli, and from dist/cli/chunks.
  const candidates = [`../../public/${folder}`, `../../../public/${folder}`].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return (
    candidates.find((path) => existsSync(path)) ??
    badInput(
      `student ${student}`,
      `its files in ${candidates.join(" or ")}`,
      "neither",
      "Reinstall the package, or name a directory with --student",
    )
  );
}

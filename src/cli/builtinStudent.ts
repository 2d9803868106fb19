/** @file Where the built-in student's files are: `public/student` in a checkout, `dist/student` in the installed package. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { badInput } from "../core/errors.ts";

/** Directory of the student that `--student builtin` means. */
export function builtinStudentDirectory(): string {
  const candidates = ["../../public/student", "../student"].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  return candidates.find((path) => existsSync(path)) ?? badInput("built-in student", `its files in ${candidates.join(" or ")}`, "neither", "Reinstall the package, or name a directory with --student");
}

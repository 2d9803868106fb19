/** @file Where the first JSON object of a growing text ends: a small model that goes on talking after it is stopped there. */

/** Reads pieces of a text; true once its first object, after `<think>` if there is one, is closed. */
export function objectWatcher(): (piece: string) => boolean {
  let depth = 0;
  let inText = false;
  let escaped = false;
  let done = false;
  let thinking = false;
  let head = "";
  return (piece) => {
    for (const letter of piece) {
      if (done) return true;
      if (depth === 0) {
        // Braces of thoughts are no object.
        head = (head + letter).slice(-8);
        if (head.endsWith("<think>")) thinking = true;
        else if (head === "</think>") thinking = false;
        if (letter === "{" && !thinking) depth = 1;
        continue;
      }
      if (escaped) escaped = false;
      else if (inText && letter === "\\") escaped = true;
      else if (letter === '"') inText = !inText;
      else if (!inText && letter === "{") depth++;
      else if (!inText && letter === "}") done = --depth === 0;
    }
    return done;
  };
}

/**
 * @file Finds keys that a JSON text gives twice in one object. `JSON.parse` keeps
 * the last one without a word, which lets a file say two things. Not a parser:
 * the text must already have passed `JSON.parse`.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** A key that occurs twice in the same object of a valid JSON text, or undefined. */
export function findDuplicateKey(text: string): string | undefined {
  const objects: Set<string>[] = [];
  let lastString: { start: number; end: number } | undefined;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE: {
        const start = i;
        i++;
        while (text.charCodeAt(i) !== QUOTE) i += text.charCodeAt(i) === BACKSLASH ? 2 : 1;
        lastString = { start, end: i + 1 };
        break;
      }
      case COLON: {
        const keys = objects.at(-1);
        if (keys === undefined || lastString === undefined) break;
        // Escapes are undone so that "a" and "\u0061" count as the same key.
        const key = JSON.parse(text.slice(lastString.start, lastString.end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
        break;
      }
      case OPEN_BRACE:
        objects.push(new Set());
        break;
      case CLOSE_BRACE:
        objects.pop();
        break;
    }
  }
  return undefined;
}

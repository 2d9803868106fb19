/** @file Hands the user a file, as a click on a link to it would. */

/** Saves `bytes` under `name` where the browser keeps downloads. */
export function saveFile(name: string, bytes: Uint8Array): void {
  const address = URL.createObjectURL(new Blob([bytes.slice()], { type: typeOf(name) }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads the address after this turn.
  setTimeout(() => URL.revokeObjectURL(address), REVOKE_MS);
}

const REVOKE_MS = 60_000;

const TYPES: Readonly<Record<string, string>> = {
  zip: "application/zip",
  json: "application/json",
  jsonl: "application/jsonl",
  csv: "text/csv;charset=utf-8",
};

function typeOf(name: string): string {
  return TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
}

/**
 * @file Fetches ONNX Runtime's WebAssembly, compressed in the built page, and tells how much
 * of it has come. Not here: keeping it for the next visit, which the service worker does.
 */

/** As `scripts/engineBinaries.mjs` gives it. */
export interface BinaryAsset {
  /** Absolute. */
  readonly url: string;
  /** That come from there. */
  readonly bytes: number;
}

export interface FetchBinaryOptions {
  /** Bytes that have come, of all. */
  readonly onProgress?: (loadedBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** How a gzip file begins. */
const GZIP = [0x1f, 0x8b] as const;

/**
 * The binary, uncompressed: what it begins with tells whether it came compressed, as it does from a built page.
 * @throws Error naming the address where it cannot be had; the signal's reason.
 */
export async function fetchBinary(
  { url, bytes }: BinaryAsset,
  { onProgress, signal }: FetchBinaryOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, signal === undefined ? {} : { signal });
  if (!response.ok || response.body === null)
    throw new Error(`${url}: expected the engine's file, got status ${response.status}`);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  // Not every browser iterates over a stream.
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    chunks.push(part.value);
    loaded += part.value.byteLength;
    onProgress?.(loaded, Math.max(bytes, loaded));
  }
  const whole = new Blob(chunks);
  const head = new Uint8Array(await whole.slice(0, GZIP.length).arrayBuffer());
  const zipped = GZIP.every((byte, i) => head[i] === byte);
  const plain = zipped ? new Response(whole.stream().pipeThrough(new DecompressionStream("gzip"))) : whole;
  return new Uint8Array(await plain.arrayBuffer());
}

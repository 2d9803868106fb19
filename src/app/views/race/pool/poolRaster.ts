/**
 * @file The marks of the pool as pixels: small pictures put together in plain memory, as source
 * over what is there. Ten thousand calls of a canvas cost many frames where no GPU draws; the same
 * pixels written here are handed to the canvas at once. No DOM.
 */

/** A small square picture: its pixels that are not clear, as offsets from its corner. */
export interface Stamp {
  /** In pixels. */
  readonly side: number;
  readonly dx: Int16Array;
  readonly dy: Int16Array;
  /** Red, green, blue, alpha of each, not premultiplied. */
  readonly rgba: Uint8ClampedArray;
  /** The same memory, a word a pixel. */
  readonly words: Uint32Array;
}

/** Pixels of a canvas, red, green, blue, alpha, not premultiplied. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
  /** The same memory, a word a pixel. */
  readonly words: Uint32Array;
}

/** The raster over an image's own memory (an `ImageData` is one). */
export function rasterOf({
  width,
  height,
  data,
}: {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}): Raster {
  return { width, height, data, words: new Uint32Array(data.buffer, data.byteOffset, width * height) };
}

/** The stamp of a square picture of `side` × `side` pixels. */
export function stampOf(data: Uint8ClampedArray, side: number): Stamp {
  const kept: number[] = [];
  for (let at = 0; at < side * side; at++) if ((data[4 * at + 3] ?? 0) > 0) kept.push(at);
  const rgba = new Uint8ClampedArray(4 * kept.length);
  kept.forEach((at, i) => rgba.set(data.subarray(4 * at, 4 * at + 4), 4 * i));
  return {
    side,
    dx: Int16Array.from(kept, (at) => at % side),
    dy: Int16Array.from(kept, (at) => Math.floor(at / side)),
    rgba,
    words: new Uint32Array(rgba.buffer),
  };
}

/** Puts the stamp's middle nearest to (`x`, `y`), in whole pixels; `alpha` 0…1 makes it fainter. What lies outside is left out. */
export function putStamp(raster: Raster, stamp: Stamp, x: number, y: number, alpha: number): void {
  const { side, dx, dy, rgba, words: own } = stamp;
  const { width, height, words } = raster;
  const left = Math.round(x - side / 2);
  const top = Math.round(y - side / 2);
  const inside = left >= 0 && top >= 0 && left + side <= width && top + side <= height;
  const corner = top * width + left;
  for (let i = 0; i < own.length; i++) {
    const [right, down] = [dx[i] ?? 0, dy[i] ?? 0];
    if (!inside && (left + right < 0 || top + down < 0 || left + right >= width || top + down >= height)) continue;
    const at = corner + down * width + right;
    // Nearly all: on clear ground, or opaque. The word's bytes are in the order of the raster's.
    if (alpha === 1 && (words[at] === 0 || rgba[4 * i + 3] === 255)) words[at] = own[i] ?? 0;
    else blend(raster.data, 4 * at, rgba, 4 * i, alpha);
  }
}

/** Source over: α = αₛ + αₙ(1 − αₛ), c = (cₛαₛ + cₙαₙ(1 − αₛ)) / α. */
function blend(data: Uint8ClampedArray, at: number, rgba: Uint8ClampedArray, from: number, alpha: number): void {
  const own = (rgba[from + 3] ?? 0) * alpha;
  const rest = (data[at + 3] ?? 0) * (1 - own / 255);
  const sum = own + rest;
  for (let channel = 0; channel < 3; channel++)
    data[at + channel] = ((rgba[from + channel] ?? 0) * own + (data[at + channel] ?? 0) * rest) / sum;
  data[at + 3] = sum;
}

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
}

/** Pixels of a canvas, red, green, blue, alpha, not premultiplied; an `ImageData` is one. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
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
  };
}

/** Puts the stamp's middle nearest to (`x`, `y`), in whole pixels; `alpha` 0…1 makes it fainter. What lies outside is left out. */
export function putStamp(raster: Raster, { side, dx, dy, rgba }: Stamp, x: number, y: number, alpha: number): void {
  const { width, height, data } = raster;
  const left = Math.round(x - side / 2);
  const top = Math.round(y - side / 2);
  const inside = left >= 0 && top >= 0 && left + side <= width && top + side <= height;
  for (let i = 0; i < dx.length; i++) {
    const px = left + (dx[i] ?? 0);
    const py = top + (dy[i] ?? 0);
    if (!inside && (px < 0 || py < 0 || px >= width || py >= height)) continue;
    const at = 4 * (py * width + px);
    const from = 4 * i;
    const own = (rgba[from + 3] ?? 0) * alpha;
    const below = data[at + 3] ?? 0;
    if (own >= 255 || below === 0) {
      data[at] = rgba[from] ?? 0;
      data[at + 1] = rgba[from + 1] ?? 0;
      data[at + 2] = rgba[from + 2] ?? 0;
      data[at + 3] = own;
      continue;
    }
    // Source over: α = αₛ + αₙ(1 − αₛ), c = (cₛαₛ + cₙαₙ(1 − αₛ)) / α.
    const rest = below * (1 - own / 255);
    const sum = own + rest;
    data[at] = ((rgba[from] ?? 0) * own + (data[at] ?? 0) * rest) / sum;
    data[at + 1] = ((rgba[from + 1] ?? 0) * own + (data[at + 1] ?? 0) * rest) / sum;
    data[at + 2] = ((rgba[from + 2] ?? 0) * own + (data[at + 2] ?? 0) * rest) / sum;
    data[at + 3] = sum;
  }
}

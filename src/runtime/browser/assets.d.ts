/** @file What the build's own imports are; `scripts/engineBinaries.mjs` answers them. */
declare module "*.wasm?engine" {
  const binary: {
    /** Relative to the page in development, absolute when built. */
    readonly url: string;
    /** That come from there. */
    readonly bytes: number;
  };
  export default binary;
}

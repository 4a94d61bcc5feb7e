type Source = Response | BufferSource | WebAssembly.Module

// Apart from ./wasm.js, which brings the core's glue along: an entry needs only this.
export let fallback: (() => Promise<Source> | Source) | undefined
/** The same with an instruction that makes searches quicker; chosen where the runtime has it. */
export let relaxed: typeof fallback
/** Tried last: does what `fallback` does, and more. */
export let whole: typeof fallback
export let fetchUrl: (url: string | URL) => Promise<Response | BufferSource> = (url) => fetch(url)

/** What the runtime's entry knows: where the package's own files are, and how this runtime reads a URL. */
export function setWasmDefaults(plain: NonNullable<typeof fallback>, better?: typeof relaxed, read?: typeof fetchUrl, last?: typeof whole) {
  fallback = plain
  relaxed = better
  whole = last
  if (read) fetchUrl = read
}

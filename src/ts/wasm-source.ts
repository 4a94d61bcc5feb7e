type Source = Response | BufferSource | WebAssembly.Module

// Apart from ./wasm.js, which brings the core's glue along: an entry needs only this.
export let fallback: (() => Promise<Source> | Source) | undefined
export let fetchUrl: (url: string | URL) => Promise<Response | BufferSource> = (url) => fetch(url)

/** What the runtime's entry knows: where the package's own file is, and how this runtime reads a URL. */
export function setWasmDefaults(bytes: NonNullable<typeof fallback>, read?: typeof fetchUrl) {
  fallback = bytes
  if (read) fetchUrl = read
}

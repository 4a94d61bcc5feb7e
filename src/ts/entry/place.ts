/** In development, Vite 7 and older serve a copy of the entry from here, without the files that it names. */
const COPIES = '/.vite/deps/'

/**
 * Returns the address of a file of the package. If the entry is such a copy, this is the address beside the original.
 */
export const placed = (url: URL): string => url.href.replace(COPIES, '/nidus-wasm/dist/')
export const isCopied = (url: URL): boolean => url.href.includes(COPIES)

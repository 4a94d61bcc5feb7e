/**
 * Vite 7 and older, in development, serve a copy of the entry from here, and do not bring along what it names by its
 * own address.
 */
const COPIES = '/.vite/deps/'

/**
 * Where a file of the package is: given as the entry finds it. A bundler that knows such addresses has put the right
 * one there.
 */
export const placed = (url: URL): string => url.href.replace(COPIES, '/nidus-wasm/dist/')
export const isCopied = (url: URL): boolean => url.href.includes(COPIES)

import { compile } from '../core/load.js'
import type { OpenText } from '../contract/text.js'

/** Loads the module of texts by its address. It is a file of its own, which no bundler may take apart. */
export async function loadText(script: string, wasm: () => Promise<Response>) {
  const { openText = (globalThis as { nidusOpenText?: OpenText }).nidusOpenText! } = (await import(
    /* @vite-ignore */ /* webpackIgnore: true */ script
  )) as { openText?: OpenText }
  return { openText, module: () => compile(undefined, wasm) }
}

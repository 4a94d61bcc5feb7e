import { compile } from '../core/load.js'
import type { OpenText } from '../contract/text.js'

/** Loads the module of texts by its address. No bundler may merge this file with others. */
export async function loadText(script: string, wasm: () => Promise<Response>) {
  const { openText = (globalThis as { nidusOpenText?: OpenText }).nidusOpenText! } = (await import(
    /* @vite-ignore */ /* webpackIgnore: true */ script
  )) as { openText?: OpenText }
  return { openText, module: () => compile(undefined, wasm) }
}

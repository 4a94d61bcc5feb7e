// Makes a Manifest V3 extension of the built package, and starts a Chromium that has it.
import { createHash, generateKeyPairSync } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from '../../scripts/browsers.mjs'
import { browser, visit as visitTab } from '../tabs/pages.mjs'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))

/** The policy that the README asks for. */
export const CSP = "script-src 'self' 'wasm-unsafe-eval'"

/**
 * Writes an unpacked extension and a profile into a folder of their own. If `csp` is undefined, the browser's own
 * policy applies.
 */
export async function extension({ module, csp }) {
  const folder = mkdtempSync(join(tmpdir(), 'nidus-extension-'))
  const [unpacked, profile] = [join(folder, 'unpacked'), join(folder, 'profile')]
  mkdirSync(unpacked)
  const bundle = (entry, format) =>
    build({
      entryPoints: [here(entry)],
      outdir: unpacked,
      bundle: true,
      format,
      logLevel: 'error',
      logOverride: { 'empty-import-meta': 'silent' },
    })
  await bundle('./page.js', 'esm')
  await bundle('./background.js', module ? 'esm' : 'iife')
  // esbuild leaves `new URL('./worker.js', import.meta.url)` as it is, so these files must be in the folder of its
  // output.
  for (const name of [
    'worker.js',
    'nidus.wasm',
    'nidus-relaxed.wasm',
    'nidus-first.wasm',
    'nidus-first-relaxed.wasm',
    'nidus-rest.wasm',
    'nidus-rest-relaxed.wasm',
    'nidus-codes.wasm',
    'nidus-codes-relaxed.wasm',
    'text.js',
    'nidus-text.wasm',
  ])
    copyFileSync(here(`../../dist/${name}`), join(unpacked, name))
  writeFileSync(join(unpacked, 'page.html'), '<!doctype html><script type="module" src="page.js"></script>')
  // The browser computes the extension's origin from its key.
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' })
  const id = createHash('sha256')
    .update(key)
    .digest('hex')
    .slice(0, 32)
    .replace(/./g, (digit) => 'abcdefghijklmnop'[parseInt(digit, 16)])
  writeFileSync(
    join(unpacked, 'manifest.json'),
    JSON.stringify({
      manifest_version: 3,
      name: 'nidus',
      version: '1',
      key: key.toString('base64'),
      background: { service_worker: 'background.js', ...(module && { type: 'module' }) },
      ...(csp && { content_security_policy: { extension_pages: csp } }),
    }),
  )
  const options = {
    // Playwright would start Chromium's headless shell, which cannot have extensions.
    ...(!chromium.executablePath && { channel: 'chromium' }),
    args: [...chromium.args, `--disable-extensions-except=${unpacked}`, `--load-extension=${unpacked}`],
    ignoreDefaultArgs: ['--disable-extensions'],
  }
  return {
    /** Starts a browser with this profile and the extension. */
    start: () => browser('chromium', options, profile),
    url: `chrome-extension://${id}/page.html`,
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}

export const visit = (context, url) => visitTab(context, url, { ready: 'inPage', timeout: 600_000 })

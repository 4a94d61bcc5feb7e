// cargo runs each wasm test binary with this script. It starts wasm-bindgen-test-runner and tells it where the browser
// is.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { webdriver } from './browsers.mjs'
import { main, run } from './lib.mjs'
import { wasmBindgenDir } from './setup.mjs'

main(async () => {
  const [wasm, ...rest] = process.argv.slice(2)
  // The runner reads the browser's path and arguments only from a file in its working directory.
  const cwd = mkdtempSync(join(tmpdir(), 'nidus-wasm-'))
  const found = webdriver()
  const env = { WASM_BINDGEN_TEST_TIMEOUT: '120' }
  if (found) {
    const options = { binary: found.binary, args: found.args }
    writeFileSync(join(cwd, 'webdriver.json'), JSON.stringify({ 'goog:chromeOptions': options }))
    env.CHROMEDRIVER = found.driver
  }
  try {
    const { code } = await run(join(wasmBindgenDir(), 'wasm-bindgen-test-runner'), [resolve(wasm), ...rest], {
      cwd,
      env,
      mayFail: true,
    })
    return code
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
})

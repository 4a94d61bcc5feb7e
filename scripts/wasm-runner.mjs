// cargo runs each wasm test binary with this script. It starts wasm-bindgen-test-runner and tells it where the browser
// is. With NIDUS_WASM_BROWSER=firefox it opens the page of the tests by Playwright, since there is no geckodriver.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { firefox, webdriver } from './browsers.mjs'
import { main, run, say } from './lib.mjs'
import { wasmBindgenDir } from './setup.mjs'

const RUNNER = join(wasmBindgenDir(), 'wasm-bindgen-test-runner')
/** The most time that the tests of one file may take, in milliseconds. */
const MOST = 600_000

async function freePort() {
  const server = createServer()
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address()
  await new Promise((closed) => server.close(closed))
  return port
}

/** Serves the page of the tests, opens it in Firefox, and returns whether its tests passed. */
async function inFirefox(wasm, rest, cwd) {
  const address = `127.0.0.1:${await freePort()}`
  const server = spawn(RUNNER, [resolve(wasm), ...rest], {
    cwd,
    env: { ...process.env, NO_HEADLESS: '1', WASM_BINDGEN_TEST_ADDRESS: address },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const serves = new Promise((ready, failed) => {
    let said = ''
    server.stdout.on('data', (bytes) => {
      said += bytes
      if (said.includes(address)) ready(true)
    })
    // A file whose tests do not run in a browser ends by itself.
    server.on(
      'close',
      (code) => (say(said), code === 0 ? ready(false) : failed(new Error(`the runner ended: ${code}`))),
    )
  })
  let browser
  try {
    if (!(await serves)) return 0
    const { firefox: playwright } = await import('playwright')
    browser = await playwright.launch(firefox)
    const page = await browser.newPage()
    page.on('pageerror', (error) => say(`the page: ${error.message}`))
    await page.goto(`http://${address}/`)
    const output = page.locator('#output')
    const ended = () => /test result: |panicked/.test(document.querySelector('#output')?.textContent ?? '')
    await page.waitForFunction(ended, undefined, { timeout: MOST }).catch((error) => say(error.message))
    const text = (await output.textContent()) ?? ''
    say(text)
    return /test result: ok/.test(text) ? 0 : 1
  } finally {
    await browser?.close()
    server.kill()
  }
}

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
    if (process.env.NIDUS_WASM_BROWSER === 'firefox') return await inFirefox(wasm, rest, cwd)
    const { code } = await run(RUNNER, [resolve(wasm), ...rest], { cwd, env, mayFail: true })
    return code
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
})

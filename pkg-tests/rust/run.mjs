// Builds the examples of stores from Rust alone, and runs them in browsers beside the package: each reads, searches and
// writes the other's stores, and they exclude each other. `node pkg-tests/rust/run.mjs chromium` runs one browser.
// With `--sizes` it only builds them as the package's own wasm is built, and prints what they weigh.
import { randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import * as playwright from 'playwright'
import * as settings from '../../scripts/browsers.mjs'
import { at, main, run, say, seconds, Trouble } from '../../scripts/lib.mjs'
import { wasmBindgenDir } from '../../scripts/setup.mjs'
import { TARGET, toolchain, wasmFlags } from '../../scripts/toolchain.mjs'
import { serveFolder } from '../common/serve.mjs'

const KINDS = ['opfs', 'indexeddb']
const BROWSERS = ['chromium', 'firefox']
/** A wait that takes longer has failed. */
const MOST = 120_000

function check(what, found, wanted) {
  const [a, b] = [found, wanted].map((value) => JSON.stringify(value))
  if (!(wanted instanceof RegExp ? wanted.test(found) : a === b))
    throw new Trouble(`${what}: ${a} instead of ${wanted}`)
}

/** Builds an example into a folder, with its page beside it. Returns the path of its wasm. */
async function build(kind, folder, released) {
  const { wasm } = await toolchain()
  const dir = join(folder, `rust-${kind}`)
  cpSync(at(`examples/rust-${kind}`), dir, { recursive: true })
  const manifest = join(dir, 'Cargo.toml')
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('path = "../.."', `path = ${JSON.stringify(at())}`))
  // The versions are those of the crate, since the wasm-bindgen that is installed fits only one.
  cpSync(at('Cargo.lock'), join(dir, 'Cargo.lock'))
  const more = released ? [...wasm.flags, ...wasm.released.cargo] : wasm.flags
  await run(wasm.cargo, [...wasm.select, 'build', '--release', '--target', TARGET, ...more], {
    cwd: dir,
    env: {
      ...wasm.env,
      CARGO_ENCODED_RUSTFLAGS: wasmFlags(wasm, released ? wasm.released.rustc : []),
      CARGO_TARGET_DIR: at('target/rust-web'),
    },
    quiet: true,
  })
  const name = `rust_${kind}`
  const linked = at('target/rust-web', TARGET, `release/${name}.wasm`)
  const options = ['--target', 'web', '--no-typescript', '--remove-name-section', '--remove-producers-section']
  await run(join(wasmBindgenDir(), 'wasm-bindgen'), [...options, '--out-dir', join(dir, 'pkg'), linked])
  return join(dir, 'pkg', `${name}_bg.wasm`)
}

async function sizes(folder) {
  for (const kind of KINDS) {
    const raw = await build(kind, folder, true)
    const features = ['simd', 'bulk-memory', 'bulk-memory-opt', 'nontrapping-float-to-int', 'sign-ext']
    const more = ['mutable-globals', 'reference-types', 'multivalue']
    const small = `${raw}.small`
    const passes = ['-O3', '--converge', '--low-memory-unused', '--strip-debug', '--strip-producers']
    await run(process.execPath, [
      at('node_modules/binaryen/bin/wasm-opt'),
      raw,
      ...passes,
      '--strip-target-features',
      ...[...features, ...more].map((name) => `--enable-${name}`),
      '-o',
      small,
    ])
    const [wasm, glue] = [readFileSync(small), readFileSync(raw.replace('_bg.wasm', '.js'))]
    const weigh = (bytes) => `${(bytes.length / 1000).toFixed(1)} KB`
    const of = (bytes) =>
      `${weigh(bytes)}, gzip ${weigh(gzipSync(bytes, { level: 9 }))}, brotli ${weigh(brotliCompressSync(bytes))}`
    say(`${kind}: wasm ${of(wasm)}; glue ${of(glue)}`)
  }
}

/** The page of an example. */
async function example(context, origin, kind) {
  const page = await context.newPage()
  page.setDefaultTimeout(MOST)
  await page.goto(`${origin}rust-${kind}/`)
  const output = page.locator('output')
  const says = async (wanted) => {
    const there = (wanted) => document.querySelector('output').textContent.includes(wanted)
    await page.waitForFunction(there, wanted).catch(async (error) => {
      throw new Trouble(`the page says "${await output.textContent()}" and not "${wanted}": ${error.message}`)
    })
  }
  return {
    page,
    says,
    async add(text) {
      await page.getByLabel('A note').fill(text)
      await page.getByRole('button').click()
    },
    async finds(question, wanted) {
      await page.getByLabel('Search').fill(question)
      await page.waitForFunction((wanted) => document.querySelector('li')?.textContent === wanted, wanted)
    },
    close: () => page.close(),
  }
}

/** Functions for the page in which the package runs. */
async function packaged(context, origin) {
  const page = await context.newPage()
  page.setDefaultTimeout(MOST)
  await page.goto(`${origin}package.html`)
  return {
    /** Runs a function in the page. It gets the package's class, `embed` of the examples, and the arguments. */
    run: (work, ...args) =>
      page.evaluate(
        async ([work, args]) => {
          const { Nidus } = await import('/dist/browser.js')
          const embed = (text) => {
            const vector = new Float32Array(128)
            const letters = ` ${text.toLowerCase()} `
            for (let i = 0; i + 3 <= letters.length; i++) {
              let hash = 7
              for (const letter of letters.slice(i, i + 3)) hash = (hash * 31 + letter.codePointAt(0)) >>> 0
              vector[hash % 128] += 1
            }
            return vector
          }
          const note = (text) => ({ id: text, vector: embed(text), attrs: { text } })
          return await (0, eval)(`(${work})`)({ Nidus, embed, note, name: 'rust-notes' }, ...args)
        },
        [String(work), args],
      ),
    close: () => page.close(),
  }
}

/** Checks that the extents in the database follow each other without a gap, up to the lengths in the row. */
const whole = async ({ name }) => {
  const answer = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const db = await answer(indexedDB.open(`nidus-wasm:${name}`))
  const transaction = db.transaction(['meta', 'extents'])
  const [extents, rows] = ['extents', 'meta'].map((store) => transaction.objectStore(store))
  const [keys, values, row] = await Promise.all([
    answer(extents.getAllKeys()),
    answer(extents.getAll()),
    answer(rows.get('store')),
  ])
  db.close()
  const ends = { data: 0, log: 0 }
  keys.forEach(([file, generation, at], i) => {
    if (file === 'words') return
    if (generation !== row.generation || at !== ends[file] || values[i].length > 2 ** 20)
      throw new Error(`${file} ${generation} ${at}`)
    ends[file] += values[i].length
  })
  if (ends.data !== row.data || ends.log !== row.log) throw new Error(JSON.stringify([ends, row]))
}

/** Rust makes a store and the package goes on with it, and the other way round. */
async function each(context, origin, kind) {
  let rust = await example(context, origin, kind)
  await rust.says('0 notes')
  for (const [n, text] of ['buy bread and milk', 'call the dentist'].entries()) {
    await rust.add(text)
    await rust.says(`${n + 1} notes`)
  }
  const ts = await packaged(context, origin)
  check(
    'the package, while Rust has the store',
    await ts.run(({ Nidus, name }) =>
      Nidus.open(name).then(
        () => 'opened',
        (error) => error.code,
      ),
    ),
    'LOCKED',
  )
  check(
    'its removal, while Rust has the store',
    await ts.run(({ Nidus, name }) =>
      Nidus.destroy(name).then(
        () => 'removed',
        (error) => error.code,
      ),
    ),
    'LOCKED',
  )
  await rust.page.reload()
  await rust.says('2 notes')
  await rust.finds('dentist', 'call the dentist')
  await rust.close()

  const opened = await ts.run(async ({ Nidus, embed, note, name }) => {
    const db = (globalThis.db = await Nidus.open(name))
    const [hit] = await db.search(embed('the dentist'), { topK: 1 })
    await db.setText('notes', { text: {} })
    for (let n = 0; n < 40; n++) await db.upsert('notes', [note(`from the package, number ${n}`)])
    await db.deleteWhere('notes', { text: 'from the package, number 7' })
    const [word] = await db.search({ text: 'bread' }, { topK: 1 })
    return [db.storage, db.dimension, await db.count('notes'), hit.attrs.text, word.attrs.text, db.recovery.bytes]
  })
  check('what the package finds', opened, [kind, 128, 41, 'call the dentist', 'buy bread and milk', 0])

  rust = await example(context, origin, kind)
  await rust.says('LOCKED')
  await ts.run(() => db.close())
  await rust.page.reload()
  await rust.says('41 notes')
  await rust.finds('package number 23', 'from the package, number 23')
  await rust.add('water the plants')
  await rust.says('42 notes')
  await rust.close()

  // The package finds by words what Rust has added, although the indexes that it kept do not have it.
  const words = await ts.run(async ({ Nidus, embed, name }) => {
    const db = await Nidus.open(name, { autoCompact: false })
    const [word] = await db.search({ text: 'plants' }, { topK: 1 })
    const [near] = await db.search(embed('water the plants'), { topK: 1 })
    await db.deleteWhere('notes', { text: { $glob: 'from*' } })
    const found = [word.attrs.text, near.attrs.text, near.score > 0.999, await db.count('notes')]
    await db.close()
    return found
  })
  check('what Rust has added', words, ['water the plants', 'water the plants', true, 3])

  // More than half of the rows are dead, so Rust compacts.
  rust = await example(context, origin, kind)
  await rust.says('3 notes')
  await rust.add('a note behind a compaction')
  await rust.says('4 notes')
  await rust.close()
  const compacted = await ts.run(async ({ Nidus, name }) => {
    const db = await Nidus.open(name, { autoCompact: false })
    const { rows, deadRows } = await db.footprint()
    const [word] = await db.search({ text: 'compaction' }, { topK: 1 })
    await db.upsert('notes', [{ id: 'x', vector: new Float32Array(128).fill(1), attrs: {} }])
    await db.compact()
    const count = await db.count('notes')
    await db.close()
    return [rows, deadRows, word.attrs.text, count]
  })
  check('what Rust has compacted', compacted, [4, 0, 'a note behind a compaction', 5])
  rust = await example(context, origin, kind)
  await rust.says('5 notes')
  await rust.close()

  // The package makes the store, with extents of every size.
  await ts.run(async ({ Nidus, note, name }, storage) => {
    await Nidus.destroy(name)
    const db = await Nidus.open(name, { dimension: 128, storage })
    for (let n = 0; n < 50; n++) await db.upsert('notes', [note(`small ${n}`)])
    await db.upsert(
      'notes',
      Array.from({ length: 5000 }, (_, n) => note(`one of many, ${n}`)),
    )
    await db.upsert('notes', [note('the last one')])
    await db.close()
  }, kind)
  rust = await example(context, origin, kind)
  await rust.says('5051 notes')
  await rust.finds('the last one', 'the last one')
  await rust.add('and one from Rust')
  await rust.says('5052 notes')
  await rust.close()
  if (kind === 'indexeddb') await ts.run(whole)
  const all = await ts.run(async ({ Nidus, embed, name }) => {
    const db = await Nidus.open(name)
    const [near] = await db.search(embed('and one from Rust'), { topK: 1 })
    let count = 0
    for await (const { attrs } of db.records('notes')) count += attrs.text ? 1 : 0
    await db.close()
    await Nidus.destroy(name)
    return [near.attrs.text, count, db.recovery.bytes]
  })
  check('the whole store', all, ['and one from Rust', 5052, 0])
  await ts.close()
}

/** A full disk, as the browser itself reports it: what was added before is there, and what finds no room is not. */
async function quota(name, profile, origin, kind) {
  // Firefox must be told the quota before it starts, and Chromium before the page first asks for it.
  const options = settings[name]
  if (name === 'firefox') options.firefoxUserPrefs['dom.quotaManager.temporaryStorage.fixedLimit'] = 6000
  const context = await playwright[name].launchPersistentContext(profile, options)
  if (name === 'firefox') delete options.firefoxUserPrefs['dom.quotaManager.temporaryStorage.fixedLimit']
  const { origin: ours } = new URL(origin)
  try {
    let cdp
    if (name === 'chromium') {
      const page = await context.newPage()
      await page.goto(`${origin}package.html`)
      cdp = await context.newCDPSession(page)
      const quotaSize = kind === 'opfs' ? 8_000_000 : 3_000_000
      await cdp.send('Storage.overrideQuotaForOrigin', { origin: ours, quotaSize })
    }
    let rust = await example(context, origin, kind)
    await rust.says('0 notes')
    let added = 0
    const output = rust.page.locator('output')
    for (; added < 40; added++) {
      // Chromium compresses what it keeps.
      await rust.add(randomBytes(360_000).toString('base64'))
      const there = (count) => [count, ': '].some((text) => document.querySelector('output').textContent.includes(text))
      await rust.page.waitForFunction(there, `${added + 1} notes`)
      if ((await output.textContent()).includes(': ')) break
    }
    check('a full disk', await output.textContent(), /^QUOTA_EXCEEDED: /)
    check('what was added before', added > 1, true)
    if (cdp) {
      // The same store goes on once there is room.
      await cdp.send('Storage.overrideQuotaForOrigin', { origin: ours })
      await rust.add('there is room again')
      await rust.says(`${++added} notes`)
    }
    await rust.close()
    rust = await example(context, origin, kind)
    await rust.says(`${added} notes`)
    await rust.close()
  } finally {
    await context.close()
  }
}

/**
 * The user clears the storage while the store is open, and another tab makes it anew. Only Chromium can be told to do
 * so.
 */
async function cleared(context, origin, kind) {
  const rust = await example(context, origin, kind)
  await rust.says('0 notes')
  await rust.add('soon gone')
  await rust.says('1 notes')
  const cdp = await context.newCDPSession(rust.page)
  await cdp.send('Storage.clearDataForOrigin', { origin: new URL(origin).origin, storageTypes: 'all' })
  const other = await example(context, origin, kind)
  await other.says('0 notes')
  await other.add('in the new store')
  await other.says('1 notes')
  await rust.add('into nothing')
  await rust.says('FAILED: ')
  await other.close()
  await rust.page.reload()
  await rust.says('1 notes')
  await rust.close()
}

async function inBrowser(name, origin, folder) {
  for (const kind of KINDS) {
    const began = performance.now()
    const profile = mkdtempSync(join(folder, `${name}-${kind}-`))
    const context = await playwright[name].launchPersistentContext(profile, settings[name])
    const complaints = []
    context.on('weberror', (error) => complaints.push(error.error().message))
    try {
      await each(context, origin, kind)
      if (name === 'chromium') await cleared(context, origin, kind)
      check('complaints', complaints, [])
    } finally {
      await context.close()
    }
    await quota(name, mkdtempSync(join(folder, 'full-')), origin, kind)
    say(`${kind} in ${name}: ${seconds(began)}`)
  }
}

main(async () => {
  const { values, positionals } = parseArgs({ options: { sizes: { type: 'boolean' } }, allowPositionals: true })
  const folder = mkdtempSync(join(tmpdir(), 'nidus-rust-'))
  let server
  try {
    if (values.sizes) return await sizes(folder)
    const site = join(folder, 'site')
    for (const kind of KINDS) await build(kind, site)
    cpSync(at('dist'), join(site, 'dist'), { recursive: true })
    writeFileSync(join(site, 'package.html'), '<!doctype html><title>The package</title>')
    server = await serveFolder(site)
    for (const name of BROWSERS.filter((name) => positionals.length === 0 || positionals.includes(name))) {
      if (settings.present()[name]) await inBrowser(name, server.origin, folder)
      else say(`${name} is not installed`)
    }
  } finally {
    server?.stop()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
})

// `node scripts/reproducible.mjs`: builds the committed sources twice, in clean directories at different places, and
// compares dist/ byte for byte.
import { mkdtempSync, rmSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { at, filesUnder, main, run, say, sha, step } from './lib.mjs'
import { toolchain } from './toolchain.mjs'

main(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nidus-reproducible-'))
  try {
    const built = []
    for (const name of ['first', 'a/second/and/longer']) {
      const dir = join(folder, name)
      await run('git', ['clone', '--quiet', '--no-hardlinks', at(), dir], { quiet: true })
      // The results of earlier builds on this machine must not be used.
      await step(`build ${built.length + 1}`, () =>
        run(process.execPath, ['scripts/build.mjs'], { cwd: dir, quiet: true, env: { NIDUS_NO_SEED: '1' } }),
      )
      built.push(
        new Map(
          filesUnder(join(dir, 'dist'), () => true).map((file) => [file, sha(readFileSync(join(dir, 'dist', file)))]),
        ),
      )
    }
    const [first, second] = built
    const differ = [...new Set([...first.keys(), ...second.keys()])].filter(
      (file) => first.get(file) !== second.get(file),
    )
    for (const file of [...first.keys()].filter((file) => file.endsWith('.wasm'))) say(`${file}  ${first.get(file)}`)
    const { wasm } = await toolchain()
    say(
      differ.length
        ? `these differ: ${differ.join(', ')}`
        : `${first.size} files, the same twice; compiler: ${wasm.id}`,
    )
    return differ.length ? 1 : 0
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
})

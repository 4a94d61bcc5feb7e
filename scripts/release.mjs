// `npm run release`: checks that everything is ready, then publishes the npm package and the crate.
//   --dry-run      publishes nothing: npm and cargo say what they would do
//   --tag v1.2.3   the tag that this is to be the release of
//   --cut          publishes nothing: names the unreleased section of the changelog after the version and today
//   --tested       runs no tests, because they have just passed on these sources
//   --repository https://github.com/OWNER/NAME   puts the project's address into package.json and Cargo.toml
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { at, isMain, main, readJson, run, say, step, Trouble, writeFile } from './lib.mjs'
import { missingOf, moveTo, problemsOf, publish, registriesOf, sources } from './registries.mjs'
import { toolchain } from './toolchain.mjs'

const git = (...args) => execFileSync('git', args, { cwd: at(), encoding: 'utf8' }).trim()

/** Returns the version in package.json. Throws if its lock file or the crate has another one. */
export function version() {
  const found = {
    'package.json': readJson(at('package.json')).version,
    'package-lock.json': readJson(at('package-lock.json')).version,
    'Cargo.toml': /^version = "(.*)"$/m.exec(readFileSync(at('Cargo.toml'), 'utf8'))?.[1],
    'Cargo.lock': /name = "nidus-wasm"\nversion = "(.*)"/.exec(readFileSync(at('Cargo.lock'), 'utf8'))?.[1],
  }
  if (new Set(Object.values(found)).size !== 1)
    throw new Trouble(
      `The versions differ: ${Object.entries(found)
        .map(([name, version]) => `${name} ${version}`)
        .join(', ')}`,
    )
  return found['package.json']
}

/** Returns the changelog's section of a version or, if there is none, the unreleased section. */
export function notes(version) {
  const sections = readFileSync(at('CHANGELOG.md'), 'utf8').split(/^## /m).slice(1)
  const section = sections.find((section) => section.startsWith(`[${version}]`))
  return {
    found: section !== undefined,
    text: (section ?? sections.find((section) => section.startsWith('[Unreleased]')) ?? '').replace(/^.*\n/, '').trim(),
  }
}

/** Returns the changelog with its unreleased section named after this version and this day. */
export function cut(changelog, version, day) {
  if (changelog.includes(`## [${version}]`)) throw new Trouble(`CHANGELOG.md has a section [${version}]`)
  const made = changelog.replace('## [Unreleased]\n', `## [Unreleased]\n\n## [${version}] - ${day}\n`)
  if (made === changelog) throw new Trouble('CHANGELOG.md has no section [Unreleased]')
  return made
}

if (isMain(import.meta.url))
  main(async () => {
    const { values } = parseArgs({
      options: {
        cut: { type: 'boolean' },
        'dry-run': { type: 'boolean' },
        repository: { type: 'string' },
        tag: { type: 'string' },
        tested: { type: 'boolean' },
      },
    })
    const dry = values['dry-run'] ?? false
    const problems = []
    const expect = (good, what) => good || problems.push(what)

    const is = version()
    if (values.cut) {
      writeFile(
        at('CHANGELOG.md'),
        cut(readFileSync(at('CHANGELOG.md'), 'utf8'), is, new Date().toISOString().slice(0, 10)),
      )
      say(`CHANGELOG.md: [${is}]`)
      return 0
    }
    if (values.repository) {
      moveTo(values.repository)
      say(`package.json and Cargo.toml: ${values.repository}`)
      return 0
    }
    const { found, text } = notes(is)
    expect(values.tag === undefined || values.tag === `v${is}`, `the tag ${values.tag} is not v${is}`)
    expect(dry || values.tag !== undefined, '--tag says which tag this is the release of')
    expect(text !== '', 'the changelog says nothing of this version')
    expect(git('status', '--porcelain') === '', 'there are changes that are not committed')
    const checked = sources(is)
    // If the changelog is not cut yet, a dry run checks everything on the changelog that `--cut` would make. It fails
    // at the end, with the message that `--cut` is missing.
    const uncut = dry && !found && text !== ''
    problems.push(...problemsOf(uncut ? { ...checked, changelog: cut(checked.changelog, is, '2000-01-01') } : checked))
    if (!dry) problems.push(...missingOf(process.env))
    if (problems.length) throw new Trouble(problems.join('\n'))
    writeFile(at('target/release-notes.md'), `${text}\n`)

    if (!values.tested) await step('tests', () => run('npm', ['test']))
    const { native: rust } = await toolchain()
    const cargo = (args, options) => run(rust.cargo, [...rust.select, ...args], { ...options, env: rust.env })
    // Nothing can be unpublished. So both registries are tried without an upload first.
    await step('npm publish --dry-run', () => run('npm', ['publish', '--dry-run']))
    await step('cargo publish --dry-run', () => cargo(['publish', '--locked', '--dry-run']))
    if (uncut)
      throw new Trouble(
        `All else is fit, but CHANGELOG.md has no section [${is}]: \`npm run release -- --cut\` makes it of what ` +
          'is unreleased',
      )
    if (dry) {
      say(`\nnothing was published; version ${is}`)
      return 0
    }
    const done = await publish({ registries: registriesOf(is, cargo), commit: git('rev-parse', 'HEAD') })
    say(`\n${done.join('\n')}`)
    return 0
  })

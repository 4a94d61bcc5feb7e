// Publishes the package, after checks. The registries have a fixed order. If a run stops between them, a second run
// continues there.
import { existsSync, readFileSync } from 'node:fs'
import { at, readJson, run, step, Trouble, writeFile } from './lib.mjs'

/**
 * Returns all addresses of the project. They follow from its repository, which package.json names. `npm run release --
 * --repository https://github.com/OWNER/NAME` sets it.
 */
export const addresses = (repository) => ({
  repository,
  homepage: `${repository}#readme`,
  bugs: `${repository}/issues`,
})

/**
 * Returns a list of problems: what a registry would refuse or show wrongly. `env` is the environment of a GitHub run,
 * if there is one.
 */
export function problemsOf({ manifest, cargo, changelog, version, env = {} }) {
  const problems = []
  const expect = (good, what) => good || problems.push(what)
  const repository = /^git\+(https:\/\/github\.com\/[\w.-]+\/[\w.-]+)\.git$/.exec(manifest.repository?.url ?? '')?.[1]
  expect(
    repository,
    `package.json: repository.url is ${manifest.repository?.url}; npm's provenance and the registries' pages need ` +
      'git+https://github.com/OWNER/NAME.git',
  )
  const { homepage, bugs } = addresses(repository)
  expect(manifest.homepage === homepage, `package.json: homepage is ${manifest.homepage}, not ${homepage}`)
  expect(manifest.bugs?.url === bugs, `package.json: bugs.url is ${manifest.bugs?.url}, not ${bugs}`)
  const crates = /^repository = "(.*)"$/m.exec(cargo)?.[1]
  expect(crates === repository, `Cargo.toml: repository is ${crates}, not ${repository}`)
  expect(manifest.author, 'package.json names no author')
  const [, ...sections] = changelog.split(/^## /m)
  const unreleased = sections
    .find((section) => section.startsWith('[Unreleased]'))
    ?.replace(/^.*\n/, '')
    .trim()
  expect(
    sections.some((section) => section.startsWith(`[${version}]`)),
    `CHANGELOG.md has no section [${version}]: \`npm run release -- --cut\` makes it of what is unreleased`,
  )
  expect(!unreleased, 'CHANGELOG.md calls something [Unreleased], and would be packed so')
  if (env.GITHUB_ACTIONS) {
    const own = `${env.GITHUB_SERVER_URL}/${env.GITHUB_REPOSITORY}`
    expect(
      own === repository,
      `this runs in ${own}, and package.json's repository is ${repository}: npm refuses the provenance`,
    )
    expect(env.ACTIONS_ID_TOKEN_REQUEST_URL, 'the job has no permission `id-token: write`, which provenance needs')
  }
  return problems
}

/** Returns a list of what publishing needs and this environment does not have. */
export const missingOf = (env) =>
  [
    [
      env.GITHUB_ACTIONS,
      'releases are made by .github/workflows/release.yml (provenance comes from there); here only --dry-run works',
    ],
    [env.NODE_AUTH_TOKEN, 'NODE_AUTH_TOKEN is not set'],
    [env.CARGO_REGISTRY_TOKEN, 'CARGO_REGISTRY_TOKEN is not set'],
  ].flatMap(([there, what]) => (there ? [] : [what]))

/**
 * Publishes to both registries. Neither can be undone. npm's registry comes first, because it may still refuse the
 * token, the name of the package or the provenance. For cargo everything but the upload has been tried by then. A
 * registry that has this version from an earlier run is skipped.
 */
export async function publish({ registries, commit }) {
  const done = []
  for (const { name, find, upload } of registries) {
    const found = await find()
    if (found && found.commit && found.commit !== commit)
      throw new Trouble(`${name} has this version, made of ${found.commit}, and this is ${commit}`)
    if (!found) await step(`${name} publish`, upload)
    done.push(`${name}: ${found ? 'was there' : 'published'}`)
  }
  return done
}

/**
 * Returns the two registries: how to find out whether they have this version, and how to publish it. `cargo` runs with
 * the toolchain that builds.
 */
export function registriesOf(version, cargo) {
  const quiet = { quiet: true, mayFail: true }
  const answer = ({ code, output }, absent, name) => {
    if (code === 0) return output
    if (absent.test(output)) return undefined
    throw new Trouble(
      `${name} does not say whether it has ${version}: ${output.trim().split('\n').slice(0, 3).join(' ')}`,
    )
  }
  return [
    {
      name: 'npm',
      async find() {
        const said = answer(
          await run('npm', ['view', `nidus-wasm@${version}`, 'gitHead', 'version', '--json'], quiet),
          /E404|is not in this registry|No match found/,
          'npm',
        )
        // If the package exists and this version does not, npm prints nothing.
        return said?.trim() ? { commit: JSON.parse(said).gitHead } : undefined
      },
      upload: () => run('npm', ['publish', '--provenance', '--access', 'public']),
    },
    {
      name: 'cargo',
      async find() {
        return answer(
          await cargo(['info', `nidus-wasm@${version}`, '--registry', 'crates-io'], quiet),
          /could not find/,
          'crates.io',
        ) === undefined
          ? undefined
          : {}
      },
      upload: () => cargo(['publish', '--locked', '--no-verify']),
    },
  ]
}

/** Returns what the checks look at: the files and the environment. */
export const sources = (version) => ({
  manifest: readJson(at('package.json')),
  cargo: readFileSync(at('Cargo.toml'), 'utf8'),
  changelog: readFileSync(at('CHANGELOG.md'), 'utf8'),
  version,
  env: process.env,
})

/** Writes the address to every file that needs it. */
export function moveTo(repository) {
  if (!/^https:\/\/github\.com\/[\w.-]+\/[\w.-]+$/.test(repository))
    throw new Trouble(`${repository} is no https://github.com/OWNER/NAME`)
  const { homepage, bugs } = addresses(repository)
  const manifest = readJson(at('package.json'))
  const named = {
    ...manifest,
    repository: { type: 'git', url: `git+${repository}.git` },
    homepage,
    bugs: { url: bugs },
  }
  writeFile(at('package.json'), `${JSON.stringify(named, null, 2)}\n`)
  const cargo = readFileSync(at('Cargo.toml'), 'utf8')
  writeFile(at('Cargo.toml'), cargo.replace(/^repository = ".*"$/m, `repository = "${repository}"`))
}

/**
 * Returns the links of the README that would be dead. The registries' pages resolve relative links against
 * `repository`, so each must lead to a committed file, and each anchor to a heading.
 */
export function brokenLinks(markdown, committed) {
  const slugs = (text) =>
    new Set(
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
        title
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      ),
    )
  return [...markdown.matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)].flatMap(([, link = '', attribute = '']) => {
    const target = link || attribute
    if (/^(https:|mailto:)/.test(target)) return []
    if (/^[a-z]+:|^\//i.test(target)) return [`${target} is neither https nor relative`]
    const [path, anchor] = target.split('#')
    if (path && !committed.some((name) => name === path || name.startsWith(`${path.replace(/\/$/, '')}/`)))
      return [`${target}: there is no such file in the repository`]
    if (!anchor) return []
    const text = path ? (existsSync(at(path)) ? readFileSync(at(path), 'utf8') : '') : markdown
    return slugs(text).has(anchor) ? [] : [`${target}: there is no such heading`]
  })
}

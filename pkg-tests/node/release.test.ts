// A release: what is checked before anything is published, in which order the registries come, and how a second run
// continues.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { brokenLinks, problemsOf, publish, sources, type Registry, type Sources } from '../../scripts/registries.mjs'
import { cut, version } from '../../scripts/release.mjs'
import { repository } from './tarball.js'

const committed = execFileSync('git', ['ls-files'], { cwd: repository, encoding: 'utf8' }).split('\n')
const is = version()
/** Returns the sources as they are after `--cut`. */
const ready = (): Sources => {
  const { env: _, ...now } = sources(is)
  return now.changelog.includes(`## [${is}]`) ? now : { ...now, changelog: cut(now.changelog, is, '2030-01-02') }
}

describe('before anything is published', () => {
  it('everything is ready', () => {
    expect(problemsOf(ready())).toEqual([])
  })

  it.each<[string, (good: Sources) => Partial<Sources>, string]>([
    [
      'the changelog is not cut',
      ({ changelog }) => ({ changelog: changelog.replace(`## [${is}]`, '## [Later]') }),
      `has no section [${is}]`,
    ],
    [
      'something is unreleased',
      ({ changelog }) => ({ changelog: changelog.replace('## [Unreleased]\n', '## [Unreleased]\n\n- A thing.\n') }),
      'calls something [Unreleased]',
    ],
    [
      'there is no repository',
      ({ manifest: { repository: _, ...manifest } }) => ({ manifest }),
      'repository.url is undefined',
    ],
    [
      'the crate says another one',
      ({ cargo }) => ({ cargo: cargo.replace(/^repository = .*$/m, 'repository = "https://github.com/x/y"') }),
      'Cargo.toml: repository is https://github.com/x/y',
    ],
    [
      'the homepage is another',
      ({ manifest }) => ({ manifest: { ...manifest, homepage: 'https://x' } }),
      'homepage is https://x',
    ],
    [
      'it runs elsewhere',
      () => ({
        env: {
          GITHUB_ACTIONS: 'true',
          GITHUB_SERVER_URL: 'https://github.com',
          GITHUB_REPOSITORY: 'x/y',
          ACTIONS_ID_TOKEN_REQUEST_URL: 'x',
        },
      }),
      'this runs in https://github.com/x/y',
    ],
    [
      'the job may not sign',
      () => ({ env: { GITHUB_ACTIONS: 'true', GITHUB_SERVER_URL: 'x', GITHUB_REPOSITORY: 'y' } }),
      'id-token: write',
    ],
  ])('it is told that %s', (_, change, message) => {
    const good = ready()
    expect(problemsOf({ ...good, ...change(good) }).join('\n')).toContain(message)
  })

  it('the workflow may sign, and calls the scripts that are tested here', () => {
    const workflow = readFileSync(join(repository, '.github/workflows/release.yml'), 'utf8')
    expect(workflow).toContain('id-token: write')
    expect(workflow).toMatch(/npm run release -- --tag .* --tested/)
  })
})

describe('publishing', () => {
  const registry = (name: string, log: string[], there: { commit?: string } | undefined, fails = false): Registry => ({
    name,
    find: async () => there,
    upload: async () => {
      if (fails) throw new Error(`${name} refused`)
      log.push(name)
    },
  })

  it('continues where the run before ended', async () => {
    const log: string[] = []
    await expect(
      publish({ registries: [registry('npm', log, undefined), registry('cargo', log, undefined, true)], commit: 'a' }),
    ).rejects.toThrow('cargo refused')
    expect(
      await publish({
        registries: [registry('npm', log, { commit: 'a' }), registry('cargo', log, undefined)],
        commit: 'a',
      }),
    ).toEqual(['npm: was there', 'cargo: published'])
    expect(log).toEqual(['npm', 'cargo'])
  })

  it('skips the second registry if the first one fails or has this version of another commit', async () => {
    const log: string[] = []
    await expect(
      publish({ registries: [registry('npm', log, undefined, true), registry('cargo', log, undefined)], commit: 'a' }),
    ).rejects.toThrow('npm refused')
    await expect(
      publish({ registries: [registry('npm', log, { commit: 'b' }), registry('cargo', log, undefined)], commit: 'a' }),
    ).rejects.toThrow('npm has this version, made of b')
    expect(log).toEqual([])
  })
})

describe('links', () => {
  it('in the pages of registries lead to committed files and existing headings', () => {
    for (const page of ['README.md', 'CHANGELOG.md'])
      expect([page, brokenLinks(readFileSync(join(repository, page), 'utf8'), committed)]).toEqual([page, []])
  })

  it('that are dead are found', () => {
    const page =
      '# One\n[a](SPEC.md) [b](www) [c](#one) ![d](https://x/y.png) [e](nowhere.md) [f](#two) [g](http://x) ' +
      '[h](/SPEC.md) <img src="no.png">\n'
    expect(brokenLinks(page, committed).map((problem) => problem.split(/[: ]/)[0])).toEqual([
      'nowhere.md',
      '#two',
      'http',
      '/SPEC.md',
      'no.png',
    ])
  })
})

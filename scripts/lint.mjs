// `npm run lint`: formatters, linters and the rules of imports. `npm run format` (--fix) corrects what it can.
import { parseArgs } from 'node:util'
import { ask, at, isMain, main, run, say, Trouble } from './lib.mjs'
import { graph } from './graph.mjs'
import { toolchain } from './toolchain.mjs'

/** Returns the arguments that select a toolchain with this component, if one is installed or can be. */
async function having(component, { cargo, select }) {
  const has = async (...args) => (await ask(cargo, ...args, component, '--version')) !== undefined
  // rustfmt and clippy may be of another version than the compiler that builds.
  for (const args of [select, [], ['+stable']]) if (await has(...args)) return args
  const name = component === 'fmt' ? 'rustfmt' : component
  await run('rustup', ['component', 'add', name], { quiet: true, mayFail: true, timeout: 60_000 }).catch(() => {})
  return (await has()) ? [] : undefined
}

async function rust(fix) {
  const { native } = await toolchain()
  const env = native.env ?? {}
  const cargo = async (component, ...args) => {
    const select = await having(component, native)
    if (select) await run(native.cargo, [...select, component, ...args], { env })
    else say(`!!!! cargo ${component} is not installed: NOT RUN. rustup component add rustfmt clippy !!!!`)
  }
  await cargo('fmt', '--all', ...(fix ? [] : ['--check']))
  // The tests need a newer compiler than some toolchains with clippy have.
  const args = ['clippy', '--locked', '--lib', '--features', 'text', ...(fix ? ['--fix', '--allow-dirty'] : [])]
  await cargo(...args, '--', '-D', 'warnings')
}

export async function lint({ fix = false } = {}) {
  const failed = []
  const node = (name, script, ...args) =>
    run(process.execPath, [at('node_modules', script), ...args]).catch(() => failed.push(name))
  await node('prettier', 'prettier/bin/prettier.cjs', fix ? '--write' : '--check', '--log-level', 'warn', at())
  await node('eslint', 'eslint/bin/eslint.js', '--max-warnings', '0', ...(fix ? ['--fix'] : []), at())
  const rules = ['--config', at('.dependency-cruiser.mjs'), at('src/ts')]
  await node('imports', 'dependency-cruiser/bin/dependency-cruise.mjs', ...rules)
  await graph({ check: !fix }).catch(({ message }) => failed.push(message))
  await rust(fix).catch(({ message }) => failed.push(message))
  if (failed.length > 0) throw new Trouble(`lint: ${failed.join('; ')}. \`npm run format\` mends what can be mended`)
}

if (isMain(import.meta.url)) {
  const { values } = parseArgs({ options: { fix: { type: 'boolean', default: false } } })
  main(() => lint(values))
}

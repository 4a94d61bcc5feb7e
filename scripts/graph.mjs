// `npm run graph`: draws the imports between the folders of src/ts, and lists the calls of an open store, in
// docs/architecture.md. With `--check` it writes nothing, and fails if the page is out of date.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { LAYERS } from '../.dependency-cruiser.mjs'
import { at, between, isMain, main, Trouble, writeBetween } from './lib.mjs'

const PAGE = at('docs/architecture.md')

/** Returns which folders each folder imports from. */
async function imports() {
  const { cruise } = await import('dependency-cruiser')
  const options = { tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' }, baseDir: at() }
  const { output } = await cruise(['src/ts'], options)
  const folderOf = (path) => /^src\/ts\/([^/]+)\//.exec(path)?.[1]
  const from = new Map(LAYERS.map((name) => [name, new Set()]))
  for (const { source, dependencies } of output.modules) {
    for (const { resolved } of dependencies) {
      const [a, b] = [folderOf(source), folderOf(resolved)]
      if (a && b && a !== b) from.get(a).add(b)
    }
  }
  return from
}

/**
 * Returns the arrows of the picture. An arrow is left out if others lead to the same folder: with all of them, nobody
 * could read the picture.
 */
function reduced(from) {
  const reach = (a, b) => [...from.get(a)].some((c) => c === b || reach(c, b))
  return LAYERS.flatMap((a) =>
    LAYERS.filter((b) => from.get(a).has(b) && ![...from.get(a)].some((c) => c !== b && reach(c, b))).map((b) => [
      a,
      b,
    ]),
  )
}

async function picture() {
  const arrows = reduced(await imports()).map(([a, b]) => `  ${a} --> ${b}`)
  return ['', '', '```mermaid', 'flowchart TD', ...arrows, '```', '', ''].join('\n')
}

/** Returns the calls of src/ts/contract/calls.ts as a Markdown table. */
async function calls() {
  const { default: ts } = await import('typescript')
  const path = at('src/ts/contract/calls.ts')
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true)
  const table = source.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === 'Calls')
  const text = (node) => node.getText(source).replace(/\s+/g, ' ')
  const rows = table.members.map((member) => {
    const [kind, args, result] = member.type.typeArguments
    const names = ts.isTypeLiteralNode(args)
      ? args.members.map((member) => member.name.getText(source)).join(', ')
      : text(args).replace('None', '')
    return (
      `| \`${member.name.text}\` | ${text(kind).replace('Kind.', '').toLowerCase()} | ${names} | ` +
      `\`${text(result).replaceAll('|', '\\|')}\` |`
    )
  })
  return ['', '', '| call | kind | arguments | answer |', '| --- | --- | --- | --- |', ...rows, '', ''].join('\n')
}

export async function graph({ check = false } = {}) {
  const parts = { imports: await picture(), calls: await calls() }
  for (const [name, text] of Object.entries(parts)) {
    if (!check) writeBetween(PAGE, name, text)
    else if (between(PAGE, name) !== text)
      throw new Trouble(`docs/architecture.md: "${name}" is out of date; \`npm run graph\` writes it anew`)
  }
}

if (isMain(import.meta.url)) {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
  main(() => graph(values))
}

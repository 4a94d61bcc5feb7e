// Makes the page of results and the charts from the files of results. On demand also writes the section of
// docs/performance.md.
//   node bench/report/report.mjs [--out DIR] [--docs]
import { rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { at, filesUnder, isMain, main, say, Trouble, writeBetween, writeFile } from '../../scripts/lib.mjs'
import { CASES } from '../cases/list.mjs'
import { readResults } from './files.mjs'
import { figuresOf } from './figures.mjs'
import { pageOf } from './page.mjs'
import { docsSection } from './section.mjs'

/** Writes the page and the charts. If `docs` is the path of a page of the docs, its section is written, too. */
export async function report({ out, docs }) {
  const results = readResults(out, Object.keys(CASES))
  if (Object.keys(results).length === 0) throw new Trouble(`there are no results in ${out}`)
  // The chart library is installed with the other packages. Without it the page has only tables.
  const charts = await import('./charts.mjs').catch((error) => void say(`! no charts: ${error.message.split('\n')[0]}`))
  const figures = charts ? figuresOf(results, charts) : []
  for (const old of filesUnder(out, (path) => path.endsWith('.svg'))) rmSync(join(out, old))
  for (const { file, svg } of figures.flatMap(({ files }) => files)) writeFile(join(out, file), svg)
  const guide = relative(out, at('bench/README.md')).replaceAll('\\', '/')
  const text = pageOf(results, figures, guide)
  writeFile(join(out, 'README.md'), text)
  const page = relative(at(), join(out, 'README.md')).replaceAll('\\', '/')
  if (docs && results.search) writeBetween(docs, 'bench', `\n\n${docsSection(results, `../${page}`)}\n\n`)
  say(`\n${text.replaceAll(/<picture>[^]*?<\/picture>\n\n/g, '')}\nwritten to ${page}`)
}

if (isMain(import.meta.url))
  main(async () => {
    const { values } = parseArgs({ options: { out: { type: 'string' }, docs: { type: 'boolean' } } })
    const { install } = await import('../setup.mjs')
    await install({ peers: false })
    const out = values.out ?? fileURLToPath(new URL('../results', import.meta.url))
    await report({ out, docs: values.docs && at('docs/performance.md') })
  })

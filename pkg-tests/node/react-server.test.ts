// The hooks on a server, and two copies of the module in one program.
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { createElement as h, StrictMode, Suspense } from 'react'
import { renderToPipeableStream, renderToString } from 'react-dom/server'
import { expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import type * as live from 'nidus-wasm/live'
import { useNidus, useSearch } from 'nidus-wasm/react'
import { temporaryFolder } from '../common/folder'
import { until } from '../common/until'
import { repository } from './tarball.js'

const folder = temporaryFolder('react')

it('a server opens no store, and renders what a page renders first', () => {
  const name = join(folder, 'none')
  function Page() {
    const state = useNidus(name, { dimension: 2 })
    const { status, hits } = useSearch(state, [1, 0])
    return h('p', null, `${state.status} ${status}: ${hits.length}`)
  }
  expect(renderToString(h(StrictMode, null, h(Page)))).toBe('<p>opening searching: 0</p>')
  expect(existsSync(name)).toBe(false)
})

it('a server searches nothing in a store that it has open', async () => {
  const db = await Nidus.open('server', { storage: 'memory', dimension: 2 })
  const Page = ({ question }: { question: string }) => h('p', null, useSearch(db, question).status)
  expect(renderToString(h(Page, { question: 'x' }))).toBe('<p>searching</p>')
  expect(renderToString(h(Page, { question: '' }))).toBe('<p>idle</p>')
  await db.close()
})

it('with suspense a server renders the fallback', async () => {
  const db = await Nidus.open('server', { storage: 'memory', dimension: 2 })
  const Store = () => h('p', null, useNidus(join(folder, 'suspended'), { suspense: true }).status)
  const Search = () => h('p', null, useSearch(db, [1, 0], { suspense: true }).status)
  for (const part of [Store, Search]) {
    const errors: unknown[] = []
    let text = ''
    const page = h('main', null, h(Suspense, { fallback: h('i', null, 'wait') }, h(part)))
    await new Promise<void>((resolve) => {
      const into = new Writable({
        write: (bytes, _, done) => {
          text += String(bytes)
          done()
        },
        final: (done) => {
          done()
          resolve()
        },
      })
      const { pipe } = renderToPipeableStream(page, {
        onAllReady: () => pipe(into),
        onError: (error) => void errors.push(error),
      })
    })
    expect(text).toContain('<i>wait</i>')
    expect(errors).toMatchObject([{ code: 'UNSUPPORTED' }])
  }
  expect(existsSync(join(folder, 'suspended'))).toBe(false)
  await db.close()
})

it('two copies of the module share one opening, for example before and after it is loaded anew', async () => {
  const dist = join(repository, 'dist')
  const copies = await Promise.all(
    ['one', 'two'].map(async (name) => {
      const copy = join(folder, name)
      mkdirSync(copy)
      writeFileSync(join(copy, 'package.json'), '{"type":"module"}')
      for (const file of readdirSync(dist).filter((file) => /^(live|chunk-live-.*)\.js$/.test(file)))
        cpSync(join(dist, file), join(copy, file))
      return copy
    }),
  )
  const { liveStore: a } = (await import(pathToFileURL(join(copies[0]!, 'live.js')).href)) as typeof live
  const { liveStore: b } = (await import(pathToFileURL(join(copies[1]!, 'live.js')).href)) as typeof live
  expect(a).not.toBe(b)
  let opened = 0
  const open = (name: string) => (opened++, Nidus.open(name, { dimension: 2 }))
  const [one, two] = [a(join(folder, 'shared'), open), b(join(folder, 'shared'), open)]
  const stop = [one.subscribe(() => {}), two.subscribe(() => {})]
  await until('the store', () => one.get().status === 'open')
  const { store } = one.get()
  expect(two.get().store).toBe(store)
  stop[0]!()
  stop[1]!()
  expect(await store!.closed).toEqual({ reason: 'closed' })
  expect(opened).toBe(1)
})

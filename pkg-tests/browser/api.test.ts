import { afterAll } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { apiSuite, type Place } from '../common/api'
import { codesSuite } from '../common/codes'
import { shapeSuite } from '../common/shape'
import { arraysHost, type ArraysHost } from '../common/arrays'

let n = 0
const names: string[] = []
const opfs: Place = {
  fresh: () => {
    names.push(`api/${Date.now()} ü ${n++}`)
    return names.at(-1)!
  },
  options: () => ({}),
  again: true,
}
apiSuite('opfs', opfs)
shapeSuite('opfs', opfs)
codesSuite('opfs', opfs)
codesSuite('opfs in compact memory', { ...opfs, options: () => ({ memory: 'compact' }) })
codesSuite('opfs, searched by two workers', { ...opfs, options: () => ({ workers: 2 }) })
const databases: string[] = []
const indexeddb: Place = {
  fresh: () => {
    databases.push(`api/${Date.now()} ü ${n++}`)
    return databases.at(-1)!
  },
  options: () => ({ storage: 'indexeddb' }),
  again: true,
}
apiSuite('indexeddb', indexeddb)
shapeSuite('indexeddb', indexeddb)
codesSuite('indexeddb in compact memory', {
  ...indexeddb,
  options: () => ({ storage: 'indexeddb', memory: 'compact' }),
})
apiSuite('memory', { fresh: () => `m${n++}`, options: () => ({ storage: 'memory' }), again: false })

const hosts = new Map<string, ArraysHost>()
let current = ''
apiSuite("a user's host over plain arrays, in the page", {
  fresh: () => {
    current = `h${n++}`
    hosts.set(current, arraysHost({ keep: false }))
    return current
  },
  options: () => ({ storage: hosts.get(current)! }),
  again: true,
})

afterAll(async () => {
  for (const name of names) await Nidus.destroy(name)
  for (const name of databases) await Nidus.destroy(name, { storage: 'indexeddb' })
})

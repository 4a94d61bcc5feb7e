// The tests of the hooks share these helpers.
import { Component, createElement as h, type ReactNode } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { onTestFinished } from 'vitest'
import { Nidus } from 'nidus-wasm'
import type { SearchState } from 'nidus-wasm/react'

let made = 0
/** Returns a name that no other test uses. */
export const fresh = (what: string) => `${what} ${Date.now()} ${made++}`

/** Shows an element in a page of its own. The test's end removes it. */
export function show(element: ReactNode): { text: () => string; root: Root; page: HTMLElement } {
  const page = document.body.appendChild(document.createElement('main'))
  const root = createRoot(page)
  root.render(element)
  onTestFinished(() => {
    root.unmount()
    page.remove()
  })
  return { text: () => page.textContent ?? '', root, page }
}

/** Types a text into the page's input, as a user does. */
export function type(page: HTMLElement, text: string) {
  const input = page.querySelector('input')!
  // React overrides `value` of the element, to know what it has set itself.
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')!.set!.call(input, text)
  input.dispatchEvent(new Event('input', { bubbles: true }))
}

/** Shows the error of what is below it, and a button that tries again. */
export class Boundary extends Component<{ children: ReactNode }, { error?: { code: string } | undefined }> {
  override state: { error?: { code: string } | undefined } = {}
  static getDerivedStateFromError = (error: { code: string }) => ({ error })
  override render() {
    const again = () => this.setState({ error: undefined })
    return this.state.error ? h('button', { onClick: again }, this.state.error.code) : this.props.children
  }
}

/** Says in one line what a search shows. */
export const said = ({ status, hits, stale, error }: SearchState<Nidus>) =>
  `${status}: ${hits.map(({ id }) => id).join(' ')}${stale ? ' (stale)' : ''}${error ? ` ${error.code}` : ''}`

/** Opens a store with a few notes, whose words are found. Closes it at the end of the test. */
export async function notes(name = fresh('notes')): Promise<Nidus> {
  const db = await Nidus.open(name, { dimension: 2 })
  onTestFinished(() => db.close())
  await db.setText('notes', 'text')
  await db.upsert('notes', [
    { id: 'roof', vector: [1, 0], attrs: { text: 'the roof leaks' } },
    { id: 'bread', vector: [0, 1], attrs: { text: 'bread needs water' } },
  ])
  return db
}

/** Returns the store, with a record of the questions that it is asked. */
export function counted(db: Nidus): { db: Nidus; asked: unknown[] } {
  const asked: unknown[] = []
  const search = (question: never, options: never) => {
    asked.push(question)
    return db.search(question, options)
  }
  return { db: Object.create(db, { search: { value: search } }) as Nidus, asked }
}

/** An `embed` whose answers come when the test lets them. */
export function slowEmbed() {
  const waiting: { text: string; signal: AbortSignal; answer: () => void; fail: (error: Error) => void }[] = []
  const embed = (text: string, { signal }: { signal: AbortSignal }) =>
    new Promise<number[]>((resolve, reject) =>
      waiting.push({ text, signal, answer: () => resolve(text.includes('bread') ? [0, 1] : [1, 0]), fail: reject }),
    )
  return { embed, waiting }
}

/** Returns a root that prints no errors, and a boundary that passes them on. */
export function silentRoot() {
  class Passing extends Component<{ children?: ReactNode; failed: (error: unknown) => void }> {
    override state = { over: false }
    static getDerivedStateFromError = () => ({ over: true })
    override componentDidCatch = (error: unknown) => this.props.failed(error)
    override render = () => (this.state.over ? null : this.props.children)
  }
  return { page: Passing, root: createRoot(document.createElement('main'), { onCaughtError: () => {} }) }
}

// The page of `typing.mjs`: a search box as an application has it, which notes when each letter was typed and when its
// hits were painted.
import { useEffect, useLayoutEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { useNidus, useSearch } from '../../dist/react.js'

const open = async (name) => {
  const { Nidus } = await import('nidus-wasm')
  return Nidus.open(name, { dimension: 384 })
}

/** Fills the store. The vector of a text that is typed is one of `questions`, so no model takes time. */
export async function fill({ texts, count }) {
  const db = await open('typing')
  await db.createCollection('passages', { text: 'text' })
  const vectors = new Float32Array(await (await fetch('/vectors')).arrayBuffer())
  const each = 1000
  for (let from = 0; from < count; from += each) {
    const to = Math.min(count, from + each)
    await db.upsert('passages', {
      ids: Array.from({ length: to - from }, (_, i) => `${from + i}`),
      vectors: vectors.slice(from * 384, to * 384),
      attrs: texts.slice(from, to).map((text) => ({ text })),
    })
  }
  await db.search({ text: 'river', vector: vectors.subarray(0, 384) })
  await db.close()
}

/**
 * Shows the box. `by`: 'nothing' shows what was typed, which is what the browser alone needs. 'hand' calls `search` from
 * an effect. 'useSearch' is what is measured.
 */
export async function show({ questions, by }) {
  const vectors = new Float32Array(await (await fetch('/questions')).arrayBuffer())
  const vectorOf = (text) => {
    const which = text.length % questions
    return vectors.subarray(which * 384, (which + 1) * 384)
  }
  const keys = (globalThis.keys = [])
  let renders = 0
  let last
  const painted = (entry, took) => {
    entry.ready ??= performance.now() - entry.at
    // After the next frame is drawn, its message is received.
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => {
        if (entry.painted !== undefined) return
        Object.assign(entry, { painted: performance.now() - entry.at, took, renders: renders - entry.before })
      }
      port2.postMessage(0)
    })
  }
  addEventListener(
    'input',
    ({ timeStamp }) => keys.push({ at: timeStamp, before: renders, handled: performance.now() - timeStamp }),
    { capture: true },
  )

  const options = { collections: 'passages', topK: 10, prefix: true, highlight: true }
  const NONE = { hits: [], status: 'idle' }

  function useHand(store, text) {
    const [found, setFound] = useState(NONE)
    useEffect(() => {
      let late = false
      if (store && text)
        void store
          .search({ text, vector: vectorOf(text) }, options)
          .then((hits) => !late && setFound({ hits, status: 'done' }))
      return () => void (late = true)
    }, [store, text])
    return found
  }
  const useFound = {
    nothing: () => NONE,
    hand: ({ store }, text) => useHand(store, text),
    useSearch: (opened, text) => useSearch(opened, text, { ...options, embed: vectorOf }),
  }[by]

  function Box() {
    renders++
    const opened = useNidus('typing', { open })
    const [question, setQuestion] = useState('')
    const { hits, status } = useFound(opened, question)
    useLayoutEffect(() => {
      const entry = keys.at(-1)
      if (entry && (by === 'nothing' ? question : status === 'done' && hits !== last)) {
        last = hits
        painted(entry, hits.took ?? 0)
      }
    })
    return (
      <main>
        <input id="box" value={question} onChange={({ target }) => setQuestion(target.value)} />
        <p id="status">{opened.status}</p>
        <ul>
          {hits.map(({ id, attrs }) => (
            <li key={id}>{attrs.text}</li>
          ))}
        </ul>
      </main>
    )
  }
  createRoot(document.body.appendChild(document.createElement('div'))).render(<Box />)
}

import { createElement as h, StrictMode, use, Suspense, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { Nidus } from 'nidus-wasm'
import { DIMENSION, embed } from './embed.js'

// The store is opened once for the page, and not in a component, because React may mount a component twice.
const opened = Nidus.open('react-notes', { dimension: DIMENSION })

function Notes() {
  const db = use(opened)
  const [found, setFound] = useState([])

  async function add(event) {
    event.preventDefault()
    const form = event.currentTarget
    const text = new FormData(form).get('text')
    await db.upsert('notes', [{ id: crypto.randomUUID(), vector: embed(text), attrs: { text } }])
    form.reset()
  }

  async function search(event) {
    const text = event.currentTarget.value
    setFound(text ? await db.search(embed(text), { topK: 5 }) : [])
  }

  return h(
    'main',
    null,
    h(
      'form',
      { onSubmit: add },
      h('input', { name: 'text', required: true, 'aria-label': 'A note' }),
      h('button', null, 'Add'),
    ),
    h('input', { type: 'search', onChange: search, 'aria-label': 'Search' }),
    h(
      'ol',
      null,
      found.map(({ id, score, attrs }) => h('li', { key: id }, `${attrs.text} (${score.toFixed(2)})`)),
    ),
  )
}

createRoot(document.getElementById('root')).render(h(StrictMode, null, h(Suspense, { fallback: 'Opening…' }, h(Notes))))

import { createElement as h, StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { useNidus, useSearch } from 'nidus-wasm/react'
import { DIMENSION, embed } from './embed.js'

function Notes() {
  const { store, error } = useNidus('react-notes', { dimension: DIMENSION })
  const [question, setQuestion] = useState('')
  // What is added is found at once, also if another tab adds it.
  const { hits } = useSearch(store, question, { topK: 5, embed, by: 'meaning' })

  async function add(event) {
    event.preventDefault()
    const form = event.currentTarget
    const text = new FormData(form).get('text')
    await store.upsert('notes', [{ id: crypto.randomUUID(), vector: embed(text), attrs: { text } }])
    form.reset()
  }

  if (error) return h('p', { role: 'alert' }, error.message)
  return h(
    'main',
    null,
    h(
      'form',
      { onSubmit: add },
      h('input', { name: 'text', required: true, 'aria-label': 'A note' }),
      h('button', { disabled: !store }, 'Add'),
    ),
    h('input', {
      type: 'search',
      value: question,
      onChange: (event) => setQuestion(event.target.value),
      'aria-label': 'Search',
    }),
    h(
      'ol',
      null,
      hits.map(({ id, score, attrs }) => h('li', { key: id }, `${attrs.text} (${score.toFixed(2)})`)),
    ),
  )
}

createRoot(document.getElementById('root')).render(h(StrictMode, null, h(Notes)))

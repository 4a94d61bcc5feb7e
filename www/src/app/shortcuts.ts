import { query } from '../view/form'
import { results } from '../view/results'
import { acts } from './searching'
import { session } from './session'

/** Connects the keys that work anywhere in the page. */
export function connectShortcuts() {
  window.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return
    const { target } = event
    const typing =
      target instanceof HTMLSelectElement ||
      target instanceof HTMLTextAreaElement ||
      (target instanceof HTMLInputElement && target !== query)
    const hit = session.shown.get(results.current ?? '')
    if (event.key === '/' && target !== query && !typing) query.focus()
    else if (event.key === 'ArrowDown' && !typing) results.move(1)
    else if (event.key === 'ArrowUp' && !typing && target !== query) results.move(-1)
    else if (event.key === 'Enter' && hit && target instanceof HTMLLIElement) void acts.open(hit)
    else if (event.key.toLowerCase() === 'm' && hit && target !== query && !typing) acts.alike(hit)
    else if (event.key === 'Escape' && hit) query.focus()
    else return
    event.preventDefault()
  })
}

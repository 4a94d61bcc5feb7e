import { SETS, type SetName } from '../sets'
import type { Wanted } from '../stores/library'
import type { Type } from '../texts/read'
import { button, element, setText } from './dom'

export const query = element<HTMLInputElement>('query')
export const slider = element<HTMLInputElement>('meaning')
export const fields = {
  folder: element<HTMLSelectElement>('folder'),
  type: element<HTMLSelectElement>('type'),
  since: element<HTMLSelectElement>('since'),
  path: element<HTMLInputElement>('path'),
}

/** Returns the share of the meaning in the score, from 0 to 1. */
export function meaning(): number {
  const percent = Number(slider.value)
  const text = percent === 0 ? 'words alone' : percent === 100 ? 'meaning alone' : `${percent} percent meaning`
  slider.setAttribute('aria-valuetext', text)
  slider.style.setProperty('--share', `${percent}%`)
  return percent / 100
}

/** Returns the question and the filters as they are in the form. */
export const question = () =>
  [query, fields.folder, fields.type, fields.path, fields.since].map(({ value }) => value.trim())

/** Returns the filters of the form. */
export function wanted(): Wanted {
  const days = Number(fields.since.value)
  return {
    folder: fields.folder.value || undefined,
    type: (fields.type.value as Type) || undefined,
    path: fields.path.value.trim() || undefined,
    since: days ? new Date(Date.now() - days * 86_400_000) : undefined,
  }
}

/** Offers these folders, and the folders that contain them, as filters. Keeps the chosen one if it is still there. */
export function offerFolders(paths: string[]) {
  const all = new Set(
    paths.flatMap((path) => path.split('/').map((_, n, parts) => parts.slice(0, n + 1).join('/'))).filter(Boolean),
  )
  const kept = fields.folder.value
  fields.folder.replaceChildren(new Option('all', ''), ...[...all].sort().map((path) => new Option(path, path)))
  fields.folder.value = all.has(kept) ? kept : ''
}

export const askToDelete = () => element<HTMLDialogElement>('confirm').showModal()

/** Shows the words of a set: its headline, its example questions, and what belongs to it. */
export function showSet(set: SetName) {
  const { headline, placeholder, examples } = SETS[set]
  document.documentElement.dataset.set = set
  setText(element('headline'), headline)
  query.placeholder = placeholder
  for (const radio of document.querySelectorAll<HTMLInputElement>('input[name=set]'))
    radio.checked = radio.value === set
  element('examples').replaceChildren(...examples.map((text) => button(text, () => {}, 'chip')))
  element('examples').hidden = examples.length === 0
  for (const part of document.querySelectorAll<HTMLElement>('[data-of]')) part.hidden = part.dataset.of !== set
  for (const id of ['welcome', 'adding', 'filters', 'outcome', 'keys']) element(id).hidden = true
  fields.folder.value = fields.type.value = fields.since.value = fields.path.value = ''
}

/** Marks the example question that is asked. */
export function showExamples(asked: string) {
  for (const chip of element('examples').children) chip.ariaPressed = String(chip.textContent === asked)
}

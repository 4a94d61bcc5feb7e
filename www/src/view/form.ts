import type { Wanted } from '../library'
import type { Type } from '../texts/read'
import { element } from './dom'

export const query = element<HTMLInputElement>('query')
export const fields = {
  folder: element<HTMLSelectElement>('folder'),
  type: element<HTMLSelectElement>('type'),
  since: element<HTMLSelectElement>('since'),
  path: element<HTMLInputElement>('path'),
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

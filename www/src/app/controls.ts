import type { SetName } from '../sets'
import { ACCEPT } from '../texts/read'
import { dropped, picked, type Found } from '../texts/walk'
import { element } from '../view/dom'
import { askToDelete, fields, query, slider } from '../view/form'
import { add, goOn } from './indexing'
import { compact, deleteAll, exportAll, importAll } from './keeping'
import { choose } from './opening'
import { race } from './racing'
import { search, searchSoon } from './searching'
import { session } from './session'

/** Connects the form, the buttons and the drop target with what they do. */
export function connectControls() {
  connectForm()
  connectButtons()
  connectFiles()
  connectDrop()
}

function connectForm() {
  query.oninput = () => {
    session.alike = undefined
    searchSoon()
  }
  slider.oninput = () => void search()
  element('clear').onclick = () => {
    query.value = ''
    session.alike = undefined
    query.focus()
    void search()
  }
  element('examples').onclick = ({ target }) => {
    const chosen = target instanceof HTMLButtonElement ? target.textContent : undefined
    if (!chosen) return
    query.value = chosen
    session.alike = undefined
    void search()
  }
  for (const radio of document.querySelectorAll<HTMLInputElement>('input[name=set]'))
    radio.onchange = () => void choose(radio.value as SetName, '')
  fields.path.oninput = searchSoon
  for (const field of [fields.folder, fields.type, fields.since]) field.onchange = () => void search()
  element('form').onsubmit = (event) => {
    event.preventDefault()
    void search()
  }
  element('alike-clear').onclick = () => {
    session.alike = undefined
    query.focus()
    void search()
  }
}

function connectButtons() {
  element('race').onclick = () => void race()
  element('cancel').onclick = () => session.work?.abort()
  element('resume').onclick = () => void goOn()
  element('compact').onclick = () => void compact()
  element('export').onclick = () => void exportAll()
  element('delete').onclick = askToDelete
  element('confirm-no').onclick = () => element<HTMLDialogElement>('confirm').close()
  element('confirm-yes').onclick = () => {
    element<HTMLDialogElement>('confirm').close()
    void deleteAll()
  }
}

function connectFiles() {
  for (const [id, field] of [
    ['pick-files', 'files'],
    ['pick-folder', 'folder-files'],
    ['import', 'tar'],
  ] as const)
    element(id).onclick = () => element(field).click()
  element<HTMLInputElement>('files').accept = ACCEPT
  for (const id of ['files', 'folder-files']) {
    const field = element<HTMLInputElement>(id)
    field.onchange = () => {
      void add(picked(field.files ?? []))
      field.value = ''
    }
  }
  const tar = element<HTMLInputElement>('tar')
  tar.onchange = () => {
    const [file] = tar.files ?? []
    if (file) void importAll(file)
    tar.value = ''
  }
}

function connectDrop() {
  const drop = element('drop')
  window.addEventListener('dragenter', (event) => {
    if (event.dataTransfer?.types.includes('Files')) drop.hidden = false
  })
  window.addEventListener('dragover', (event) => event.preventDefault())
  window.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) drop.hidden = true
  })
  window.addEventListener('drop', (event) => {
    event.preventDefault()
    drop.hidden = true
    if (event.dataTransfer) void addDropped(dropped(event.dataTransfer.items))
  })
}

/** Adds dropped files. If another set is shown, shows the user's files first. */
async function addDropped(found: Promise<Found>) {
  found.catch(() => {}) // `add` reports it
  if (session.set !== 'files') await choose('files', '')
  await add(found)
}

import { sampleSources } from '../texts/sample'
import { ACCEPT, type Source } from '../texts/read'
import { dropped, picked } from '../texts/walk'
import { element } from '../view/dom'
import { askToDelete, fields, query } from '../view/form'
import { add, goOn } from './indexing'
import { compact, deleteAll, exportAll, importAll } from './keeping'
import { search, searchSoon } from './searching'
import { fail, session } from './session'

const SAMPLES = 1000

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
  element('cancel').onclick = () => session.work?.abort()
  element('resume').onclick = () => void goOn()
  element('sample').onclick = () =>
    void add(
      sampleSources(SAMPLES).then(
        (sources: Source[]) => ({ sources, others: 0 }),
        (error) => (void fail(error), { sources: [], others: 0 }),
      ),
    )
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
    if (event.dataTransfer) void add(dropped(event.dataTransfer.items))
  })
}

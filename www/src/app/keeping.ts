import * as format from '../format'
import { Library } from '../stores/library'
import { status } from '../view/status'
import { wordsFor } from '../words'
import { forgetOutcome, openFiles } from './opening'
import { dropAnswer } from './searching'
import { changes, fail, refresh, session } from './session'

/** Lets the user download the library as a tar. */
export async function exportAll() {
  if (!session.library) return
  try {
    status.timing('Exporting…')
    const blob = await new Response(session.library.export()).blob()
    const link = document.createElement('a')
    link.href = URL.createObjectURL(blob)
    link.download = 'my-files.tar'
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
    status.timing(`Exported ${format.bytes(blob.size)}: a tar that native nidus reads, too`)
  } catch (error) {
    void fail(error)
  }
}

/** Replaces the library by the one in a tar. If the tar is refused, the library stays as it was. */
export async function importAll(file: File) {
  const before = session.library
  session.library = undefined
  status.phase('opening', `Importing ${file.name}…`)
  await before?.close().catch(() => {})
  let refused: unknown
  await openFiles(
    Library.import(file, (done, total) =>
      status.phase('opening', `Importing ${file.name}…`, total ? done / total : undefined),
    ).catch((error) => {
      refused = error
      return Library.open()
    }),
  )
  if (refused)
    status.notice(
      {
        ...wordsFor(refused),
        title: 'This file could not be imported',
        text: 'What was here before is as it was.',
        actions: [],
      },
      {},
    )
  changes.postMessage('imported')
}

export async function compact() {
  try {
    status.timing('Compacting…')
    await session.library?.compact()
    await refresh(false)
    status.timing('Compacted: no dead rows any more')
  } catch (error) {
    void fail(error)
  }
}

/** Deletes the library, and opens an empty one. */
export async function deleteAll() {
  dropAnswer()
  session.work?.abort()
  session.left = undefined
  session.alike = undefined
  const { library } = session
  session.library = undefined
  try {
    changes.postMessage('deleting')
    await library?.close()
    await Library.destroy()
  } catch (error) {
    return fail(error)
  }
  forgetOutcome()
  await openFiles()
  status.announce('Everything is deleted')
}

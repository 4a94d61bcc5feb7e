import { NidusError } from 'nidus-wasm'
import { ModelError } from './embedder'
import { SetError } from './stores/shipped'

export interface Words {
  title: string
  text: string
  /** The actions that can help the user. */
  actions: ('retry' | 'delete')[]
}

/** The codes of errors. The page has no sharded store and no index of documents, so it never gets their codes. */
type Code = Exclude<
  NidusError['code'],
  'BUSY' | 'SHARD_FAILED' | 'EMBEDDER_MISMATCH' | 'EMBEDDER_FAILED' | 'CALLBACK_FAILED'
>

const rebuild = 'Your files are not touched by deleting the index; adding them again builds it anew.'

// This is a Record, so that the page does not compile if a new code of the package has no text here.
const WORDS: Record<Code, Words> = {
  LOCKED: {
    title: 'Another tab keeps the index to itself',
    text: 'It may have an older version of this page, or not answer. Reload or close it, then try again.',
    actions: ['retry'],
  },
  STORAGE_UNAVAILABLE: {
    title: 'This browser gives the page no place to keep files',
    text: 'Private windows often do not. Try an ordinary window, or a current Chrome, Edge or Firefox.',
    actions: ['retry'],
  },
  QUOTA_EXCEEDED: {
    title: 'There is no room left',
    text:
      'The browser refused to store more for this page. What was stored before is safe. Free some space, ' +
      'then go on.',
    actions: ['retry', 'delete'],
  },
  STORAGE_FAILED: {
    title: 'The disk did not take it',
    text: 'Reading or writing the index failed. Everything that was confirmed before is safe.',
    actions: ['retry', 'delete'],
  },
  CORRUPT: {
    title: 'The index is damaged',
    text: `Its files are not what was written. They were left untouched. ${rebuild}`,
    actions: ['delete', 'retry'],
  },
  UNSUPPORTED_VERSION: {
    title: 'The index was written by a newer version',
    text: `This version of the page cannot read it, and left it as it is. ${rebuild}`,
    actions: ['retry', 'delete'],
  },
  UNSUPPORTED: {
    title: 'This browser cannot do what the index needs',
    text: 'Try a current Chrome, Edge or Firefox.',
    actions: ['retry'],
  },
  DIMENSION_MISMATCH: {
    title: 'The index was made with another language model',
    text: `Its vectors have another length than this page's. ${rebuild}`,
    actions: ['delete'],
  },
  OUT_OF_MEMORY: {
    title: 'The browser ran out of memory',
    text: 'Close some other tabs and try again. What was stored is safe.',
    actions: ['retry'],
  },
  CAPACITY: {
    title: 'The index is full',
    text: `It has reached the largest size it may have. ${rebuild}`,
    actions: ['delete'],
  },
  FAILED: {
    title: 'The index stopped after a failed write',
    text:
      'It does not go on over a file in an unknown state. Opening it again checks the file and keeps all that ' +
      'was confirmed.',
    actions: ['retry'],
  },
  OUTCOME_UNKNOWN: {
    title: 'It is not known whether the last batch was stored',
    text: 'Trying again looks at what is there and adds only what is missing.',
    actions: ['retry'],
  },
  WORKER_FAILED: {
    title: 'The index could not be started',
    text: 'Its background worker did not load or has stopped.',
    actions: ['retry'],
  },
  CLOSED: {
    title: 'The index was closed',
    text: 'Open it again to go on.',
    actions: ['retry'],
  },
  NOT_FOUND: { title: 'The index is gone', text: 'It can be built again.', actions: ['retry'] },
  ALREADY_EXISTS: { title: 'The index is there already', text: 'Open it again to go on.', actions: ['retry'] },
  READ_ONLY: { title: 'The index is open for reading only', text: 'Open it again to go on.', actions: ['retry'] },
  INVALID_ARGUMENT: {
    title: 'The page asked for something impossible',
    text: 'This is a fault of the page. The index is as it was.',
    actions: ['retry'],
  },
  ABORTED: { title: 'Stopped', text: 'The work was stopped before it was done.', actions: ['retry'] },
}

/** Returns the text about an error for the user. The code and the message are shown, too. */
export function wordsFor(error: unknown): Words & { detail: string } {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof NidusError) {
    return { ...WORDS[error.code as Code], detail: `${error.code}: ${message}` }
  }
  if (error instanceof SetError) {
    return {
      title: 'The set could not be loaded',
      text: 'At the first visit its texts come over the network, and they did not arrive. Look at the connection.',
      actions: ['retry'],
      detail: message,
    }
  }
  if (error instanceof ModelError) {
    return {
      title: 'The language model could not be loaded',
      text: __MODEL_IS_LOCAL__
        ? 'Without it nothing is found by its meaning. Its files belong beside the page. Ask whoever runs this site.'
        : 'Without it nothing is found by its meaning. There is no copy beside the page, so it has to come from ' +
          'its hub, which needs a network.',
      actions: ['retry'],
      detail: message,
    }
  }
  return { title: 'Something went wrong', text: 'The index is as it was.', actions: ['retry'], detail: message }
}

export function isAbort(error: unknown) {
  return (
    (error instanceof DOMException && error.name === 'AbortError') ||
    (error instanceof NidusError && error.code === 'ABORTED')
  )
}

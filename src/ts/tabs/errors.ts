import { NidusError } from '../errors/errors.js'

/** The error of a call to a leader that does not answer. */
export const leaderSilent = (code: 'LOCKED' | 'STORAGE_UNAVAILABLE' | 'OUTCOME_UNKNOWN', name: string) =>
  new NidusError(
    code,
    `the store "${name}" is open in another tab, which does not answer (frozen, or in a debugger?): ` +
      (code === 'OUTCOME_UNKNOWN'
        ? 'it is not known whether the write is made, or will be made when that tab goes on. It is made whole or not ' +
          'at all'
        : 'show that tab or close it'),
  )

/** The error of a write whose leader ended, if the store cannot be opened to see whether it was made. */
export const writeUnknown = () =>
  new NidusError(
    'OUTCOME_UNKNOWN',
    'the tab that has the store ended before it answered, and the store cannot be opened here: the write is in the ' +
      'store whole or not at all',
  )

import { describe } from 'vitest'
import { dataTests } from './api-data'
import { inputTests } from './api-input'
import { lifeTests } from './api-life'
import type { Place } from './place'

export { SOON, codeOf, turnsOf, type Place } from './place'

/** Checks the promises of every kind of storage against a model. */
export function apiSuite(kind: string, place: Place) {
  describe(`the API over ${kind}`, () => {
    dataTests(place)
    inputTests(place)
    lifeTests(place)
  })
}

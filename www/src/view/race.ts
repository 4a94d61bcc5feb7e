import * as format from '../format'
import type { FromRace, Lane } from '../race/protocol'
import { element, make } from './dom'

type Result = Extract<FromRace, { type: 'result' }>

const TITLES: Record<Lane, string> = {
  vectors: 'By meaning: the 10 nearest vectors',
  words: 'By words: the 10 best texts',
}

let results: Result[] = []

const svg = (name: string, attributes: Record<string, string>) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

const times = (ratio: number) => `${ratio < 9.95 ? ratio.toFixed(1) : format.count(Math.round(ratio))} times`

/** One line of a chart: the name, a bar as long as the time, the time, and how many times as long as ours it is. */
function lane({ name, milliseconds, ours }: Result, most: number, own: Result | undefined) {
  const picture = svg('svg', { viewBox: '0 0 100 4', preserveAspectRatio: 'none', 'aria-hidden': 'true' })
  picture.append(svg('rect', { width: String(Math.max(0.5, (milliseconds / most) * 100)), height: '4', rx: '0.4' }))
  const ratio = own && !ours ? ` · ${times(milliseconds / own.milliseconds)}` : ''
  const made = make('li', ours ? 'lane ours' : 'lane')
  const took = make('span', 'took', `${format.milliseconds(milliseconds)}${ratio}`)
  made.append(make('span', '', name), picture, took)
  return made
}

function chart(of: Lane) {
  const all = results.filter(({ lane }) => lane === of)
  if (all.length === 0) return []
  const most = Math.max(...all.map(({ milliseconds }) => milliseconds))
  const own = all.find(({ ours }) => ours)
  return [make('div', '', make('h3', '', TITLES[of]), make('ul', '', ...all.map((each) => lane(each, most, own))))]
}

export const charts = {
  clear() {
    results = []
    element('race-charts').hidden = true
  },

  add(result: Result) {
    results.push(result)
    element('race-charts').hidden = false
    element('race-charts').replaceChildren(...chart('vectors'), ...chart('words'))
  },

  /** Says in one sentence how ours compares with the plain loop. */
  verdict() {
    const find = (ours: boolean) =>
      results.find((each) => each.lane === 'vectors' && (ours ? each.ours : each.name === 'JavaScript loop'))
    const [own, loop] = [find(true), find(false)]
    if (!own || !loop) return ''
    const ratio = loop.milliseconds / own.milliseconds
    return ratio >= 1
      ? `By meaning, a plain loop takes ${times(ratio)} as long as nidus-wasm.`
      : `By meaning, nidus-wasm takes ${times(1 / ratio)} as long as a plain loop.`
  },
}

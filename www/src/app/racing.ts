import storeFile from 'nidus-wasm/worker?worker&url'
import { confined } from '../confined'
import type { FromRace, Start } from '../race/protocol'
import file from '../race/race.worker.ts?worker&url'
import { element, setText } from '../view/dom'
import { charts } from '../view/race'

/** A race that says nothing for this long has failed, in milliseconds. */
const SILENCE = 120_000

/** Runs the race in a worker of its own, and shows each result as it comes. */
export async function race() {
  const start = element<HTMLButtonElement>('race')
  const label = start.querySelector('span')!
  const state = (text: string) => setText(element('race-state'), text)
  const address = (path: string) => new URL(path, document.baseURI).href
  start.disabled = true
  charts.clear()
  const worker = confined(file, 'race')
  try {
    await new Promise<void>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const wait = () => {
        clearTimeout(timer)
        timer = setTimeout(() => reject(new Error('a runner did not come to its end')), SILENCE)
      }
      wait()
      worker.onerror = (event) => reject(new Error(event.message || 'the worker could not start'))
      worker.onmessage = ({ data }: MessageEvent<FromRace>) => {
        wait()
        if (data.type === 'state') state(data.text)
        else if (data.type === 'result') charts.add(data)
        else if (data.type === 'failed') reject(new Error(data.message))
        else resolve()
        if (data.type === 'end') clearTimeout(timer)
      }
      const rows: Start = {
        texts: address('sets/dictionary.json'),
        vectors: address('sets/dictionary.i8'),
        store: address(storeFile),
      }
      worker.postMessage(rows)
    })
    state(`On this machine, now. ${charts.verdict()} The time of nidus-wasm includes the message to its worker.`)
    label.textContent = 'Run it again'
  } catch (error) {
    state(`The race stopped: ${(error as Error).message}. Start it again.`)
  } finally {
    worker.terminate()
    start.disabled = false
  }
}

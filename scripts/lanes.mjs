// Runs suites at the same time: while one waits for a browser, another computes.
import { spawn } from 'node:child_process'

/**
 * Runs `work` for each of `jobs`, at most `atOnce` at a time, in their order. A job must wait if its `ready` says no,
 * or if it takes what a running job has taken. Resolves when all have ended.
 */
export async function sideBySide(jobs, atOnce, work) {
  const waiting = [...jobs]
  const running = new Set()
  const taken = new Set()
  for (;;) {
    const next = waiting.findIndex(({ ready, takes }) => (!ready || ready()) && !(takes && taken.has(takes)))
    if (next >= 0 && running.size < atOnce) {
      const [job] = waiting.splice(next, 1)
      taken.add(job.takes)
      const done = work(job).finally(() => (running.delete(done), taken.delete(job.takes)))
      running.add(done)
      continue
    }
    if (running.size === 0) {
      if (waiting.length)
        throw new Error(`nothing runs that these wait for: ${waiting.map(({ name }) => name).join(', ')}`)
      return
    }
    await Promise.race(running)
  }
}

/**
 * Prints the output of several jobs without mixing them. The job that began first prints at once, and the others when
 * it has ended.
 */
export class Turns {
  #voices = []
  #write

  constructor(write) {
    this.#write = write
  }

  voice() {
    const voice = { kept: [], ended: false }
    this.#voices.push(voice)
    return {
      say: (text) => (this.#voices[0] === voice ? this.#write(text) : voice.kept.push(text)),
      end: () => {
        voice.ended = true
        while (this.#voices[0]?.ended) {
          this.#voices.shift()
          for (const text of this.#voices[0]?.kept.splice(0) ?? []) this.#write(text)
        }
      },
    }
  }

  /** Prints all output that is kept back. It is called when this process ends. */
  all() {
    for (const voice of this.#voices.slice(1)) for (const text of voice.kept.splice(0)) this.#write(text)
  }
}

/** Runs a program and prints its output in turn. Resolves to its exit code, or to 1 if it ends in any other way. */
export function heard(command, args, options, say) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', say)
    const stop = () => child.kill()
    process.once('exit', stop)
    child.on('error', (cause) => (say(`${command} could not be started: ${cause.message}\n`), resolve(1)))
    child.on('close', (code) => {
      process.off('exit', stop)
      resolve(code ?? 1)
    })
  })
}

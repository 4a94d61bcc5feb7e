/**
 * Runs the text of a function in a worker, so the function may use nothing from outside itself. It imports modules by
 * `load`, because the test runner rewrites `import()`.
 */
export function inWorker<A, R>(work: (argument: A, load: (url: string) => Promise<unknown>) => Promise<R>) {
  // The runner also rewrites `import()` in the package, to a call of a wrapper that only pages have.
  const script = `globalThis.__vitest_browser_runner__ = { wrapDynamicImport: (load) => load() }
  onmessage = async ({ data }) => {
    try {
      postMessage({ ok: await (${work.toString()})(data, (url) => import(url)) })
    } catch (error) {
      postMessage({ error: error.name + ': ' + error.message + ' ' + (error.code ?? '') + error.stack })
    }
  }`
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' })
  return {
    run: (argument: A) =>
      new Promise<R>((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<{ ok: R; error?: string }>) =>
          data.error ? reject(new Error(data.error)) : resolve(data.ok)
        worker.onerror = (event) => reject(new Error(event.message))
        worker.postMessage(argument)
      }),
    end: () => worker.terminate(),
  }
}

/** Returns a script for `patchedWorker`. Its variable `broken` is false until the test sends the message 'break'. */
export const breakable = (script: string) => `
  let broken = false
  addEventListener('message', (event) => {
    if (event.data !== 'break') return
    event.stopImmediatePropagation()
    broken = true
  })
  ${script}`

/**
 * Starts the package's worker after a script of the test. Messages that arrive before the worker has loaded are kept
 * for it. Messages that are strings are for the script, whose listener stops them.
 */
export function patchedWorker(first: string): Worker {
  const script = `${first}
    const queue = []
    const hold = (event) => queue.push(event.data)
    addEventListener('message', hold)
    import(${JSON.stringify(new URL('../../dist/worker.js', import.meta.url).href)}).then(() => {
      removeEventListener('message', hold)
      for (const data of queue) dispatchEvent(new MessageEvent('message', { data }))
    })`
  return new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' })
}

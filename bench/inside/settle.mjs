/**
 * Searches until searches get no faster, because the package makes codes in the background after an opening or an
 * insert. Returns the time of the first search, the moment at which codes were ready (`ms`), the slowest search, and
 * the time of the fastest of the last searches (`p50`). Codes count as ready once one of five searches takes at most
 * 1.15 times as long as that. Nothing announces that moment, so it is found afterwards.
 */
export async function settle(search, { least = 300, most = 20_000 } = {}) {
  const began = performance.now()
  const seen = []
  const low = (list) => Math.min(...list.map(([, ms]) => ms))
  for (;;) {
    const at = performance.now()
    await search()
    const ended = performance.now()
    seen.push([ended - began, ended - at])
    // Background work needs turns of the event loop.
    await pause(5)
    const time = performance.now() - began
    const recent = seen.filter(([when]) => when > time - least)
    const before = seen.filter(([when]) => when <= time - least && when > time - 2 * least)
    const quiet = before.length > 2 && recent.length > 2 && low(before) < low(recent) * 1.15
    if ((quiet && time > 2 * least) || time > most) break
  }
  const end = low(seen.slice(-Math.max(3, seen.length >> 2)))
  const index = seen.findIndex((_, i) => low(seen.slice(i, i + 5)) <= end * 1.15)
  return {
    first: seen[0][1],
    ms: index <= 0 ? 0 : seen[index][0],
    slowest: Math.max(...seen.map(([, ms]) => ms)),
    p50: end,
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Waits until nearly all rows have codes: the last few get none. Also stops waiting when their number stays the same,
 * because small stores have no codes. Returns their number.
 */
export async function allCoded(codedRows, rows) {
  const PATIENCE_MS = 3000
  let coded = -1
  let grew = performance.now()
  while (coded < rows - 16 && performance.now() - grew < PATIENCE_MS) {
    const now = await codedRows()
    if (now > coded) grew = performance.now()
    coded = now
    await pause(20)
  }
  return coded
}

/** Waits until this process has nearly nothing to do. `busy()` returns its processor time so far, in milliseconds. */
async function idle(busy) {
  const WINDOW_MS = 250
  const SHARE = 0.1
  const MOST_MS = 120_000
  const began = performance.now()
  for (let quiet = 0; quiet < 3 && performance.now() - began < MOST_MS;) {
    const [before, from] = [busy(), performance.now()]
    await pause(WINDOW_MS)
    quiet = busy() - before < SHARE * (performance.now() - from) ? quiet + 1 : 0
  }
}

/**
 * Waits until all codes are made. Codes are also made again, with another basis, and nothing announces when that is
 * done. So this waits until the process is idle, or, without `busy`, until searches get no faster for some seconds.
 * Returns the number of rows that have codes.
 */
export async function coded(instance, rows, search, busy) {
  const count = await allCoded(instance.codedRows, rows)
  if (busy) await idle(busy)
  else await settle(search, { least: 2500, most: 60_000 })
  return count
}

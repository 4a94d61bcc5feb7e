import { confined } from './confined'
import { DIMENSION } from './embedder'
import file from './map.worker.ts?worker&url'

/** Draws all passages as points. Similar passages are near each other. Results are highlighted. */
export class Map2D {
  #canvas: HTMLCanvasElement
  #points = new Float32Array()
  #places = new Map<string, number>()
  #colours: string[] = []
  #found: string[] = []
  #worker: Worker | undefined

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas
    new ResizeObserver(() => this.draw()).observe(canvas)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw())
  }

  /** Computes the places of the passages in a worker, and draws them. The worker gets a copy of the vectors. */
  async show(ids: string[], groups: string[], vectors: Float32Array) {
    this.#worker?.terminate()
    const worker = (this.#worker = confined(file, 'map'))
    const copy = vectors.slice()
    const points = await new Promise<Float32Array>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data)
      worker.onerror = (event) => reject(new Error(event.message))
      worker.postMessage({ vectors: copy, dimension: DIMENSION }, [copy.buffer])
    }).finally(() => worker.terminate())
    if (worker !== this.#worker) return
    this.#points = points as Float32Array<ArrayBuffer>
    this.#places = new Map(ids.map((id, n) => [id, n]))
    const names = [...new Set(groups)]
    // Each folder has a colour. The hues are as far apart as possible.
    this.#colours = groups.map((group) => `hsl(${Math.round((names.indexOf(group) * 137.5) % 360)} 45% 50%)`)
    this.draw()
  }

  clear() {
    this.#worker?.terminate()
    this.#points = new Float32Array()
    this.#places.clear()
    this.draw()
  }

  light(ids: string[]) {
    this.#found = ids
    this.draw()
  }

  get lit() {
    return this.#found.filter((id) => this.#places.has(id)).length
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas
    const context = this.#canvas.getContext('2d')
    if (!context || width === 0) return
    const ratio = devicePixelRatio || 1
    this.#canvas.width = width * ratio
    this.#canvas.height = height * ratio
    context.scale(ratio, ratio)
    const points = this.#points
    const count = points.length / 2
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity]
    for (let n = 0; n < count; n++) {
      left = Math.min(left, points[2 * n]!)
      right = Math.max(right, points[2 * n]!)
      top = Math.min(top, points[2 * n + 1]!)
      bottom = Math.max(bottom, points[2 * n + 1]!)
    }
    const edge = 8
    const x = (n: number) => edge + ((points[2 * n]! - left) / (right - left || 1)) * (width - 2 * edge)
    const y = (n: number) => edge + ((points[2 * n + 1]! - top) / (bottom - top || 1)) * (height - 2 * edge)
    const size = count < 2000 ? 3 : 2
    context.globalAlpha = this.#found.length ? 0.35 : 0.7
    for (let n = 0; n < count; n++) {
      context.fillStyle = this.#colours[n]!
      context.fillRect(x(n) - size / 2, y(n) - size / 2, size, size)
    }
    context.globalAlpha = 1
    const ink = getComputedStyle(this.#canvas).color
    for (const id of this.#found) {
      const n = this.#places.get(id)
      if (n === undefined) continue
      context.beginPath()
      context.arc(x(n), y(n), 4, 0, 2 * Math.PI)
      context.fillStyle = ink
      context.fill()
    }
  }
}

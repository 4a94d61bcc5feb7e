import type { Nidus } from 'nidus-wasm'

export const DIMENSION: number
export function operate(db: Nidus, seed: number, number: number): Promise<unknown>
export function digest(db: Nidus): Promise<string>

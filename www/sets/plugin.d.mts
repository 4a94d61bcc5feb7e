import type { Plugin } from 'vite'
export function sets(): Plugin

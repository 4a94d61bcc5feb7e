import type { Plugin } from 'vite'
export function guidePages(policy: string): { fileName: string; source: string }[]
export function guides(policy: string): Plugin

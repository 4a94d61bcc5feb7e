declare module 'virtual:public-types' {
  export const taken: import('../common/public-types.mjs').Taken[]
  export const methods: Record<string, string[]>
}

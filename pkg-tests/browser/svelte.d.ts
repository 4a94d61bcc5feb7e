declare module '*.svelte' {
  const component: import('svelte').Component<{ notes: unknown }>
  export default component
}

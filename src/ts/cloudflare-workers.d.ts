declare module 'cloudflare:workers' {
  export class DurableObject<Env> {
    constructor(ctx: unknown, env: Env)
    protected readonly env: Env
  }
}

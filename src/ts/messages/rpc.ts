import { createBirpc } from 'birpc'
import { poster, type Port } from './poster.js'

/** A worker, its scope, or a message port. */
export interface MessageTarget extends Port {
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void
}

type Functions<Side> = { [F in keyof Side]-?: Extract<Side[F], (...args: never[]) => unknown> }
export type ArgsOf<Side, F extends keyof Side> = Parameters<Functions<Side>[F]>
export type ResultOf<Side, F extends keyof Side> = Awaited<ReturnType<Functions<Side>[F]>>

/** The way to the functions of the other side. */
export interface Rpc<Side> {
  /** Calls a function of the other side and resolves with its result. */
  ask<F extends keyof Side & string>(method: F, ...args: ArgsOf<Side, F>): Promise<ResultOf<Side, F>>
  /** Calls a function of the other side and waits for no answer. */
  tell<F extends keyof Side & string>(method: F, ...args: ArgsOf<Side, F>): void
  /** Rejects what was asked and has no answer. */
  close(): void
}

/** Gives `functions` to the other side, and returns the way to that side's own. */
export function rpcOver<Side>(
  port: Port,
  functions: object,
  on: (receive: (message: unknown) => void) => void,
): Rpc<Side> {
  const { $callRaw, $close } = createBirpc(functions as Record<string, never>, {
    post: poster(port),
    on,
    timeout: -1,
    proxify: false,
  })
  return {
    ask: (method, ...args) => $callRaw({ method, args }) as never,
    tell: (method, ...args) => void $callRaw({ method, args, event: true }),
    close: $close,
  }
}

/** Does the same with a target whose messages are events. */
export const rpcWith = <Side>(target: MessageTarget, functions: object): Rpc<Side> =>
  rpcOver(target, functions, (receive) =>
    target.addEventListener('message', ({ data }) => {
      if (Array.isArray(data)) for (const message of data) receive(message)
    }),
  )

import { afterEach, expect } from 'vitest'
import { tcpStore } from '../../../adapters/tcp/index.ts'
import { type Server, startServer } from '../../../scripts/servers.ts'
import type { Lock } from '../../../src/lock/index.ts'
import type { AtomicStore } from '../../../src/store/store.ts'

/** Closers of what a test has opened. They run after the test, the last first. */
export const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
export const code = (code: string): unknown => expect.objectContaining({ code })

export async function held(pending: Promise<Lock | undefined>): Promise<Lock> {
  const lock = await pending
  if (!lock) throw new Error('it is taken')
  return lock
}
export async function serve(...args: string[]): Promise<Server> {
  const server = await startServer('redis7', { args })
  closing.push(() => server.stop())
  return server
}
export const open = (url: string, timeoutMs?: number): AtomicStore => {
  const store = tcpStore({ url, ...(timeoutMs && { timeoutMs }) })
  closing.push(() => store.close())
  return store
}

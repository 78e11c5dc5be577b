import type { Call } from '../store/store.ts'
import type { SessionMaker } from './maker.ts'
import { endSession } from './operations.ts'

/**
 * Ends a session, also where other requests have rotated it meanwhile, whether they have saved it or not. Resolves to whether
 * there was one.
 */
export async function endEverywhere(
  { store, sessionKey, idleMs }: SessionMaker,
  handle: string,
  call: Call | undefined,
): Promise<boolean> {
  let text = await store.run(endSession, sessionKey(handle), ['', 0], call)
  while (/^r1./.test(text)) text = await store.run(endSession, sessionKey(text.slice(2)), ['', idleMs], call)
  return text.startsWith('s1')
}

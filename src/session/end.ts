import type { Call } from '../store/store.ts'
import type { SessionMaker } from './maker.ts'
import { endSession } from './operations.ts'

/**
 * Ends a session, also when other requests have rotated it meanwhile, whether or not they have saved it under its new id. Follows
 * the marks that rotations have left. Resolves to whether there was a session.
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

import { type Command, ReplyError, type Transport, type Wire } from '../store/transport.ts'

/** Keys whose types are asked for at once. */
const BATCH = 1000

/**
 * The reply of a SCAN with the type of each key after it. Keys that are gone meanwhile are left out. More than `most` keys are an
 * error. Rejects as the transport does, although the SCAN has run.
 */
export async function addTypes(
  transport: Transport,
  reply: Wire,
  call: { readonly deadline?: number; readonly bytes?: boolean },
  most: number,
): Promise<Wire> {
  if (!Array.isArray(reply)) return reply
  const [cursor, keys] = reply as unknown as readonly [Wire, readonly (string | Uint8Array)[]]
  if (keys.length > most) return new ReplyError('ERR the SCAN ran; WITHTYPE would need the types of too many keys')
  const typed: Wire[] = []
  for (let at = 0; at < keys.length; at += BATCH) {
    const batch = keys.slice(at, at + BATCH)
    const types = await transport.sendMany(
      batch.map((key): Command => ({ args: ['TYPE', key], effect: 'read' })),
      { ...call, bytes: false },
    )
    const failed = types.find((type) => type instanceof ReplyError)
    if (failed) return failed
    for (const [i, key] of batch.entries()) if (types[i] !== 'none') typed.push(key, types[i] as string)
  }
  return [cursor, typed]
}

import { entryTable } from '../../src/cache/steps/entry.ts'
import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import type { Arg, Operation, Reply } from '../../src/protocol/operation.ts'
import { now } from '../../src/runtime/clock.ts'
import { checkValue } from '../../src/store/checks.ts'
import type { StoreTraits } from '../../src/store/store.ts'
import { type CallLimits, type Held, runBySwap } from '../../src/store/swap.ts'
import { bytesOf } from './bytes.ts'
import type { Client } from './client.ts'
import { FRAMED, frame, itemOf, textOf } from './frame.ts'
import type { Command, Place } from './request.ts'
import { addFlags, type Condition, condition, setFlags, wireTtl } from './wire.ts'

interface Current extends Held {
  /** Condition under which the item may be replaced. */
  readonly only: Condition
  /** Whether the value is the whole item, without a frame, as other programs read it. */
  readonly isBare: boolean
}

const ABSENT: Current = { text: undefined, only: 'absent', endMs: undefined, isBare: true }

interface Target {
  readonly client: Client
  readonly place: Place
  readonly limits: CallLimits
}

export interface Step<A extends readonly Arg[], R extends Reply> extends Target {
  readonly traits: StoreTraits
  readonly operation: Operation<A, R>
  readonly args: A
}

/** Runs an operation by memcached's own command if one does the same, else by compare-and-swap. */
export async function runStep<A extends readonly Arg[], R extends Reply>(step: Step<A, R>): Promise<R> {
  const { client, place, operation, args, limits } = step
  // Not for a key in base64: after `ma` has created an item under it, `mg` names the item by its raw bytes, which may
  // contain a line break.
  const own = place.hashedKey || place.flag ? undefined : countingOf(operation.name, args)
  if (own && own.by > 0) {
    const counted = await count(step, own)
    if (counted !== undefined) return counted as R
  }
  return runBySwap(operation, args, limits, {
    table: entryTable,
    read: () => client.ask(place, READ, limits),
    swap: async (current, next, endMs) =>
      own && /^\d+$/.test(current.text ?? '') && current.isBare && Number(next) >= 0
        ? (await add(step, own.by, 'exists', current.only)) !== false
        : write(step, current.only, next, endMs),
  })
}

const READ: Command<Current> = {
  verb: 'mg',
  flags: ' v f t c',
  body: undefined,
  effect: 'read',
  read(reply, { hashedKey }) {
    const { code, flags, seconds, cas } = reply
    if (code !== 'VA') return ABSENT
    // The server has no CAS numbers, so it would refuse each conditional write.
    if (cas === '0') throw new HitherError('UNSUPPORTED', 'operations need CAS: start memcached without -C')
    const item = itemOf(reply, flags, hashedKey)
    const isBare = flags !== FRAMED
    const found = { only: cas, isBare }
    // The lifetime is over, though the server still has the item. So it is absent, and may be replaced by its CAS number.
    if (!item || (item.endMs > 0 && item.endMs <= now())) return { ...found, text: undefined, endMs: undefined }
    const ownMs = isBare && seconds >= 0 ? now() + seconds * 1000 : undefined
    return { ...found, text: textOf(item.bytes, item.from, item.to), endMs: item.endMs || ownMs }
  },
}

/** Resolves to false if the item has changed since it was read. */
async function write<A extends readonly Arg[], R extends Reply>(
  { client, traits, place, operation, limits }: Step<A, R>,
  only: Condition,
  next: string | undefined,
  endMs: number | undefined,
): Promise<boolean> {
  const nowMs = now()
  const isGone = next === undefined || (endMs !== undefined && endMs <= nowMs)
  if (isGone && only === 'absent') return true
  if (!isGone) checkValue(next, traits)
  // Other programs read a plain value and know no frame, so it gets none. Only the server ends its lifetime.
  const isFramed = place.hashedKey !== '' || (endMs !== undefined && !operation.name.startsWith('plain.'))
  const ttl = endMs === undefined ? 0 : wireTtl(endMs - nowMs, nowMs)
  const body = bytesOf((isFramed ? frame(endMs ?? 0, place.hashedKey) : '') + (next ?? ''))
  const settings = { ttl, flags: isFramed ? FRAMED : 0, only }
  const command: Command<boolean> = {
    verb: isGone ? 'md' : 'ms',
    flags: isGone ? condition(only) : setFlags(body.length, settings),
    body: isGone ? undefined : body,
    // Not resent. The condition would fail if the first send had taken effect, but that says nothing: another client may have
    // seen that effect and undone it meanwhile.
    effect: 'once',
    // Also false if another client deleted the item first: then that client took the value, and this one did not.
    read: ({ code }) => code === 'HD',
  }
  return client.ask(place, command, limits)
}

/** An operation that memcached has a command for: it adds to a decimal number and keeps the item's lifetime. */
interface Counting {
  readonly by: number
  readonly lifeMs: number
}

function countingOf(name: string, args: readonly Arg[]): Counting | undefined {
  if (name === 'counter.add') {
    const [by, lifeMs, , max = ''] = args
    return max === '' && Number(by) > 0 ? { by: Number(by), lifeMs: Number(lifeMs) } : undefined
  }
  if (name !== 'plain.once' || args[0] !== 'increment') return undefined
  const by = Number(args[4])
  return by === 0 || !Number.isSafeInteger(by) ? undefined : { by, lifeMs: Number(args[3]) }
}

/** Resolves to the new total, to `OVERFLOW`, or to undefined if the key holds no number that the server can add to. */
async function count(target: Target, { by, lifeMs }: Counting): Promise<string | undefined> {
  const ttl = wireTtl(lifeMs || undefined, now())
  const total = await add(target, by, ttl, undefined).catch((error: unknown): false => {
    if (error instanceof StoreRejectedError && error.reply === 'CLIENT_ERROR') return false
    throw error
  })
  if (total === false) return undefined
  if (Number(total) <= Number.MAX_SAFE_INTEGER) return total
  await add(target, -by, 'exists', undefined)
  return 'OVERFLOW'
}

/** Resolves to the digits of the total, or to false if the condition does not hold. */
function add(
  { client, place, limits }: Target,
  by: number,
  ttl: number | 'exists',
  only: Condition,
): Promise<string | false> {
  const command: Command<string | false> = {
    verb: 'ma',
    flags: addFlags(by, ttl, only),
    body: undefined,
    effect: 'once',
    read: ({ code, bytes, from, to }) => code === 'VA' && textOf(bytes, from, to),
  }
  return client.ask(place, command, limits)
}

import { HitherError, isHitherError } from '../errors.ts'
import { now } from '../runtime/clock.ts'
import { type BatchCall, type Command, ReplyError, type Transport, type Wire } from '../store/transport.ts'
import { type Answer, tooLarge } from './answer.ts'
import { weightOf } from './encode.ts'
import type { Metrics } from './metrics.ts'
import type { Settings } from './options.ts'
import { type Place, type Plan, planCommands, type RunRequest } from './plan.ts'
import { Refusal } from './refusal.ts'
import { isText } from './reply.ts'
import { createScriptCheck } from './script-check.ts'
import { createScriptFlags } from './scripts.ts'
import { createSlots, isCrossSlot, splitByKey } from './slots.ts'
import { addTypes } from './types-of-keys.ts'

/** Replies that do not go into the response yet: of a command split by key, or one that needs further commands. */
interface Unfinished {
  readonly place: Place
  readonly replies: Wire[]
  /** Bytes that the response holds for these replies. */
  bytes: number
}

/** Puts the reply of each command into the response as it arrives, so that no more is held than the response may hold. */
function createCollector({ commands, places }: Plan, answer: Answer, maxBytes: number, metrics: Metrics) {
  const taken = new Uint8Array(commands.length)
  const unfinished = new Map<Place, Unfinished>()
  const keep = (place: Place, at: number, reply: Wire): void => {
    const kept = unfinished.get(place) ?? { place, replies: [], bytes: 0 }
    unfinished.set(place, kept)
    const weight = weightOf(reply, maxBytes)
    const fits = answer.hold(weight)
    if (fits) kept.bytes += weight
    kept.replies[at - place.from] = fits ? reply : tooLarge(maxBytes)
  }
  return {
    unfinished,
    onReply(reply: Wire, at: number): Wire {
      const place = places[at] as Place
      taken[at] = 1
      metrics.command(place.name, reply instanceof ReplyError)
      const more = place.split || place.withTypes || (place.mayGoByKey && isCrossSlot(reply))
      if (more) keep(place, at, reply)
      else answer.put(place.at, place.loaded !== undefined && isText(reply) ? place.loaded : reply)
      return null
    },
    /** Takes the replies that the transport returned at the end, instead of one by one. */
    takeRest(replies: readonly Wire[]): void {
      for (const at of commands.keys()) if (!taken[at]) this.onReply(replies[at] ?? null, at)
    },
  }
}

export interface Runner {
  /** Runs the commands of a request that may run, in order, and puts their replies into its response. */
  run(request: RunRequest): Promise<void>
}

export function createRunner(transport: Transport, settings: Settings, metrics: Metrics): Runner {
  const { timeoutMs, maxAnswerBytes, maxCommands } = settings
  const translate = createScriptFlags()
  const slots = createSlots(transport, () => now() + timeoutMs)
  const scriptsAreAtomic = createScriptCheck(transport)
  const options = { translate, slots, cluster: transport.cluster === true, scriptsAreAtomic }

  const send = async (
    path: RunRequest['path'],
    commands: readonly Command[],
    call: BatchCall,
  ): Promise<readonly Wire[]> => {
    const { deadline, bytes, onReply } = call as Required<BatchCall>
    if (path === '/multi-exec') return transport.transaction(commands, { deadline, bytes })
    const [first] = commands as [Command]
    if (commands.length === 1) return [await transport.send(first, { deadline, bytes })]
    return transport.sendMany(commands, { deadline, bytes, onReply })
  }

  /** The final reply of a command, made from its first replies. */
  const finish = async ({ place, replies }: Unfinished, call: BatchCall, typesLeft: number): Promise<Wire> => {
    if (place.split) return place.split.merge(replies)
    const [reply = null] = replies
    if (place.withTypes) return addTypes(transport, reply, call, typesLeft)
    slots.learn()
    const split = splitByKey(place.name, place.args) as NonNullable<Place['split']>
    const effect = place.name === 'DEL' || place.name === 'UNLINK' ? 'once' : 'read'
    const commands = split.commands.map((args): Command => ({ args, effect }))
    let left = maxAnswerBytes
    const onReply = (each: Wire): Wire => {
      left -= weightOf(each, maxAnswerBytes)
      return left < 0 ? tooLarge(maxAnswerBytes) : each
    }
    return split.merge(await transport.sendMany(commands, { ...call, onReply }))
  }

  return {
    async run(request) {
      const { path, answer } = request
      const plan = await planCommands(request, options)
      if (plan.commands.length === 0) return
      const collector = createCollector(plan, answer, maxAnswerBytes, metrics)
      const call = {
        deadline: now() + timeoutMs,
        // Keys must arrive as bytes, because TYPE is asked with them.
        bytes: request.bytes || plan.places.some(({ withTypes }) => withTypes),
      }
      collector.takeRest(await send(path, plan.commands, { ...call, onReply: collector.onReply }))
      let typesLeft = maxCommands
      for (const each of collector.unfinished.values()) {
        if (answer.overflowed()) break
        const reply = await finish(each, call, typesLeft).catch((error: unknown) => afterRun(error, path === '/'))
        if (each.place.withTypes && Array.isArray(reply)) typesLeft -= (reply[1] as readonly Wire[]).length / 2
        answer.unhold(each.bytes)
        answer.put(each.place.at, reply)
      }
      if (answer.overflowed()) throw overflow(plan.commands.every(({ effect }) => effect === 'read'))
    },
  }
}

/**
 * Handles an error after the commands ran. A single command rejects, with `maybeExecuted`; a batch keeps its other replies.
 */
function afterRun(error: unknown, isSingle: boolean): Wire {
  const code = isHitherError(error) ? error.code : 'INTERNAL'
  if (!isSingle) return new ReplyError(`ERR upstream ${code}: no answer from Redis, the command may have run`)
  throw new HitherError(isHitherError(error) ? error.code : 'STORE_UNAVAILABLE', 'no answer', { maybeExecuted: true })
}

function overflow(readsOnly: boolean): Error {
  if (readsOnly) return new Refusal(503, 'ERR the gateway is full of answers, nothing was changed')
  return new HitherError('OVERLOADED', 'the gateway is full of answers', { maybeExecuted: true })
}

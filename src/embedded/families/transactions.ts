import { type Client, type Family, LATER, type Outcome } from '../contracts.ts'
import { run } from '../dispatch.ts'
import { fail, NULL_ARRAY, OK, type Reply, replyOf } from '../reply.ts'

function end(client: Client): void {
  client.queue = undefined
  client.aborted = false
  client.engine.unwatch(client)
}

const isDirty = (client: Client): boolean => {
  if (client.dirty) return true
  for (const { db, key, expired } of client.watched.values()) {
    const endMs = db.ends.get(key)
    if (!expired && endMs !== undefined && endMs <= client.now) return true
  }
  return false
}

function exec(client: Client): Outcome {
  const { engine, queue, aborted } = client
  if (!queue) return fail('ERR EXEC without MULTI')
  const dirty = isDirty(client)
  if (!aborted && !dirty && engine.scripts.needs(queue)) return engine.scripts.openThen(client, () => exec(client))
  end(client)
  if (aborted) return fail('EXECABORT Transaction discarded because of previous errors.')
  if (dirty) return NULL_ARRAY
  const replies: Reply[] = []
  const { mayWait } = client
  client.mayWait = false
  engine.depth++
  try {
    for (const { command, args } of queue) {
      try {
        client.collected = []
        const outcome = run(engine, client, command, args)
        for (const reply of client.collected.length > 0 ? client.collected : [outcome as Reply]) replies.push(reply)
      } catch (error) {
        replies.push(replyOf(error))
      }
    }
  } finally {
    engine.depth--
    client.mayWait = mayWait
    client.collected = undefined
  }
  return replies.map((reply) => ((reply as unknown) === LATER ? null : reply))
}

export const transactions: Family = {
  multi(client) {
    if (client.queue) fail('ERR MULTI calls can not be nested')
    client.queue = []
    return OK
  },
  exec,
  discard(client) {
    if (!client.queue) fail('ERR DISCARD without MULTI')
    end(client)
    return OK
  },
  watch(client, args) {
    if (client.queue) fail('ERR WATCH inside MULTI is not allowed')
    for (const key of args.slice(1)) client.engine.watch(client, key)
    return OK
  },
  unwatch(client) {
    client.engine.unwatch(client)
    return OK
  },
}

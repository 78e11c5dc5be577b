import type { Client, Family } from '../contracts.ts'
import { type Dumped, dumpValue, isDumped, loadValue } from '../dump.ts'
import { int } from '../numbers.ts'
import { readPayload, writePayload } from '../payload.ts'
import { fail, OK, type Reply } from '../reply.ts'
import { Hash, type Value } from '../values.ts'
import { SYNTAX } from './strings.ts'

export const WRONG_PAYLOAD = 'ERR DUMP payload version or checksum are wrong'

function dump(client: Client, [, key = '']: readonly string[]): Reply {
  const value = client.find(key)
  return value === undefined ? null : writePayload(dumpValue(value))
}

/** Throws an error reply for a payload that DUMP has not written. */
function read(payload: string): { readonly value: Value; readonly dumped: Dumped } {
  const { content } = readPayload(payload) ?? fail(WRONG_PAYLOAD)
  try {
    if (isDumped(content)) return { value: loadValue(content), dumped: content }
  } catch {
    // The error below is thrown instead.
  }
  return fail('ERR Bad data format')
}

interface Options {
  replace: boolean
  isMoment: boolean
}

function readOptions(args: readonly string[]): Options {
  const options = { replace: false, isMoment: false }
  let use: string | undefined
  for (let i = 4; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    const hasMore = i + 1 < args.length
    if (word === 'REPLACE') options.replace = true
    else if (word === 'ABSTTL') options.isMoment = true
    else if (word === 'IDLETIME' && hasMore && use !== 'FREQ') {
      if (int(args[++i]) < 0) fail('ERR Invalid IDLETIME value, must be >= 0')
      use = word
    } else if (word === 'FREQ' && hasMore && use !== 'IDLETIME') {
      const uses = int(args[++i])
      if (uses < 0 || uses > 255) fail('ERR Invalid FREQ value, must be >= 0 and <= 255')
      use = word
    } else fail(SYNTAX)
  }
  return options
}

function restore(client: Client, args: readonly string[]): Reply {
  const [, key = '', ttl, payload = ''] = args
  const { replace, isMoment } = readOptions(args)
  if (!replace && client.find(key) !== undefined) fail('BUSYKEY Target key name already exists.')
  const ms = int(ttl)
  if (ms < 0) fail('ERR Invalid TTL value, must be >= 0')
  const { value, dumped } = read(payload)
  const wasThere = client.remove(key)
  const endMs = ms === 0 ? undefined : isMoment ? ms : client.now + ms
  if (endMs !== undefined && endMs <= client.now) {
    if (wasThere) client.changed(key, 'g', 'del')
    return OK
  }
  client.replace(key, value)
  if (endMs !== undefined) client.db.ends.set(key, endMs)
  if (value instanceof Hash) {
    for (const [name, , end] of dumped[1] as [string, string, number | null][]) {
      if (end !== null) client.db.setFieldEnd(key, value, name, end)
    }
  }
  client.changed(key, 'g', 'restore')
  return OK
}

export const dumps: Family = { dump, restore }

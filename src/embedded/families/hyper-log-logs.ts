import type { Client, Family } from '../contracts.ts'
import { addElement, emptyRegisters, estimate, mergeInto, readRegisters, writeRegisters } from '../hyper-log-log.ts'
import { fail, OK, type Reply } from '../reply.ts'

const INVALID = 'WRONGTYPE Key is not a valid HyperLogLog string value.'

/** The registers of a key; undefined if it does not exist. */
function registersOf(client: Client, key: string): Uint8Array | undefined {
  const value = client.string(key)
  return value === undefined ? undefined : (readRegisters(value) ?? fail(INVALID))
}

function add(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const old = registersOf(client, key)
  const registers = old ?? emptyRegisters()
  let grew = !old
  for (const element of args.slice(2)) if (addElement(registers, element)) grew = true
  if (!grew) return 0
  client.put(key, writeRegisters(registers))
  client.changed(key, '$', 'pfadd')
  return 1
}

export const hyperLogLogs: Family = {
  pfadd: add,
  pfcount(client, args) {
    const all = emptyRegisters()
    for (const key of args.slice(1)) {
      const registers = registersOf(client, key)
      if (registers) mergeInto(all, registers)
    }
    return estimate(all)
  },
  pfmerge(client, args) {
    const target = args[1] as string
    const all = emptyRegisters()
    for (const key of args.slice(1)) {
      const registers = registersOf(client, key)
      if (registers) mergeInto(all, registers)
    }
    client.put(target, writeRegisters(all))
    client.changed(target, '$', 'pfadd')
    return OK
  },
}

import { now } from '../../src/runtime/clock.ts'
import { soon } from '../../src/runtime/per-tick.ts'
import { divideIntoWrites } from '../../src/store/writes.ts'
import { closed } from './errors.ts'
import { arm } from './patience.ts'
import type { Entry, Wiring } from './wiring.ts'

/** Bytes passed to the socket in one write, roughly. */
const WRITE_BYTES = 65_536

/** Writes the waiting entries after this run of microtasks, so that its calls share a write. */
export function schedule(on: Wiring): void {
  on.scheduled = true
  soon(() => soon(() => flush(on)))
}

/** Writes the waiting entries, until the socket accepts no more. */
export function flush(on: Wiring): void {
  const { unsent, encoder } = on
  on.scheduled = false
  const isFull = divideIntoWrites(unsent.size())
  while (!on.blocked && unsent.size() > 0 && (on.state === 'ready' || on.state === 'leaving')) {
    let hasRoom = true
    while (hasRoom && unsent.size() > 0 && encoder.size() < WRITE_BYTES) {
      const entry = unsent.shift() as Entry
      hasRoom = !isFull(entry.commands[0]?.args ?? [])
      if (!entry.over) put(on, entry)
      else {
        on.load -= entry.commands.length
        on.deserted--
      }
    }
    on.blocked = !write(on)
    arm(on, on.heardAt + on.settings.linkTimeoutMs)
  }
  if (on.state === 'leaving' && on.load === 0) on.end(closed())
}

/** Adds an entry's commands to the next write. */
export function put(on: Wiring, entry: Entry): void {
  entry.sent = true
  if (on.sent.size() === 0) on.heardAt = now()
  on.sent.push(entry)
  for (const { args } of entry.commands) on.encoder.add(args)
}

/** Passes the encoded commands to the socket. Returns false if the socket accepts no more for now. */
export function write({ encoder, socket }: Wiring): boolean {
  const { chunks, ascii } = encoder.take()
  return socket ? socket.write(chunks, ascii) : true
}

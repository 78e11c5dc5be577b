/**
 * A child process that consumes the stream `jobs`. It adds each entry to the list `done` before it acknowledges the entry. Its
 * parent may kill it at any moment.
 */
import { tcpStore } from '../../../adapters/tcp/index.ts'
import { upstashStore } from '../../../adapters/upstash/index.ts'
import type { CommandStore } from '../../../src/index.ts'
import { list, stream } from '../../../src/structures/index.ts'
import type { Address } from './store.ts'

export interface ConsumerOptions {
  readonly address: Address
  readonly namespace: string
  readonly consumer: string
}

/** Opens a store. Its streams wait on the server if the transport can. */
export function openCommandStore({ urls: [url = ''], token }: Address): CommandStore {
  return token ? upstashStore({ url, token }) : tcpStore({ url })
}

const { address, namespace, consumer } = JSON.parse(process.argv[2] ?? '{}') as Partial<ConsumerOptions>
if (address && namespace && consumer) {
  const space = { store: openCommandStore(address), namespace }
  const done = list<[number, number]>(space, 'done')
  process.on('disconnect', () => process.exit())
  for await (const entry of stream<number>(space, 'jobs')
    .group('g')
    .consume({ consumer, claimAfter: '300ms', batch: 8 })) {
    await done.append([[entry.value, entry.deliveries]])
    await entry.ack()
    process.send?.('one')
  }
}

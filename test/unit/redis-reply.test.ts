import { StoreRejectedError } from 'hither'
import { expect, it } from 'vitest'
import { repliesOf, toFault } from '../../adapters/cloudflare/redis-reply.ts'

it('the error of a refused transaction is the same on both sides of a Durable Object', () => {
  for (const message of [
    'CLUSTERDOWN The cluster is down and only accepts read commands',
    'LOADING Redis is loading the dataset in memory',
    "ERR ACL failure in script: User app has no permissions to run the 'set' command",
  ]) {
    const sent = new StoreRejectedError('EXEC', { word: message.split(' ')[0] as string, message })
    const { code, reply, command, retryable, message: text } = sent
    const fault = structuredClone(toFault(sent))
    const error = expect.objectContaining({ code, reply, command, retryable, message: text })
    expect(() => repliesOf(fault)).toThrow(error)
    expect(() => repliesOf(fault)).toThrow(StoreRejectedError)
  }
})

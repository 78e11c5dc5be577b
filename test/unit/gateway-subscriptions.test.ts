import { describe, expect, it } from 'vitest'
import { HitherError } from '../../src/errors.ts'
import { createSubscriptions, type Listener } from '../../src/gateway/subscriptions.ts'
import { ReplyError, type Transport, type Wire } from '../../src/store/transport.ts'

// The order of messages and confirmations, which no test can choose on a server behind a network. The tests over a real
// server are in test/wire/gateway-streams.test.ts.

interface Link {
  readonly told: string[]
  readonly say: (reply: Wire) => void
  readonly cut: () => void
  ended: boolean
}

function opening(fail = false): { links: Link[]; subscribe: ReturnType<typeof createSubscriptions> } {
  const links: Link[] = []
  const listen: NonNullable<Transport['listen']> = async (command, onReply, onEnd) => {
    const lost = new HitherError('STORE_UNAVAILABLE', 'cut')
    if (fail) throw lost
    const link: Link = { told: [command.args.join(' ')], say: onReply, cut: () => onEnd(lost), ended: false }
    links.push(link)
    return {
      tell: ({ args }) => void link.told.push(args.join(' ')),
      end() {
        link.ended = true
      },
    }
  }
  return { links, subscribe: createSubscriptions(listen) }
}

const listener = (): Listener & { heard: string[]; losses: number } => {
  const own = {
    heard: [] as string[],
    losses: 0,
    say: (data: string) => void own.heard.push(data),
    lost: () => void own.losses++,
  }
  return own
}
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

describe('subscriptions over one link', () => {
  it('are told in order, and confirmed one by one', async () => {
    const { links, subscribe } = opening()
    const [a, b] = [listener(), listener()]
    const all = Promise.all([subscribe('SUBSCRIBE', 'a', a), subscribe('PSUBSCRIBE', 'b*', b)])
    await turn()
    const [link] = links
    expect([links.length, link?.told]).toEqual([1, ['SUBSCRIBE a', 'PSUBSCRIBE b*']])
    link?.say(['subscribe', 'a', 1])
    link?.say(['message', 'a', 'early'])
    link?.say(['psubscribe', 'b*', 2])
    await all
    link?.say(['pmessage', 'b*', 'b1', 'x'])
    link?.say(['message', 'b*', 'not mine'])
    expect([a.heard, b.heard]).toEqual([['message,a,early'], ['pmessage,b*,b1,x']])
  })

  it('do not end a name that another has come for', async () => {
    const { links, subscribe } = opening()
    const [first, second] = [listener(), listener()]
    const one = subscribe('SUBSCRIBE', 'a', first)
    await turn()
    const [link] = links
    link?.say(['subscribe', 'a', 1])
    const leave = await one
    const two = subscribe('SUBSCRIBE', 'a', second)
    leave()
    await turn()
    link?.say(['subscribe', 'a', 1])
    await two
    link?.say(['message', 'a', 'x'])
    expect(link?.told).toEqual(['SUBSCRIBE a', 'SUBSCRIBE a'])
    expect([first.heard, second.heard]).toEqual([[], ['message,a,x']])
  })

  it('end the link with the last name, and open another for the next', async () => {
    const { links, subscribe } = opening()
    const both = [subscribe('SUBSCRIBE', 'a', listener()), subscribe('SUBSCRIBE', 'b', listener())]
    await turn()
    links[0]?.say(['subscribe', 'a', 1])
    links[0]?.say(['subscribe', 'b', 2])
    const [leaveA, leaveB] = await Promise.all(both)
    leaveA?.()
    await turn()
    expect([links[0]?.told.at(-1), links[0]?.ended]).toEqual(['UNSUBSCRIBE a', false])
    leaveB?.()
    await turn()
    expect(links[0]?.ended).toBe(true)
    void subscribe('SUBSCRIBE', 'c', listener())
    await turn()
    expect(links.map(({ told }) => told[0])).toEqual(['SUBSCRIBE a', 'SUBSCRIBE c'])
  })

  it('tell a refusal from the end of the link', async () => {
    const { links, subscribe } = opening()
    const kept = listener()
    const all = Promise.allSettled([
      subscribe('SUBSCRIBE', 'a', kept),
      subscribe('SUBSCRIBE', 'no', listener()),
      subscribe('SUBSCRIBE', 'late', listener()),
    ])
    await turn()
    links[0]?.say(['subscribe', 'a', 1])
    links[0]?.say(new ReplyError('NOPERM no'))
    links[0]?.cut()
    expect(await all).toMatchObject([
      { status: 'fulfilled' },
      { reason: { status: 400, message: 'NOPERM no' } },
      { reason: { code: 'STORE_UNAVAILABLE' } },
    ])
    expect(kept.losses).toBe(1)
  })

  it('reject as the transport does where there is no link', async () => {
    const { subscribe } = opening(true)
    const own = listener()
    await expect(subscribe('SUBSCRIBE', 'a', own)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(subscribe('SUBSCRIBE', 'a', own)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})

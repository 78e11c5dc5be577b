import { type Mutant, of } from '../mutants.ts'

const UNIT = ['channel/hostile.test.ts', 'channel/channel.test.ts']
const channel = of('src/channel/channel.ts', UNIT)
const inbox = of('src/channel/inbox.ts', UNIT)
const ways = of('src/channel/ways.ts', UNIT)
const events = of('src/channel/events.ts', ['channel/opening.test.ts'])

export const mutants: readonly Mutant[] = [
  channel(
    'a message is encoded when publish is called',
    'const [text] = await Promise.all(',
    'await 0\n      const [text] = await Promise.all(',
  ),
  channel('a store that is closed ends its subscriptions', 'closed && fail(closed)', 'closed'),
  channel('one that is open does not', "closed?.code === 'CLOSED' ? closed : error", 'closed'),
  channel('one that is closed before it has subscribed is the reason', 'throw await orClosed(error)', 'throw error', [
    'channel/opening.test.ts',
  ]),
  channel('a store that is open is asked for nothing', 'store.get(full, { deadline: 0 })', 'store.get(full)'),
  channel('a subscription that has ended looks no more', '        cancelLook()\n', ''),
  events('an endpoint that is silent is given up', '        endIn(OPENING_MS)\n', '        endIn(NEVER)\n'),
  events('one that has subscribed is not', '        endIn(NEVER)\n', ''),
  events('an attempt leaves no timer', '          callOff()\n', ''),
  channel('an abort is heard before it is ready', 'limitOf(ended)', 'limitOf(undefined)', ['channel/opening.test.ts']),
  channel('what is closed fails no reader', 'ended.signal.aborted || fail(error)', 'fail(error)', [
    'channel/opening.test.ts',
  ]),
  channel('an abort has its own reason', '        ended.abort(reason)\n', '', ['channel/opening.test.ts']),
  events(
    'what is closed before it has subscribed is called off',
    "ending.signal?.addEventListener('abort', () => stop.abort())",
    '',
  ),
  events(
    'and settles',
    'if (signal.aborted || times === 0 ||',
    'if (signal.aborted) return\n          if (times === 0 ||',
  ),
  inbox('a slow reader is bounded', 'if (items.length >= maxQueued) {', 'if (false) {'),
  inbox(
    'the smallest inbox has a gap too',
    "Math.max(maxQueued, 2) + 2), { type: 'gap' })",
    'Math.max(maxQueued, 2) + 2))',
  ),
  inbox('gaps beside each other are one', "if (items[1]?.type === 'gap') items.splice(1, 1)", ''),
  inbox('a gap after a gap is none', "if (ended || items.at(-1)?.type === 'gap') return", 'if (ended) return'),
  channel('no option of a channel is dropped', "  checkNames('channel', options, ['schema'])\n", ''),
  channel('nor of its space', "  checkNames('channel', space ?? null, ['store', 'namespace', 'codec'])\n", ''),
  channel('what is published passes the schema', ', conform(value)])', '])'),
  channel(
    'a schema transforms once',
    'encodeMember(value, full, codec), conform(value)',
    'encodeMember(await conform(value), full, codec), 0',
  ),
  channel(
    'a message is judged where it comes in',
    'const value = await conform(await decodeMember(item.value, full, codec))',
    'const value = (await decodeMember(item.value, full, codec)) as never',
  ),
  channel(
    'onInvalid that throws ends the subscription',
    '              await close()\n              throw thrown',
    '              throw thrown',
  ),
  channel('a message is no larger than a value', '      checkValue(text, store.traits)\n', ''),
  ways('an engine in this process has its own way', '!store.traits.shared && !subscribe', '!store.traits.shared'),
  channel('a channel has a name that comes back', '  checkKey(full, store.traits)\n', ''),
  channel(
    'no option of a subscription is dropped',
    "checkNames('subscribe', options, ['signal', 'maxQueued', 'onInvalid'])",
    '',
  ),
  events("a name's line ends are those of an event", "channel.replaceAll('\\r\\n', '\\n')", 'channel'),
  ways('a closed store takes no message', '      await store.ready(call)\n', ''),
  ways('and no subscriber', '      await store.ready()\n', ''),
  ways('one that has left is not counted', 'listeners.delete(listener)', ''),
]

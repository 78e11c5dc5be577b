import type { Reply } from '../../protocol/operation.ts'
import { type Limit, within } from '../../runtime/deadline.ts'
import { answerOf } from '../answer.ts'
import type { View } from '../model.ts'
import { afterWrite } from '../stamped-write.ts'
import type { Found } from '../steps/stored-entry.ts'
import { nothing } from '../store-calls.ts'
import { pendingFill, readVersion } from '../store-reads.ts'
import type { Attempt, Tried } from '../write.ts'

interface Unread {
  /** Sends the step. `unreadId`: in place of an id, `=` with this generation and the cache's marks; `add` sends `=` alone. */
  send(storedKey: string, generation: string, unreadId: string): Promise<Reply>
  /** Reads the current generation in the same wave. @default a plain read of its key */
  current?(): Promise<string | undefined>
  /** Called if the generation had ended before the step ran. Returns what its reply means under the current generation. */
  ended(reply: Reply, generation: string | undefined): Tried | undefined
}

/**
 * Runs a step in one round trip in place of two: the entry is not read first. The step gets the generation that this process
 * saw in the last five seconds. It treats a live entry as valid if the entry has that generation, no tags, and a mark that
 * this cache can read. The same wave reads the current generation. If the two differ, another process has called `clear`
 * meanwhile: the entry that the step found was dead already, and `ended` decides what its reply means. A live entry with
 * another generation or mark, or with tags, the step leaves as it is and replies what the caller needs to judge it.
 * Resolves to undefined if this process remembers no generation: the entry must then be read.
 */
export function unread(view: View, limit: Limit, { send, current, ended }: Unread): Attempt {
  const { core, space } = view
  const readGeneration = (): Promise<string | undefined> => answerOf(view, readVersion(core, space.generation), limit)
  const hasValidTags = async (block: string): Promise<boolean> => {
    const read = async (tag: string): Promise<[string, string | undefined]> => {
      return [tag, tag ? await answerOf(view, readVersion(core, space.tag(tag)), limit) : undefined]
    }
    const versions = await Promise.all([...core.tags.parse(block).keys()].map(read))
    return core.tags.judge(block, new Map(versions)) === 'valid'
  }
  return async (to) => {
    for (let filled = pendingFill(core, to); filled; filled = pendingFill(core, to)) await within(filled, limit)
    const remembered = core.versions.recallAll(space, [])?.generation
    if (remembered === undefined) return undefined
    const sent = send(to, remembered, `=${remembered}${core.values.marks}`)
    const reading = (current ?? readGeneration)()
    reading.catch(nothing)
    const reply = await sent
    if (!Array.isArray(reply)) {
      const generation = await afterWrite(reading)
      return generation === remembered ? { reply } : ended(reply, generation)
    }
    const generation = await reading
    const [, id, entryGeneration, block, mark] = reply as unknown as Found
    const isValid = entryGeneration === generation && (!block || (await hasValidTags(block)))
    const isLive = core.values.marks.includes(mark) && isValid
    if (isValid && !isLive) view.emit({ type: 'decode-failed' })
    return { known: isLive ? { dead: '', generation, live: { id, tags: block } } : { dead: id, generation } }
  }
}

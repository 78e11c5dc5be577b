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
  /** Sends the step with `=`, this generation and the cache's marks in place of an id. */
  send(storedKey: string, generation: string): Promise<Reply>
  /** Asks for the current generation in the same wave; without it, by a plain read. */
  current?(): Promise<string | undefined>
  /** The generation had ended before the step ran: what follows from its reply, under the current one. */
  ended(reply: Reply, generation: string | undefined): Tried | undefined
}

/**
 * A step in one round trip in place of two. Nothing is read before it. It is told the generation that the last five seconds
 * have shown, and takes a live entry of that generation, without tags and of a mark of the cache's, for valid; the same wave reads the current generation.
 * Where the two differ, another process has called `clear` meanwhile: what the step has touched was dead already, and it runs
 * once more. An entry that it may not judge, of another generation or mark or with tags, the step leaves as it is.
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
    const sent = send(to, remembered)
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
    const isLive = core.marks.includes(mark) && isValid
    if (isValid && !isLive) view.emit({ type: 'decode-failed' })
    return { known: isLive ? { dead: '', generation, live: { id, tags: block } } : { dead: id, generation } }
  }
}

/**
 * A session in the store: `s1`, then a head of fixed width, then a line for each field.
 *
 *   s1 | created ms (15) | absolute end ms (15) | last seen ms (15) | subject (22) | generation (16) | name TAB value NL …
 *
 * Names and values have no control characters, so tab and newline can separate them. All times are by the store's clock.
 */
export interface SessionRecord {
  readonly createdMs: number
  /** The absolute end, in epoch milliseconds. */
  readonly endsMs: number
  readonly seenMs: number
  /** Reference to the subject that the session is bound to; '' for none. */
  readonly subject: string
  /** The subject's generation when the session was bound; '' for none. */
  readonly generation: string
  /** Encoded values by stored name. */
  readonly fields: ReadonlyMap<string, string>
}

const HEAD = /^s1(\d{15})(\d{15})(\d{15})([\w-]{22})([\w-]{16})/
const HEAD_LENGTH = 85
export const SUBJECT_LENGTH = 22
const NO_SUBJECT = '-'.repeat(SUBJECT_LENGTH)
const NO_GENERATION = '-'.repeat(16)

/** Undefined for text that is absent or has another form. */
export function parseRecord(text: string | null | undefined): SessionRecord | undefined {
  const head = text ? HEAD.exec(text) : null
  if (!text || !head) return undefined
  const [, createdMs, endsMs, seenMs, subject = '', generation = ''] = head
  return {
    createdMs: Number(createdMs),
    endsMs: Number(endsMs),
    seenMs: Number(seenMs),
    subject: subject === NO_SUBJECT ? '' : subject,
    generation: generation === NO_GENERATION ? '' : generation,
    fields: mergeInto(new Map(), text.slice(HEAD_LENGTH)),
  }
}

export function formatRecord({ createdMs, endsMs, seenMs, subject, generation, fields }: SessionRecord): string {
  const digits = (ms: number): string => ms.toFixed(0).padStart(15, '0')
  const lines = Array.from(fields, ([name, value]) => `${name}\t${value}`)
  const head = `s1${digits(createdMs)}${digits(endsMs)}${digits(seenMs)}`
  return head + (subject || NO_SUBJECT) + (generation || NO_GENERATION) + lines.join('\n')
}

/** The fields after `changes`: lines of a name and a value. A name without a value deletes the field. */
export function mergeFields(fields: ReadonlyMap<string, string>, changes: string): Map<string, string> {
  return mergeInto(new Map(fields), changes)
}

function mergeInto(merged: Map<string, string>, changes: string): Map<string, string> {
  for (const line of changes.split('\n')) {
    const tab = line.indexOf('\t')
    const name = tab < 0 ? line : line.slice(0, tab)
    const value = tab < 0 ? '' : line.slice(tab + 1)
    if (!name) continue
    if (value) merged.set(name, value)
    else merged.delete(name)
  }
  return merged
}

import { generationKey, storedKey, tagKey } from '../../src/protocol/keys.ts'
import type { Names } from './facts.ts'

/** Keys as they are given. */
export const PLAIN_NAMES: Names = {
  namespace: '',
  generation: ':generation',
  key: (key) => key,
  tag: (tag) => `:tag:${tag}`,
}

export function namesOf(namespace: string): Names {
  return {
    namespace,
    generation: generationKey(namespace),
    key: (key) => storedKey(namespace, key),
    tag: (tag) => tagKey(namespace, tag),
  }
}

/** Whether an error has one of these codes. */
export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as { code?: string } | null)?.code ?? '')
}

/** A stored text in a readable form. */
export function short(text: string | undefined): string {
  if (!text?.startsWith('h')) return text ?? 'nothing'
  const cut = (from: number, to?: number): string => text.slice(from, to)
  return `${cut(128) || 'no value'} lease ${cut(73, 79)} gen ${cut(104, 110)}`
}

/** A result or options in a readable form. */
export function brief(value: unknown): string {
  if (value instanceof Map) return `{${[...value].map(([key, part]) => `${key}: ${brief(part)}`).join(', ')}}`
  return JSON.stringify(value) ?? 'nothing'
}

import { isHitherError } from 'hither'
import { NoFeed, WrongResult } from './doctor-features.ts'

export interface Check {
  readonly name: string
  readonly ok: boolean
  /** What the user loses by this result; empty: nothing. */
  readonly costs: string
}

export interface Latency {
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

/** What `--json` prints. */
export interface Report {
  readonly system: string
  readonly version: string
  readonly latency: Readonly<Record<string, Latency>>
  readonly checks: readonly Check[]
  /** The least rights of a user for the features asked for; null for a system without users of that kind. */
  readonly acl: string | null
}

export function latencyOf(samples: readonly number[]): Latency {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (part: number): number => {
    const value = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? 0
    return Math.round(value * 1000) / 1000
  }
  return { p50: at(0.5), p99: at(0.99) }
}

const REPLIES: Readonly<Record<string, string>> = {
  READONLY: 'the server is a read-only replica: give the address of its primary',
  OOM: 'the server is full and evicts nothing: every write is refused',
  MISCONF: 'the server cannot save to its disk and refuses writes',
  LOADING: 'the server is still reading its data: try again later',
  NOREPLICAS: 'the server has too few replicas and refuses writes',
  MASTERDOWN: 'the server is a replica without its primary',
}

/** Why something does not work, without any text that a server quoted. */
export function reasonOf(error: unknown): string {
  if (error instanceof NoFeed) return 'no messages arrive: near.maxAge alone bounds how stale a near value is'
  if (!isHitherError(error))
    return error instanceof WrongResult || (error instanceof Error && error.constructor === Error)
      ? error.message
      : 'an unexpected error'
  const reply = String((error as { reply?: unknown }).reply ?? '')
  return REPLIES[reply] ?? `${error.code}: ${error.message}`
}

/** The report as text for people. */
export function textOf({ system, version, latency, checks, acl }: Report): string {
  const width = Math.max(...[...checks, { name: 'version' }].map(({ name }) => name.length))
  const rows = checks.map(({ name, ok, costs }) => `  ${ok ? 'ok  ' : 'no  '}${name.padEnd(width)}  ${costs}`.trimEnd())
  const calls = Object.entries(latency).map(
    ([call, { p50, p99 }]) => `  ${call.padEnd(width + 4)}  p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
  )
  return [
    `${system} ${version}`,
    ...rows,
    ...(calls.length > 0 ? ['', 'latency, one call after another', ...calls] : []),
    ...(acl ? ['', 'the least rights of a user for this (choose its keys and its password)', `  ${acl}`] : []),
  ].join('\n')
}

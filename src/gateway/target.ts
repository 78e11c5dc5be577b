import type { GatewayRequest } from './messages.ts'
import { Refusal } from './refusal.ts'

/** How replies are encoded. */
export type Format = 'json' | 'base64' | 'resp2'

/** Splits `/path?query`. Also takes a target that names its host, or a route that ends with a slash. */
export function splitTarget(target: string): [path: string, query: string] {
  const local = target.startsWith('/') ? target : target.replace(/^[a-z]+:\/\/[^/?]*/i, '')
  const at = local.indexOf('?')
  const path = (at < 0 ? local : local.slice(0, at)) || '/'
  return [
    /^\/(pipeline|multi-exec|healthz|metrics)\/$/.test(path) ? path.slice(0, -1) : path,
    at < 0 ? '' : local.slice(at + 1),
  ]
}

/** Name of a path's route in logs and metrics, one of a few. */
export function routeOf(path: string): string {
  return /^\/(pipeline|multi-exec|subscribe|psubscribe|monitor|healthz|metrics)(?:\/|$)/.exec(path)?.[1] ?? 'command'
}

/** The format that a request asks for. Upstash's documentation has both spellings of the header. Throws a `Refusal`. */
export function formatOf(request: GatewayRequest, path: string): Format {
  const asked = request.header('upstash-response-format') ?? request.header('upstash-reponse-format') ?? 'json'
  const base64 = request.header('upstash-encoding')?.toLowerCase() === 'base64'
  const format = asked.toLowerCase()
  if (format !== 'json' && format !== 'resp2') throw new Refusal(400, 'ERR the response format is json or resp2')
  if (format === 'json') return base64 ? 'base64' : 'json'
  if (base64) throw new Refusal(400, 'ERR resp2 cannot be encoded as base64')
  if (path === '/multi-exec') throw new Refusal(400, 'ERR resp2 is not available for /multi-exec')
  return 'resp2'
}

import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'

const cache = createHttpCache({ store: memoryStore() })
const TEXT = 'hello'.repeat(20_000)

/** The ways in which workerd may have the body of a response, by path. */
const ORIGIN: Readonly<Record<string, (origin: string) => Response | Promise<Response>>> = {
  '/fetched': (origin) => fetch(origin),
  '/for-workerd-to-encode': () => responseOf(TEXT, 'gzip'),
  '/br-for-workerd-to-encode': () => responseOf(TEXT, 'br'),
  '/encoded': () =>
    responseOf(new Response(TEXT).body?.pipeThrough(new CompressionStream('gzip')) as BodyInit, 'gzip', 'manual'),
}

function responseOf(body: BodyInit, coding: string, encodeBody: 'automatic' | 'manual' = 'automatic'): Response {
  const headers = { 'cache-control': 'max-age=60', 'content-encoding': coding, vary: 'accept-encoding' }
  return new Response(body, { headers, encodeBody } as ResponseInit)
}

export default {
  fetch(request: Request, { ORIGIN: origin }: { readonly ORIGIN: string }): Promise<Response> {
    const answer = ORIGIN[new URL(request.url).pathname] as (origin: string) => Response
    return cache(request, () => answer(origin))
  },
}

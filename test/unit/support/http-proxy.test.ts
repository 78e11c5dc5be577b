import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createHttpProxy, type HttpProxy, notJson, serverError, tooManyRequests } from '../../support/http-proxy.ts'

async function counted(work: (proxy: HttpProxy, bodies: string[]) => Promise<void>): Promise<void> {
  const bodies: string[] = []
  const proxy = await createHttpProxy(async (request) => {
    bodies.push(await request.text())
    return Response.json({ result: bodies.length, auth: request.headers.get('authorization') })
  })
  try {
    await work(proxy, bodies)
  } finally {
    await proxy.stop()
  }
}
const post = (proxy: HttpProxy, body = '["INCR","n"]', signal?: AbortSignal): Promise<Response> =>
  fetch(`${proxy.url}/pipeline?x=1`, {
    method: 'POST',
    headers: { authorization: 'Bearer t' },
    body,
    ...(signal && { signal }),
  })

describe('the HTTP fault proxy', () => {
  it('passes requests on to a handler, and to a server', async () => {
    await counted(async (proxy, bodies) => {
      expect(await (await post(proxy)).json()).toEqual({ result: 1, auth: 'Bearer t' })
      expect(bodies).toEqual(['["INCR","n"]'])
    })
    const server = createServer((request, response) => response.end(`${request.method} ${request.url}`))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const proxy = await createHttpProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    expect(await (await post(proxy)).text()).toBe('POST /pipeline?x=1')
    await proxy.stop()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it('loses an answer after the request ran', () =>
    counted(async (proxy, bodies) => {
      proxy.dropReplies(1)
      await expect(post(proxy)).rejects.toThrow()
      expect(bodies).toHaveLength(1)
      expect((await post(proxy)).status).toBe(200)
      proxy.dropReplies((request) => request.body.includes('INCR'))
      await expect(post(proxy)).rejects.toThrow()
      await expect(post(proxy)).rejects.toThrow()
      expect((await post(proxy, '["GET","n"]')).status).toBe(200)
      expect(proxy.stats).toMatchObject({ requests: 5, executed: 5, dropped: 3 })
    }))

  it('answers in place of the server', () =>
    counted(async (proxy, bodies) => {
      proxy.fail(tooManyRequests(2))
      proxy.fail(serverError)
      proxy.fail(notJson)
      const busy = await post(proxy)
      expect([busy.status, busy.headers.get('retry-after')]).toEqual([429, '2'])
      expect((await post(proxy)).status).toBe(500)
      expect(await (await post(proxy)).text()).toContain('<title>')
      expect(bodies).toHaveLength(0)
      proxy.fail({ status: 502, executed: true })
      expect((await post(proxy)).status).toBe(502)
      expect(bodies).toHaveLength(1)
    }))

  it('cuts and stalls', () =>
    counted(async (proxy, bodies) => {
      proxy.fail('cut')
      await expect(post(proxy)).rejects.toThrow()
      proxy.fail('stall')
      await expect(post(proxy, 'x', AbortSignal.timeout(100))).rejects.toThrow(/timeout/)
      expect(bodies).toHaveLength(0)
      proxy.fail('stall-after')
      await expect(post(proxy, 'x', AbortSignal.timeout(100))).rejects.toThrow(/timeout/)
      expect(bodies).toHaveLength(1)
      expect((await post(proxy)).status).toBe(200)
    }))
})

import { expect } from 'vitest'

/** Two visitors press at once: one recomputes the index, the other learns that it is under way. Both read it afterwards. */
export async function expectOneRecomputes(one: string, other: string = one): Promise<void> {
  const press = async (url: string): Promise<{ ran: boolean; index?: object }> =>
    (await fetch(`${url}/api/index`, { method: 'POST' })).json()
  const pressed = await Promise.all([press(one), press(other)])
  expect(pressed.map(({ ran }) => ran).sort()).toEqual([false, true])
  const made = pressed.find(({ ran }) => ran)?.index
  expect(made).toMatchObject({ places: 135_233, largest: { length: 5 } })
  for (const url of [one, other]) expect(await (await fetch(`${url}/api/index`)).json()).toEqual({ index: made })
}

/** Signs in, searches, finds the search in the session, and signs out. */
export async function expectSignIn(url: string): Promise<void> {
  const session = `${url}/api/session`
  const headers = { 'Content-Type': 'application/json' }
  const signed = await fetch(session, { method: 'POST', headers, body: JSON.stringify({ name: 'Ada' }) })
  expect(await signed.json()).toEqual({ name: 'Ada', searches: [] })
  const cookie = signed.headers.get('set-cookie')?.split(';')[0] ?? ''
  const read = async (path: string, init: object = {}) =>
    (await fetch(url + path, { headers: { cookie }, ...init })).json()
  await read('/api/near?lat=-12.05&lon=-77.04')
  expect(await read('/api/session')).toEqual({
    name: 'Ada',
    searches: [{ name: 'Lima', country: 'PE', lat: -12.05, lon: -77.04 }],
  })
  expect(await read('/api/session', { method: 'DELETE', headers: { cookie } })).toEqual({ searches: [] })
  expect(await read('/api/session')).toEqual({ searches: [] })
}

/** The search of a visitor reaches the live feed, and the list of the most searched where the store has one. */
export async function expectSearches(url: string, listed: boolean): Promise<void> {
  const leave = new AbortController()
  const feed = await fetch(`${url}/api/feed`, { signal: leave.signal })
  expect(feed.headers.get('content-type')).toBe('text/event-stream')
  const read = async () => (await fetch(`${url}/api/searches`)).json()
  const lines = feed.body?.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]()
  const times = async () => (await read()).most?.find(({ name }: { name: string }) => name === 'Auckland')?.times ?? 0
  const before = await times()
  const search = { name: 'Auckland', country: 'NZ', lat: -36.85, lon: 174.76 }
  for (let i = 0; i < 2; i++) await (await fetch(`${url}/api/near?lat=${search.lat}&lon=${search.lon}`)).arrayBuffer()
  let text = ''
  while (text.split('data: ').length < 3) text += (await lines?.next())?.value
  expect(JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '')).toEqual(search)
  leave.abort()
  if (listed) expect(await times()).toBe(before + 2)
  else expect(await read()).toEqual({ off: expect.stringContaining('Redis commands') })
}

/** The HTTP cache stores whole responses of searches by name, under one key for all spellings of a name. */
export async function expectNames(url: string): Promise<void> {
  const ask = async (q: string) => {
    const response = await fetch(`${url}/api/places?q=${encodeURIComponent(q)}`)
    const { places } = (await response.json()) as { places: object[] }
    expect(places[0]).toMatchObject({ name: 'São Paulo', country: 'BR' })
    return response.headers
  }
  expect((await ask('sao pau')).get('cache-status')).toBe('hither; fwd=uri-miss; fwd-status=200; stored')
  const hit = await ask('SÃO PAU')
  expect(hit.get('cache-status')).toMatch(/^hither; hit; ttl=(59\d|600)$/)
  expect(hit.get('cache-control')).toBe('no-cache') // for the browser
}

/**
 * The body of a response as text, counted as it comes. Undefined where it has more bytes than `most`: it is then cancelled,
 * before its first byte where its length says so.
 */
export async function readText(response: Response, most: number): Promise<string | undefined> {
  const { body, headers } = response
  // Some runtimes stream no bodies.
  if (!body) return response.text()
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let size = +(headers.get('content-length') ?? 0) > most ? most + 1 : 0
  while (size <= most) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.length
    text += decoder.decode(value, { stream: true })
  }
  reader.cancel().catch(() => {})
  return undefined
}

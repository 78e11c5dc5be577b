/**
 * Reads the body of a response as text, and counts its bytes as they come. Resolves to undefined if it has more bytes than
 * `most`; the body is then cancelled, before its first byte if `content-length` says so.
 */
export async function readText(response: Response, most: number): Promise<string | undefined> {
  const { body, headers } = response
  // Some runtimes do not stream bodies.
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

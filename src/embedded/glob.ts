/** Whether the class that begins at `start` (after `[`) contains `unit`, and the index at which the class ends. */
function inClass(pattern: string, start: number, unit: number): readonly [holds: boolean, end: number] {
  let at = start
  const not = pattern[at] === '^'
  if (not) at++
  let holds = false
  for (; ; at++) {
    if (at >= pattern.length) return [holds !== not, at - 1]
    const char = pattern.charCodeAt(at)
    if (char === 92 && at + 1 < pattern.length) {
      at++
      if (pattern.charCodeAt(at) === unit) holds = true
    } else if (char === 93) return [holds !== not, at]
    else if (pattern[at + 1] === '-' && at + 2 < pattern.length) {
      const [low, high] = [char, pattern.charCodeAt(at + 2)]
      if (unit >= Math.min(low, high) && unit <= Math.max(low, high)) holds = true
      at += 2
    } else if (char === unit) holds = true
  }
}

/** Whether `text` matches a glob of Redis. Takes at most time in proportion to the product of both lengths. */
export function matchGlob(pattern: string, text: string, ignoreCase = false): boolean {
  if (ignoreCase) return matchGlob(pattern.toLowerCase(), text.toLowerCase())
  let p = 0
  let t = 0
  let star = -1
  let retry = 0
  while (t < text.length) {
    const char = p < pattern.length ? pattern[p] : undefined
    if (char === '*') {
      star = p++
      retry = t
      continue
    }
    let next = -1
    if (char === '?') next = p + 1
    else if (char === '[') {
      const [holds, end] = inClass(pattern, p + 1, text.charCodeAt(t))
      if (holds) next = end + 1
    } else if (char !== undefined) {
      const at = char === '\\' && p + 1 < pattern.length ? p + 1 : p
      if (pattern.charCodeAt(at) === text.charCodeAt(t)) next = at + 1
    }
    if (next >= 0) {
      p = next
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++retry
    } else return false
  }
  while (pattern[p] === '*') p++
  return p >= pattern.length
}

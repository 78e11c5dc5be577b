import { type Algorithm, algorithm, BURST_LIMIT, type BurstLimit, invalid, type Limits } from './algorithm.ts'
import { EACH, JUDGE, MAX_MS, type Meter, SAVE_TEXT, steps, TEXT } from './meter.ts'

/** Numbers: tokens that are missing; since when. `extra`: tokens that come in each window. */
const meter: Meter = {
  size: 2,
  add(count, cost) {
    const { windowUs, us, top, extra, still } = count
    const [had = 0, since = us] = count.n
    const windows = still ? 0 : Math.max(0, Math.floor((us - since) / windowUs))
    const missing = Math.max(0, had - windows * extra)
    const now = Math.max(0, missing + cost)
    count.n = [now, missing === 0 ? us : since + windows * windowUs]
    return top - now
  },
  wait: ({ n: [missing = 0, since = 0], windowUs, us, top, extra }, cost) =>
    Math.ceil((cost - top + missing) / extra) * windowUs - (us - since),
}

const lua = `${TEXT}
local function add(n, cost)
 n[1] = math.max(0, n[1] + cost)
 return n.top - n[1]
end
local function wait(n, cost) return math.ceil((cost - n.top + n[1]) / n.x) * n.w - (us - n[2]) end
${EACH}
 local had, since, to = text:match('^(%d+) (%d+) ?;()', at)
 since = since or us
 local windows = still and 0 or math.max(0, math.floor((us - since) / w))
 had = math.max(0, (had or 0) - windows * x)
 n, at = { had, had == 0 and us or since + windows * w, top = top, w = w, x = x, list = n }, to
${JUDGE}
${SAVE_TEXT}`

const bucket = /* @__PURE__ */ steps('limit.token-bucket', lua, meter)

/**
 * A bucket that holds up to `burst` tokens and is given `limit` of them at once each `window`, counted from when it was last
 * full. **Bound**: `burst + limit − 1` in a window's length. Two numbers a limit.
 */
export function tokenBucket(limits: Limits<BurstLimit>): Algorithm {
  return algorithm('tokenBucket', bucket, limits, BURST_LIMIT, (limit, windowMs, burst) => {
    if (Math.ceil(burst / limit) * windowMs > MAX_MS) throw invalid('a tokenBucket fills in 31 years at most')
    return limit
  })
}

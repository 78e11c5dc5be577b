import { type Algorithm, algorithm, BURST_LIMIT, type BurstLimit, invalid, type Limits } from './algorithm.ts'
import { type Count, EACH, JUDGE, MAX_MS, type Meter, SAVE_TEXT, steps, TEXT } from './meter.ts'

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}

/** What a token weighs, and what leaves in a microsecond, in the largest unit that makes both whole. */
function units({ windowUs, extra }: Count): [token: number, drain: number] {
  const unit = divisor(windowUs, extra)
  return [windowUs / unit, extra / unit]
}

/** Numbers: the level; when it stood so; what a token weighed. `extra`: tokens that leave in each window. */
const meter: Meter = {
  size: 3,
  add(count, cost) {
    const { us, top, still } = count
    const [token, drain] = units(count)
    const [level = 0, since = us, weighed = token] = count.n
    const passed = still ? 0 : Math.max(0, us - since)
    const rest = (weighed === token ? level : Math.ceil((level * token) / weighed)) - passed * drain
    const now = Math.max(0, Math.max(0, rest) + cost * token)
    count.n = [now, since + passed, token]
    return top - Math.ceil(now / token)
  },
  wait(count, cost) {
    const [token, drain] = units(count)
    const [level = 0, since = 0] = count.n
    return Math.ceil((level + (cost - count.top) * token) / drain) + since - count.us
  },
}

const lua = `${TEXT}
local function add(n, cost)
 n[1] = math.max(0, n[1] + cost * n[3])
 return n.top - math.ceil(n[1] / n[3])
end
local function wait(n, cost) return math.ceil((n[1] + (cost - n.top) * n[3]) / n.drain) + n[2] - us end
${EACH}
 local level, since, weighed, to = text:match('^(%d+) (%d+) (%d+) ?;()', at)
 local a, b = w, x
 while b > 0 do a, b = b, a % b end
 local token, drain = w / a, x / a
 local passed = still and 0 or math.max(0, us - (since or us))
 if weighed and weighed - token ~= 0 then level = math.ceil(level * token / weighed) end
 n = { math.max(0, (level or 0) - passed * drain), (since or us) + passed, token, top = top, w = w, drain = drain, list = n }
 at = to
${JUDGE}
${SAVE_TEXT}`

const cells = /* @__PURE__ */ steps('limit.gcra', lua, meter)

/**
 * The generic cell rate algorithm: a bucket that leaks evenly, `limit` in each `window`, and takes up to `burst` at once.
 * **Bound**: `burst + limit − 1` in a window's length, and `burst` at once. Three numbers a limit. ITU-T I.371, annex A.
 */
export function gcra(limits: Limits<BurstLimit>): Algorithm {
  return algorithm('gcra', cells, limits, BURST_LIMIT, (limit, windowMs, burst) => {
    const tokens = (windowMs * 1000) / divisor(windowMs * 1000, limit)
    if (!(burst * tokens <= Number.MAX_SAFE_INTEGER) || (burst * windowMs) / limit > MAX_MS)
      throw invalid('gcra cannot count so fine: take a limit that divides its window, or slidingBuckets')
    return limit
  })
}

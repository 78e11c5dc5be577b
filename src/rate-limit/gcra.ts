import { type Algorithm, algorithm, BURST_LIMIT, type BurstLimit, invalid, type Limits } from './algorithm.ts'
import { type Count, JUDGE, LOAD_TEXT, MAX_MS, type Meter, SAVE_TEXT, steps } from './meter.ts'

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
  roll(count) {
    const { us, top, still } = count
    const [token, drain] = units(count)
    const [level = 0, since = us, weighed = token] = count.n
    const passed = still ? 0 : Math.max(0, us - since)
    const rest = (weighed === token ? level : Math.ceil((level * token) / weighed)) - passed * drain
    count.n = [Math.max(0, rest), since + passed, token]
    return top - Math.ceil(Math.max(0, rest) / token)
  },
  wait(count, cost) {
    const [token, drain] = units(count)
    const [level = 0, since = 0] = count.n
    return Math.ceil((level + (cost - count.top) * token) / drain) + since - count.us
  },
  add({ n }, cost) {
    n[0] = Math.max(0, (n[0] as number) + cost * (n[2] as number))
  },
}

const lua = `${LOAD_TEXT}
local function roll(n)
 local a, b = n.w, n.x
 while b > 0 do a, b = b, a % b end
 local token = n.w / a
 n.drain = n.x / a
 local level, since = n[1] or 0, n[2] or us
 local passed = still and 0 or math.max(0, us - since)
 if n[3] and n[3] ~= token then level = math.ceil(level * token / n[3]) end
 n[1], n[2], n[3] = math.max(0, level - passed * n.drain), since + passed, token
 return n.top - math.ceil(n[1] / token)
end
local function wait(n, cost) return math.ceil((n[1] + (cost - n.top) * n[3]) / n.drain) + n[2] - us end
local function add(n, cost) n[1] = math.max(0, n[1] + cost * n[3]) end
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

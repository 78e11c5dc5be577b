/** Upper bounds of the duration histogram, in seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

export interface Metrics {
  request(route: string, status: number, ms: number): void
  command(name: string, failed: boolean): void
  /** The text that Prometheus reads. `gauges` are values of this moment. */
  text(gauges: Readonly<Record<string, number>>): string
}

interface Outcomes {
  ok: number
  error: number
}

/**
 * Counts by route, status and command, which are few and known. No label contains anything that a request sent.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function createMetrics(): Metrics {
  const requests = new Map<string, number>()
  const commands = new Map<string, Outcomes>()
  const buckets = BUCKETS.map(() => 0)
  let count = 0
  let seconds = 0
  const add = (to: Map<string, number>, labels: string): void => void to.set(labels, (to.get(labels) ?? 0) + 1)
  const counter = (name: string, help: string, from: Map<string, number>): string[] => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} counter`,
    ...[...from].map(([labels, value]) => `${name}{${labels}} ${value}`),
  ]
  return {
    request(route, status, ms) {
      add(requests, `route="${route}",status="${status}"`)
      count++
      seconds += ms / 1000
      BUCKETS.forEach((bound, i) => {
        if (ms / 1000 <= bound) buckets[i] = (buckets[i] as number) + 1
      })
    },
    command(name, failed) {
      const known = commands.get(name)
      const outcomes = known ?? { ok: 0, error: 0 }
      if (!known) commands.set(name, outcomes)
      outcomes[failed ? 'error' : 'ok']++
    },
    text(gauges) {
      const duration = 'hither_gateway_request_duration_seconds'
      const lines = [
        ...counter('hither_gateway_requests_total', 'Requests answered.', requests),
        ...counter('hither_gateway_commands_total', 'Commands sent to Redis.', byOutcome(commands)),
        `# HELP ${duration} Time from a request to its answer.`,
        `# TYPE ${duration} histogram`,
        ...BUCKETS.map((bound, i) => `${duration}_bucket{le="${bound}"} ${buckets[i]}`),
        `${duration}_bucket{le="+Inf"} ${count}`,
        `${duration}_sum ${seconds}`,
        `${duration}_count ${count}`,
        ...Object.entries(gauges).flatMap(([name, value]) => [
          `# TYPE hither_gateway_${name} gauge`,
          `hither_gateway_${name} ${value}`,
        ]),
      ]
      return `${lines.join('\n')}\n`
    },
  }
}

/** Counts by labels, without those that are zero. */
function byOutcome(commands: ReadonlyMap<string, Outcomes>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [name, outcomes] of commands) {
    for (const [outcome, count] of Object.entries(outcomes)) {
      if (count > 0) counts.set(`command="${name}",outcome="${outcome}"`, count)
    }
  }
  return counts
}

import { type Chance, createChance } from './chance.ts'

/** One process or server, with its own clock, timers and randomness on the world's time. */
export interface Machine {
  readonly name: string
  /** The platform as its code sees it, by global name. */
  readonly globals: Readonly<Record<string, unknown>>
  /** Error of its wall clock, in milliseconds. */
  skewMs: number
  /** It is paused until this instant, as a stopped process or a suspended virtual machine. */
  pausedUntil: number
  dead: boolean
  now(): number
  /** Its pending timers. */
  readonly timers: ReadonlySet<number>
}

/** Runs all events, one after another, on one virtual clock. */
export interface World {
  /** Milliseconds since the epoch, with fractions. */
  readonly time: number
  /** Number of events so far. */
  readonly events: number
  /** Returns the moment of history that is now. Each result is greater than the last. */
  tick(): number
  machine(name: string): Machine
  /** Runs `fn` after `ms`. With a machine: not while it is paused, and never once it is dead. */
  after(ms: number, fn: () => void, machine?: Machine): void
  /** Resolves when the clock has reached `until` or no event is left. */
  run(until: number): Promise<void>
  sleep(ms: number, machine?: Machine): Promise<void>
}

interface Event {
  at: number
  /** When the event was due. */
  readonly due: number
  readonly order: number
  fn: (() => void) | undefined
  readonly machine: Machine | undefined
}

/** 2026-01-01T00:00:00Z */
const START = 1_767_225_600_000
/** More events than this mean that a run does not end. */
const MOST_EVENTS = 400_000

export function createWorld(seed: number): World {
  const chance = createChance(seed)
  const heap: Event[] = []
  let time = START
  let history = 0
  let order = 0
  let events = 0

  const push = (event: Event): void => {
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent] as Event)) break
      heap[at] = heap[parent] as Event
      at = parent
    }
    heap[at] = event
  }
  const pop = (): Event | undefined => {
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++
      if (!isBefore(heap[child] as Event, last)) break
      heap[at] = heap[child] as Event
      at = child
    }
    heap[at] = last
    return first
  }
  const schedule = (ms: number, fn: () => void, machine?: Machine): Event => {
    const at = time + Math.max(0, ms)
    const event = { at, due: at, order: order++, fn, machine }
    push(event)
    return event
  }

  const world: World = {
    get time() {
      return time
    },
    get events() {
      return events
    },
    tick: () => ++history,
    machine(name) {
      const set = new Map<number, Event>()
      const timers = new Set<number>()
      let ids = 0
      const machine: Machine = {
        name,
        skewMs: 0,
        pausedUntil: 0,
        dead: false,
        now: () => Math.floor(time + machine.skewMs),
        timers,
        globals: {
          Date: class extends Date {
            static override now = (): number => machine.now()
          },
          Math: mathWith(chance),
          crypto: {
            getRandomValues(bytes: Uint8Array) {
              for (let i = 0; i < bytes.length; i++) bytes[i] = chance.below(256)
              return bytes
            },
          },
          setTimeout(fn: () => void, ms: number) {
            const id = ++ids
            timers.add(id)
            // Timers are late by chance.
            const late = chance.hit(0.1) ? chance.about(2) : 0
            const fire = (): void => {
              set.delete(id)
              timers.delete(id)
              fn()
            }
            set.set(id, schedule(Math.max(1, ms) + late, fire, machine))
            return id
          },
          clearTimeout(id: number) {
            const event = set.get(id)
            if (event) event.fn = undefined
            set.delete(id)
            timers.delete(id)
          },
        },
      }
      return machine
    },
    after: (ms, fn, machine) => void schedule(ms, fn, machine),
    run: (until) =>
      new Promise((resolve, reject) => {
        const step = (): void => {
          let event = heap[0]
          while (event && (!event.fn || event.machine?.dead)) {
            pop()
            event = heap[0]
          }
          if (!event || event.at > until) {
            time = Math.max(time, until)
            resolve()
            return
          }
          pop()
          time = Math.max(time, event.at)
          const { machine, fn } = event
          if (machine && machine.pausedUntil > time) {
            // Runs in the old order once the machine continues.
            event.at = machine.pausedUntil
            push(event)
          } else if (++events > MOST_EVENTS) {
            reject(new Error(`no end to it: ${MOST_EVENTS} events`))
            return
          } else fn?.()
          // Lets microtasks run before the next event.
          setImmediate(step)
        }
        setImmediate(step)
      }),
    sleep: (ms, machine) => new Promise((resolve) => schedule(ms, resolve, machine)),
  }
  return world
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && (a.due < b.due || (a.due === b.due && a.order < b.order)))
}

function mathWith(chance: Chance): unknown {
  const math: Record<string, unknown> = { random: chance.float }
  for (const name of Object.getOwnPropertyNames(Math)) if (name !== 'random') math[name] = Reflect.get(Math, name)
  return math
}

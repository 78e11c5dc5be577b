import { startNode } from './nodes.ts'
import type { Stage } from './stage.ts'

/** Makes trouble for one node: it is cut off, is paused, dies, or its clock jumps; or the server evicts a key. */
export function makeTrouble(stage: Stage): void {
  const { world, server, bus, nodes, open, tell, chances, scenario } = stage
  const { plan, extra } = chances
  const { count, events } = scenario
  const place = plan.below(count)
  const node = nodes[place] as Stage['nodes'][number]
  const { machine, link } = node
  const kind = plan.float()
  if (kind < 0.35) {
    link.cut = plan.pick(['lost', 'refused'])
    const short = plan.between(50, 2500)
    const ms = events && extra.hit(0.4) ? extra.between(2000, 9000) : short
    tell(node.name, () => `is cut off (${link.cut}) for ${ms.toFixed(0)} ms`)
    world.after(ms, () => {
      link.cut = 'no'
      for (const each of bus.subscribers) if (each.link === link) world.after(1, each.onGap, machine)
      tell(node.name, () => 'is connected again')
    })
  } else if (kind < 0.55) {
    const ms = plan.between(20, 3000)
    machine.pausedUntil = Math.max(machine.pausedUntil, world.time + ms)
    tell(node.name, () => `stands still for ${ms.toFixed(0)} ms`)
  } else if (kind < 0.75) {
    machine.dead = true
    for (const call of open) if (call.node === node) open.delete(call)
    tell(node.name, () => 'dies')
    startNode(stage, place)
  } else if (kind < 0.9) {
    machine.skewMs += plan.between(-1, 1) * plan.pick([100, 5000, 3_600_000])
    node.life.jumps++
    tell(node.name, () => `its clock jumps to ${machine.skewMs.toFixed(0)} ms`)
  } else {
    const key = plan.pick(server.keys())
    if (key) server.evict(key)
  }
}

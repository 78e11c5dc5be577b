import { expect, it } from 'vitest'
import { createStallMeter, pause } from './support/ways.ts'

const standStill = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

it('a stall meter counts the time in which its thread did not run, however often it is read meanwhile', async () => {
  const meter = createStallMeter()
  await pause(20)
  const before = meter.lostMs()
  for (let i = 0; i < 25; i++) {
    standStill(4)
    meter.lostMs()
  }
  const at = meter.lostMs() - before
  await pause(20)
  const after = meter.lostMs() - before
  meter.stop()
  expect(at).toBeGreaterThanOrEqual(95)
  expect(after).toBeGreaterThanOrEqual(at)
})

it('a stall meter does not count what its thread computes', async () => {
  const meter = createStallMeter()
  await pause(20)
  const [lost, start, { user }] = [meter.lostMs(), performance.now(), process.threadCpuUsage()]
  while (process.threadCpuUsage().user - user < 100_000);
  await pause(20)
  const counted = meter.lostMs() - lost
  const tookMs = performance.now() - start
  meter.stop()
  // 1 ms is for the clocks, which are not read at once.
  expect(counted).toBeLessThanOrEqual(tookMs - 100 + 1)
})

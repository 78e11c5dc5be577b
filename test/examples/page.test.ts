import { execFile } from 'node:child_process'
import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startServer } from '../../scripts/servers.ts'
import { type StartedBrowser, startBrowser } from './chromium.ts'
import { killAll, openBuiltWorkspace, start, type Workspace } from './workspace.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 }) // a browser starts slowly on a busy machine

let work: Workspace
let chromium: StartedBrowser
let url: string
const complaints: string[] = []

beforeAll(async () => {
  work = await openBuiltWorkspace()
  const server = start(work.folder, ['node', 'examples/node-server/index.ts'], { PORT: '0' })
  url = (await server.printed(/http:\/\/127\.0\.0\.1:\d+/))[0]
  chromium = await startBrowser()
})
afterAll(async () => {
  await chromium?.stop()
  killAll()
  await work?.remove()
})

async function open(size = { width: 1280, height: 900 }, at = url): Promise<Page> {
  const page = await chromium.browser.newPage({ viewport: size })
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
  page.on('pageerror', (error) => void complaints.push(error.message))
  page.on('request', (request) => void (request.url().startsWith(at) || complaints.push(`asked ${request.url()}`)))
  await page.goto(at)
  return page
}

/** Saves a screenshot for a person to look at, if `PAGES` is set: `PAGES=folder npx vitest run test/examples/page.test.ts`. */
async function save(page: Page, name: string): Promise<void> {
  if (process.env.PAGES) await page.screenshot({ path: `${process.env.PAGES}/${name}.png`, fullPage: true })
}

/** The rows of the list, latest first: the badge and the place of each. */
const answers = (page: Page): Promise<string[]> => page.locator('#log .row').allInnerTexts()

describe('the page', () => {
  it('searches a name by keyboard, shows miss then hit, and drops the entry', async () => {
    const page = await open()
    await page.keyboard.press('Tab')
    await page.keyboard.type('sao paul')
    await page.getByRole('option', { name: 'São Paulo, Brazil' }).first().waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Near São Paulo, Brazil' }).waitFor()
    expect(await page.locator('#status').textContent()).toBe('Cache-Status of the answer: hither; fwd=miss; stored')
    expect(await page.locator('#badge').textContent()).toMatch(/^miss$/i)
    expect(await page.locator('#places tr').count()).toBe(10)
    expect(await page.locator('#places tr').first().textContent()).toMatch(/^São Paulo Brazil10,021,295\d+\.\d km/)

    await page.keyboard.press('Enter')
    await page.locator('#log li').nth(1).waitFor()
    const status = page.getByRole('status')
    expect(await status.textContent()).toMatch(/^Hit: São Paulo, Brazil in [\d.]+ ms, \d+ s old, fresh for /)
    expect(await page.locator('#log li').first().textContent()).toMatch(/\d+ s old, fresh for \d+ min/)

    await page.getByRole('button', { name: 'Drop the entry: São Paulo, Brazil' }).first().click()
    await page.locator('#log li').nth(2).waitFor()
    expect(await status.textContent()).toMatch(/^Dropped São Paulo, Brazil/)
    expect(await page.locator('#badge').textContent()).toBe('dropped')
    expect(await page.locator('#fact').textContent()).toMatch(/dropped from the cache, the next answer is computed$/)
    expect(await page.locator('.columns').textContent()).not.toMatch(/fresh|\d s old/)
    await page.getByRole('button', { name: 'Ask again: São Paulo, Brazil' }).first().click()
    await page.locator('#log li').nth(3).waitFor()
    const listed = await answers(page)
    expect(listed.map((text) => text.split(/\s/)[0]?.toLowerCase())).toEqual(['miss', 'dropped', 'hit', 'miss'])
    await page.close()
  })
  it('shows the Cache-Status of the names, which the HTTP cache keeps: computed, then from the store', async () => {
    const page = await open()
    const box = page.getByRole('combobox', { name: 'A place, or coordinates' })
    for (const said of [
      'hither; fwd=uri-miss; fwd-status=200; stored',
      /^Cache-Status of the names: hither; hit; ttl=\d+$/,
    ]) {
      await box.fill('')
      await box.fill('reykj')
      await page.locator('#status', { hasText: said }).waitFor()
      await page.getByRole('option', { name: 'Reykjavík, Iceland' }).waitFor()
    }
    await save(page, 'cache-status')
    await page.close()
  })
  it('never says hit of an entry that was dropped, however fast one clicks', async () => {
    const page = await open()
    await page.getByRole('button', { name: 'Lima', exact: true }).click()
    const again = page.getByRole('button', { name: 'Ask again: Lima, Peru' }).first()
    await again.waitFor()
    await page.evaluate(() => {
      const press = (start: string) =>
        document.querySelector<HTMLElement>(`#log button[aria-label^="${start}"]`)?.click()
      for (const start of ['Ask again', 'Drop', 'Ask again', 'Drop']) press(start)
    })
    await page.locator('#log li').nth(4).waitFor()
    const listed = (await answers(page)).map((text) => text.split(/\s/)[0]?.toLowerCase())
    expect(listed).toEqual(['dropped', 'miss', 'dropped', 'hit', 'miss'])
    expect(await page.locator('#badge').textContent()).toBe('dropped')
    expect(await page.locator('.columns').textContent()).not.toMatch(/fresh/)
    await page.close()
  })
  it('takes coordinates, and compares the times of the last twenty answers by bars, computed and from the cache', async () => {
    const page = await open()
    const box = page.getByRole('combobox', { name: 'A place, or coordinates' })
    await box.fill('-33.87, 151.21')
    for (let i = 0; i < 22; i++) {
      await box.press('Enter')
      await page.locator('#log li').nth(i).waitFor()
      if (i === 1) {
        expect(await page.locator('#computed').textContent()).toMatch(/^1 computed, median [\d.]+ ms$/)
        expect(await page.locator('#cached').textContent()).toMatch(/^1 from the cache, median [\d.]+ ms$/)
        expect(await page.locator('#times li').evaluateAll((all) => all.map((one) => one.className))).toEqual([
          'time miss',
          'time hit',
        ])
      }
    }
    const bars = page.locator('#times i')
    const heights = await bars.evaluateAll((all) =>
      all.map((bar) => Number.parseFloat((bar as HTMLElement).style.height)),
    )
    const taken = await bars.evaluateAll((all) => all.map((bar) => Number((bar as HTMLElement).dataset.ms)))
    const most = Math.max(...taken)
    expect(heights).toEqual(taken.map((ms) => expect.closeTo((100 * ms) / most, 2)))
    expect(heights).toHaveLength(20)
    expect(await page.locator('#computed').textContent()).toBe('none computed yet')
    await page.close()
  })
  it('shows lines of code that run as they stand, and leads to the docs', async () => {
    const page = await open()
    const code = (await page.locator('#code').textContent()) ?? ''
    expect(code.split('\n').filter((line) => line.trim()).length).toBeLessThanOrEqual(10)
    const counted = `let computed = 0\nconst places = []\nconst nearest = (_: unknown, point: object) => ({ point, computed: ++computed })`
    await writeFile(join(work.folder, 'shown.ts'), `${counted}\n${code}\nconsole.log(await near(48.86, 2.35))`)
    const { stdout } = await promisify(execFile)('node', ['--no-warnings', 'shown.ts'], { cwd: work.folder })
    expect(stdout.match(/computed: \d/g)).toEqual(['computed: 1', 'computed: 1', 'computed: 2'])
    const docs = await page.getByRole('link', { name: 'The docs of the cache' }).getAttribute('href')
    const [, file = ''] = /^https:\/\/github\.com\/hither-js\/hither\/blob\/main\/(.+)$/.exec(docs ?? '') ?? []
    await access(fileURLToPath(new URL(`../../${file}`, import.meta.url)))
    await page.close()
  })
  it('recomputes the index under a lock: two browsers press, one runs, the other sees that it runs', async () => {
    const [one, other] = await Promise.all([open(), open()])
    const press = (page: Page) => page.getByRole('button', { name: 'Recompute the index' })
    const state = (page: Page) => page.locator('#index-state')
    // The other page presses at once, before it has seen that the first one has started.
    await press(one).click()
    await press(other).evaluate((button) => (button as HTMLButtonElement).click())
    await state(one).getByText('It is being recomputed, under a lock.').waitFor()
    await state(other).getByText('Another browser recomputes it now. The lock is taken.').waitFor()
    expect(await press(other).isDisabled()).toBe(true)
    await save(other, 'index-runs')
    await state(one)
      .getByText(/^2\d\d countries, made at \d\d:\d\d:\d\d by you\.$/)
      .waitFor()
    await state(other)
      .getByText(/^2\d\d countries, made at \d\d:\d\d:\d\d\.$/)
      .waitFor()
    expect(await other.locator('#index tbody tr').first().textContent()).toMatch(/^China[\d,]+[\d.]+[BM]$/)
    await Promise.all([one.close(), other.close()])
  })
  it('signs in by a name, keeps the last searches in the session, and signs out', async () => {
    const page = await open()
    await page.getByLabel('Your name').fill('Ada <b>')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Signed in as Ada <b>' }).waitFor()
    for (const name of ['Lima', 'Kyoto', 'Lima']) {
      await page.getByRole('button', { name, exact: true }).click()
      await page.getByRole('heading', { name: `Near ${name}` }).waitFor()
      await page.getByRole('list', { name: 'Your last searches' }).locator('li').first().getByText(name).waitFor()
    }
    await save(page, 'signed-in')
    const [cookie] = await page.context().cookies()
    expect(cookie).toMatchObject({ name: 'session', httpOnly: true, sameSite: 'Lax' })

    await page.reload()
    await page.getByRole('heading', { name: 'Signed in as Ada <b>' }).waitFor()
    const mine = page.getByRole('list', { name: 'Your last searches' }).locator('li')
    expect(await mine.allTextContents()).toEqual(['Lima, Peru', 'Kyoto, Japan'])
    await mine.last().getByRole('button').click()
    await page.getByRole('heading', { name: 'Near Kyoto, Japan' }).waitFor()

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Not signed in' }).waitFor()
    expect(await page.context().cookies()).toEqual([])
    expect(await mine.count()).toBe(0)
    await page.close()
  })
  it('shows what another browser searches, at once, and why there is no list of the most searched', async () => {
    const [one, other] = await Promise.all([open(), open()])
    const feed = other.getByRole('list', { name: 'Searches as they come' }).locator('li')
    await other.locator('#feed-badge', { hasText: 'live' }).waitFor()
    await one.getByRole('button', { name: 'Nairobi', exact: true }).click()
    await feed
      .first()
      .getByText(/^Nairobi.*, Kenya$/)
      .waitFor()
    expect(await feed.count()).toBe(1)
    await other.getByText('the list needs a store that speaks Redis commands').waitFor()
    expect(await other.locator('#most').isVisible()).toBe(false)
    await Promise.all([one.close(), other.close()])
  })
  it('says what is wrong with what was typed', async () => {
    const page = await open()
    const box = page.getByRole('combobox', { name: 'A place, or coordinates' })
    await box.press('Enter')
    expect(await page.locator('#hint').textContent()).toMatch(/^Type a name or coordinates/)
    await box.fill('95, 10')
    await box.press('Enter')
    await page.getByText('lat is a number of degrees from -90 to 90').first().waitFor()
    await box.fill('qqqzzz')
    await box.press('Enter')
    await page.getByText('No place begins like that').waitFor()
    expect(complaints.splice(0)).toEqual([expect.stringContaining('400')]) // the browser's log line for the first
    await page.close()
  })
  it.each([1280, 390])('fits %i px, and each control has a name', async (width) => {
    const page = await open({ width, height: 844 })
    await page.getByRole('button', { name: 'Lima', exact: true }).click()
    await page.getByRole('heading', { name: 'Near Lima, Peru' }).waitFor()
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBe(0)
    for (const scheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: scheme })
      await save(page, `${scheme}-${width}`)
    }
    const unnamed = await page.locator('button, input, select').evaluateAll((all) =>
      all
        .filter((one) => {
          const { labels, textContent, ariaLabel } = one as HTMLInputElement
          return !(ariaLabel || labels?.length || textContent?.trim())
        })
        .map((one) => one.outerHTML),
    )
    expect(unnamed).toEqual([])
    await page.close()
  })
  it('shows how much may still be asked, and goes on, visibly, when the store goes away and comes back', async () => {
    const redis = await startServer('redis7')
    const server = start(work.folder, ['node', 'examples/node-server/index.ts'], { PORT: '0', REDIS_URL: redis.url })
    const [at] = await server.printed(/http:\/\/127\.0\.0\.1:\d+/)
    const page = await open(undefined, at)
    const state = page.locator('#allowance')
    const meter = page.getByRole('progressbar', { name: 'Questions left' })
    const ask = (name: string) => page.getByRole('button', { name, exact: true }).click()
    try {
      expect(await state.isVisible()).toBe(false)
      // A search that comes before the feed is open does not show in it.
      await page.locator('#feed-badge', { hasText: 'live' }).waitFor()
      await ask('Lima')
      await page.getByText(/^119 of 120 questions left, all of them again in \d+ s$/).waitFor()
      expect([await meter.getAttribute('aria-valuenow'), await meter.getAttribute('aria-valuemax')]).toEqual([
        '119',
        '120',
      ])
      await page.getByRole('button', { name: 'Ask again: Lima, Peru' }).first().click()
      await page.getByText(/^118 of 120/).waitFor()
      await page.locator('#most li', { hasText: /^Lima, Peru2 ×$/ }).waitFor()
      await page.locator('#feed li').nth(1).waitFor()
      expect(await page.locator('#feed li').count()).toBe(2)
      await save(page, 'counted')

      await redis.kill('SIGSTOP')
      await page.getByRole('button', { name: 'Ask again: Lima, Peru' }).first().click()
      await page.getByText('The store is away: this server counts your questions alone').waitFor()
      expect(await page.locator('#log li').first().textContent()).toContain('no store')
      await save(page, 'away')

      await redis.kill('SIGCONT')
      await vi.waitFor(
        async () => {
          await page.getByRole('button', { name: 'Ask again: Lima, Peru' }).first().click()
          await page.getByText(/^\d+ of 120/).waitFor({ timeout: 1000 })
        },
        { timeout: 20_000 },
      )
    } finally {
      await redis.kill('SIGCONT')
      await page.close()
      await server.stop()
      await redis.stop()
    }
  })
  it('says so when nothing more may be asked', async () => {
    const server = start(work.folder, ['node', 'examples/node-server/index.ts'], { PORT: '0' })
    const [at] = await server.printed(/http:\/\/127\.0\.0\.1:\d+/)
    const page = await open(undefined, at)
    await page.evaluate(() => Promise.all(Array.from({ length: 120 }, () => fetch('/api/places?q=lima'))))
    await page.getByRole('button', { name: 'Lima', exact: true }).click()
    await page.locator('#hint.bad', { hasText: /^Too many questions: try again in \d+ s\.$/ }).waitFor()
    await page.getByText(/^0 of 120 questions left, all of them again in \d+ s$/).waitFor()
    await save(page, 'refused')
    expect(complaints.splice(0)).toEqual([expect.stringContaining('429')]) // the browser's log line
    await page.close()
    await server.stop()
  })
  it('asks nothing of another host and logs no error', () => {
    expect(complaints).toEqual([])
  })
})

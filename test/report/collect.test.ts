import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { collectReport, fillTemplate, runReportSchema, writeReport } from '../../src/report/index.ts'
import { HOSTILE, writeFixtureRun } from './fixture-run.ts'

const TEMPLATE =
  '<title>t</title><script id="report-data" type="application/json">null</script><script>page()</script>'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'smolforge-collect-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function withTemplate(): { template: string } {
  const template = join(folder, 'template.html')
  writeFileSync(template, TEMPLATE)
  return { template }
}

describe('report.json', () => {
  it('says what was done, with what result, in a shape that scripts can check', async () => {
    writeFixtureRun(folder)
    const report = await collectReport(folder)
    expect(runReportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(
      JSON.parse(JSON.stringify(report)),
    )
    expect(report.finished).toBe(true)
    expect(report.model?.parameters).toBe(8192 * 128 + 4 * (3 * 128 * 128 + 3 * 128 * 384 + 2 * 128) + 128)
    expect(report.tokensTrained).toBe(6_000_000)
    expect(report.evaluations.map((evaluation) => evaluation.label)).toEqual([
      'stage 1',
      'stage 2',
      'base',
      'SFT',
      'DPO',
    ])
    expect(report.sources.find((source) => source.name === 'words')).toMatchObject({
      licence: 'WordNet-3.0',
      origin: 'npm words@3.1.14',
    })
    expect(report.summary.join(' ')).toContain('above chance')
  })

  it('draws three stages as one curve that only goes forward', async () => {
    writeFixtureRun(folder)
    const { points, heldOut } = (await collectReport(folder)).pretraining
    const tokens = points.map((point) => point.tokens)
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b))
    expect(tokens.at(-1)).toBeGreaterThan(5_900_000)
    expect(points.length).toBeLessThan(1300)
    expect(heldOut.every((point) => point.tokens <= 6_000_000)).toBe(true)
  })

  it('says how documents filled the batches, and nothing of it for a run that did not count that', async () => {
    writeFixtureRun(folder)
    const sentence =
      'Documents were packed by best fit: 2.0\u00a0% of the places in its batches were padding, ' +
      '12.5\u00a0% held tokens cut off from their document’s beginning.'
    const report = await collectReport(folder)
    expect(report.summary).toContain(sentence)
    expect(report.stages.map(({ rows }) => rows?.padding)).toEqual([48_000, 40_000, 32_000])
    for (const stage of [1, 2, 3]) {
      const path = join(folder, `steps/pretrain-${stage}/mixture.json`)
      const { rows: _, ...before } = JSON.parse(readFileSync(path, 'utf8'))
      writeFileSync(path, JSON.stringify(before))
    }
    const older = await collectReport(folder)
    expect(older.summary.join(' ')).not.toContain('packed')
  })

  it('does not claim that a model at chance has learned', async () => {
    writeFixtureRun(folder)
    const score = {
      task: 'choose',
      metric: 'accuracy',
      value: 0.27,
      low: 0.22,
      high: 0.32,
      n: 300,
      chance: 0.25,
    }
    writeFileSync(
      join(folder, 'steps/evaluate-dpo/scores.json'),
      JSON.stringify([{ ...score, form: 'multiple-choice', shots: 0 }]),
    )
    expect((await collectReport(folder)).summary.join(' ')).toContain('not distinguishable from chance')
  })

  it('is still made when files are damaged, and names them', async () => {
    writeFixtureRun(folder)
    writeFileSync(join(folder, 'steps/evaluate-sft/scores.json'), '[{"task":')
    writeFileSync(join(folder, 'steps/baselines/baselines.json'), '{"not":"a list"}')
    appendFileSync(join(folder, 'steps/pretrain-3/metrics.jsonl'), '{"step":400,"tok')
    const report = await collectReport(folder)
    const messages = report.warnings.map((warning) => warning.message).join('\n')
    expect(messages).toContain('evaluate-sft/scores.json is not JSON')
    expect(messages).toContain('baselines.json has an unexpected shape')
    expect(messages).toContain('pretrain-3/metrics.jsonl ends at a line that is not JSON')
    expect(report.pretraining.points.at(-1)?.tokens).toBeGreaterThan(5_900_000)
  })

  it('goes by the plan: a step that is planned is missing, one that is no longer planned is left out', async () => {
    writeFixtureRun(folder)
    const run = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'))
    const steps = ['read', 'pretrain-1', 'evaluate-extra', 'report'].map((name) => ({ name }))
    writeFileSync(join(folder, 'run.json'), JSON.stringify({ ...run, steps }))
    const report = await collectReport(folder)
    expect(report.missing).toEqual(['evaluate-extra'])
    expect(report.steps.map((step) => step.name)).toEqual(['read', 'pretrain-1'])
    expect(report.summary.at(-1)).toContain('2 steps done, 1 step to go, the next is evaluate-extra')
  })

  it('is refused with the file named for a folder that is no run', async () => {
    await expect(collectReport(folder)).rejects.toMatchObject({
      code: 'input',
      place: { file: join(folder, 'run.json') },
    })
  })
})

describe('report.html', () => {
  it('cannot be broken out of by the text of a document', async () => {
    writeFixtureRun(folder)
    const report = await collectReport(folder)
    const html = fillTemplate(TEMPLATE, { ...report, name: HOSTILE })
    expect(html.split('<script').length).toBe(TEMPLATE.split('<script').length)
    const data = /application\/json">(.*?)<\/script>/s.exec(html)![1]!
    expect(data.includes('\u2028')).toBe(false)
    expect(JSON.parse(data).name).toBe(HOSTILE)
  })

  it('comes with a model card and a data card that name the licences and the intervals', async () => {
    writeFixtureRun(folder)
    await writeReport(folder, withTemplate())
    const model = readFileSync(join(folder, 'model/README.md'), 'utf8')
    expect(model).toContain('43.0 % (38.1 % to 47.9 %)')
    expect(model).toContain('WordNet-3.0')
    expect(model).toContain('## Limits')
    const data = readFileSync(join(folder, 'data-card.md'), 'utf8')
    expect(data).toContain('near-duplicate')
    expect(data).toContain('CC-BY-4.0')
  })

  it('is written for a run that has only begun, without a model card', async () => {
    writeFixtureRun(folder, 'only-read')
    const { report } = await writeReport(folder, withTemplate())
    expect(report.finished).toBe(false)
    expect(report.missing).toContain('pretrain-1')
    expect(existsSync(join(folder, 'model'))).toBe(false)
  })

  it('is refused where the page was not built, with what to run', async () => {
    writeFixtureRun(folder, 'only-read')
    const template = join(folder, 'other.html')
    writeFileSync(template, '<p>no place for data</p>')
    await expect(writeReport(folder, { template })).rejects.toMatchObject({ hint: 'Run: npm run build:web' })
  })
})

// Builds each page into one HTML file with its script and style inside: dist/web/report.html and the like.
import { renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import preact from '@preact/preset-vite'
import { build } from 'vite'
import { viteSingleFile } from 'vite-plugin-singlefile'

const web = dirname(fileURLToPath(import.meta.url))
const out = join(web, '../dist/web')

for (const page of ['report', 'chat', 'classifier']) {
  const scratch = join(out, `.${page}`)
  await build({
    root: join(web, page),
    configFile: false,
    logLevel: 'warn',
    plugins: [
      preact({ devToolsEnabled: false, prefreshEnabled: false, reactAliasesEnabled: false }),
      viteSingleFile({ removeViteModuleLoader: true }),
    ],
    build: { outDir: scratch, emptyOutDir: true, target: 'es2022', reportCompressedSize: false },
  })
  // One rename, so that a report made meanwhile reads a whole page.
  renameSync(join(scratch, 'index.html'), join(out, `${page}.html`))
  rmSync(scratch, { recursive: true })
}

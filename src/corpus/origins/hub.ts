import { SmolforgeError } from '../../errors.ts'
import { downloadFile } from '../../network/download.ts'
import { type HubFile, hubSettings, listHubFiles, parseHubId } from '../../network/hub.ts'
import { type FileChoice, fileFilter } from '../files.ts'
import type { RemoteFile } from './remote.ts'

/** Where a hub keeps the Parquet form of every data set: `config/split/0000.parquet`. */
const EXPORT = 'refs/convert/parquet'
const DATA_FILE = /\.(parquet|(jsonl|ndjson|json)(\.gz|\.zst)?|warc(\.gz|\.zst)?|txt|md|html?)$/i

export interface HubOptions {
  env?: NodeJS.ProcessEnv
  retryDelayMs?: number
}

/**
 * The files of a data set on a Hugging Face hub. `owner/name` is its Parquet export, by default the split `train` of its
 * only configuration; `owner/name@revision` are the data files of that revision of the repository itself. All are of one
 * commit and are checked against the hashes that the hub announces.
 *
 * @throws SmolforgeError `recipe`, `input` or `network`; a data set of several configurations lists them.
 */
export async function listHubDataSet(
  id: string,
  choice: FileChoice,
  options: HubOptions = {},
): Promise<RemoteFile[]> {
  const parsed = parseHubId(id)
  if (parsed === undefined) {
    throw new SmolforgeError('recipe', `Not a data set of a hub: ${id}`, {
      place: { field: 'hub' },
      hint: 'Write owner/name, or owner/name@revision.',
    })
  }
  const isExport = !id.includes('@')
  const revision = isExport ? EXPORT : parsed.revision
  const settings = hubSettings(options.env ?? process.env)
  const { files, commit } = await listHubFiles({ ...parsed, kind: 'datasets', revision }, settings)
  const wanted = files.filter(({ path }) => DATA_FILE.test(path))
  const chosen =
    isExport && choice.include === undefined
      ? trainSplit(wanted, id)
      : wanted.filter(({ path }) => fileFilter(choice)(path))
  if (chosen.length === 0) {
    throw new SmolforgeError('input', `No file of the data set ${id} matches the source`, {
      place: { field: 'hub' },
      hint: `It has ${someOf(wanted.map(({ path }) => path))}`,
    })
  }
  const sorted = chosen.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  return sorted.map((file) => ({
    name: file.path,
    bytes: file.bytes ?? 0,
    address: `${settings.endpoint}/datasets/${parsed.owner}/${parsed.name}@${commit ?? revision}/${file.path}`,
    async download(path, signal) {
      const { token } = settings
      await downloadFile({ ...file, path }, { token, signal, retryDelayMs: options.retryDelayMs })
    },
  }))
}

function trainSplit(files: readonly HubFile[], id: string): HubFile[] {
  const configs = [...new Set(files.map(({ path }) => path.split('/')[0]))]
  if (configs.length > 1) {
    throw new SmolforgeError('input', `The data set ${id} has several configurations`, {
      place: { field: 'hub' },
      hint: `Choose with include, for example ["${configs[0]}/train/*"]. There are ${someOf(configs)}`,
    })
  }
  // An export of a very large data set is of its first part only, and says so in the name of the split.
  return files.filter(({ path }) => /^[^/]+\/(partial-)?train(-part\d+)?\//.test(path))
}

const someOf = (names: readonly string[]) =>
  names.length === 0 ? 'none.' : `${names.slice(0, 20).join(', ')}${names.length > 20 ? ', ...' : '.'}`

import { SmolforgeError } from '../errors.ts'

export interface PackageReference {
  name: string
  version: string
  /** `sha512-` and base64, as `npm view name@version dist.integrity` prints it. */
  integrity: string
}

/** Fetches one pinned npm package and unpacks it below `cacheDir`; the second time without network. */
export async function fetchPackage(reference: PackageReference, cacheDir: string): Promise<string> {
  throw new SmolforgeError('internal', `fetchPackage(${reference.name}, ${cacheDir}) is not there yet`)
}

/** Fetches several packages at once; the folders come in the order of the references. */
export async function fetchPackages(
  references: readonly PackageReference[],
  cacheDir: string,
): Promise<string[]> {
  return Promise.all(references.map((reference) => fetchPackage(reference, cacheDir)))
}

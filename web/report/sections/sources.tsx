import type { RunReport } from '../../../src/report/data.ts'
import { bytes, percent, whole } from '../format.ts'
import { Section, Table } from '../section.tsx'

export function Sources({ report }: { report: RunReport }) {
  const { sources, damage } = report
  return (
    <Section
      id="sources"
      title="Where the text came from"
      lead="Every source with its licence, what was read from it and what was left for training and held-out text after curation."
      missing={sources.length === 0 && 'No source was read yet.'}
    >
      <Table label="Sources and licences">
        <thead>
          <tr>
            <th>Source</th>
            <th>Domain</th>
            <th>Licence</th>
            <th class="number">Documents read</th>
            <th class="number">Bytes read</th>
            <th class="number">Documents kept</th>
            <th class="number">Bytes kept</th>
          </tr>
        </thead>
        <tbody>
          {sources.map(({ name, origin, domain, licence, read, kept }) => (
            <tr key={name}>
              <th scope="row">
                {name}
                {origin && <span class="sub">{origin}</span>}
              </th>
              <td>{domain ?? ''}</td>
              <td>{licence ?? 'unknown'}</td>
              <td class="number">{read && whole(read.documents)}</td>
              <td class="number">{read && bytes(read.bytes)}</td>
              <td class="number">{kept && whole(kept.documents)}</td>
              <td class="number">
                {kept && bytes(kept.bytes)}
                {kept && read && read.bytes > 0 && (
                  <span class="sub">{percent(kept.bytes / read.bytes, 0)}</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
      {damage.length > 0 && (
        <details>
          <summary>
            {damage.length} damaged {damage.length === 1 ? 'place' : 'places'} in the input, passed over and
            counted
          </summary>
          <ul>
            {damage.slice(0, 50).map(({ file, byteOffset, bytesLost, reason }) => (
              <li key={`${file} ${byteOffset}`}>
                {file} at byte {whole(byteOffset)}: {reason} ({bytes(bytesLost)} lost)
              </li>
            ))}
          </ul>
        </details>
      )}
    </Section>
  )
}

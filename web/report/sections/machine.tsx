import type { RunReport } from '../../../src/report/data.ts'
import { bytes } from '../format.ts'
import { Section } from '../section.tsx'

const NAMES: Record<string, string> = {
  cpu: 'Processor',
  cores: 'Cores',
  memoryBytes: 'Memory',
  isa: 'Instruction set used',
  threads: 'Threads',
  precision: 'Matmul precision',
  os: 'System',
  smolforge: 'smolforge',
  node: 'Node',
  rustc: 'Rust',
}

const CONFIG: Record<string, string> = {
  hidden_size: 'Hidden size',
  num_hidden_layers: 'Layers',
  num_attention_heads: 'Attention heads',
  num_key_value_heads: 'Key-value heads',
  intermediate_size: 'Feed-forward size',
  vocab_size: 'Vocabulary',
  max_position_embeddings: 'Context',
  rope_theta: 'RoPE theta',
  tie_word_embeddings: 'Tied embeddings',
}

export function Machine({ report }: { report: RunReport }) {
  const { machine, versions, model } = report
  const facts = { ...machine, ...versions }
  return (
    <Section id="machine" title="Machine, versions, model">
      <div class="side-by-side bare">
        <div class="panel">
          <dl class="facts">
            {Object.entries(facts).map(([key, value]) => (
              <Fact
                key={key}
                name={NAMES[key] ?? key}
                value={key.endsWith('Bytes') && typeof value === 'number' ? bytes(value) : String(value)}
              />
            ))}
          </dl>
        </div>
        {model && (
          <div class="panel">
            <dl class="facts">
              {Object.entries(CONFIG).map(
                ([key, name]) =>
                  model.config[key] !== undefined && (
                    <Fact key={key} name={name} value={String(model.config[key])} />
                  ),
              )}
            </dl>
          </div>
        )}
      </div>
    </Section>
  )
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  )
}

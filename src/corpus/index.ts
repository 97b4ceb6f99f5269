export type { Damage, Document, DocumentBatch, DocumentStream } from './document.ts'

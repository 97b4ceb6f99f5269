import { useEffect, useRef, useState } from 'preact/hooks'
import { ContextFull, fetchModel, type ModelFacts, type Settings, streamAnswer, type Turn } from './client.ts'

interface ShownTurn extends Turn {
  note?: string
}

/** A conversation with the served model: nothing is kept when the page is closed. */
export function ChatPage() {
  const [model, setModel] = useState<ModelFacts>()
  const [turns, setTurns] = useState<ShownTurn[]>([])
  const [draft, setDraft] = useState('')
  const [settings, setSettings] = useState<Settings>({ temperature: 0.7, maxTokens: 128 })
  const [answering, setAnswering] = useState<AbortController>()
  const end = useRef<HTMLDivElement>(null)
  const input = useRef<HTMLTextAreaElement>(null)

  useEffect(() => {
    fetchModel().then(setModel, () =>
      setTurns([{ role: 'assistant', content: '', note: 'The server is not there.' }]),
    )
    input.current?.focus()
  }, [])
  useEffect(() => end.current?.scrollIntoView({ block: 'end' }), [turns])

  async function send() {
    const content = draft.trim()
    if (content === '' || answering !== undefined) return
    const asked: ShownTurn[] = [...turns, { role: 'user', content }]
    const stop = new AbortController()
    let answer = ''
    const show = (note?: string) => setTurns([...asked, { role: 'assistant', content: answer, note }])
    setDraft('')
    setAnswering(stop)
    show()
    try {
      const { reason, forgotten } = await answerWithin(asked, settings, stop.signal, (piece) => {
        answer += piece
        show()
      })
      const cut = reason === 'length' ? 'ended at the token limit' : ''
      const forgot = forgotten > 0 ? 'the context is short: earlier turns were left out' : ''
      show([cut, forgot].filter(Boolean).join('; '))
    } catch (error) {
      show(stop.signal.aborted ? 'stopped' : error instanceof Error ? error.message : String(error))
    }
    setAnswering(undefined)
    input.current?.focus()
  }

  return (
    <div class="chat">
      <header>
        <h1>{model?.name ?? 'smolforge'}</h1>
        {model && <p>A small model on this machine. It reads the last {model.contextTokens} tokens.</p>}
        <button type="button" class="quiet" disabled={turns.length === 0} onClick={() => setTurns([])}>
          New chat
        </button>
      </header>
      <main aria-live="polite">
        {turns.length === 0 && (
          <p class="hint">Ask for the meaning of a word, a sum, or what a line of code does.</p>
        )}
        {turns.map((turn, index) => (
          <article key={`${index} ${turn.role}`} class={turn.role} aria-label={turn.role}>
            <p>
              {turn.content}
              {answering && index === turns.length - 1 && <span class="caret" aria-hidden="true" />}
            </p>
            {turn.note && <span class="note">{turn.note}</span>}
          </article>
        ))}
        <div ref={end} />
      </main>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          send()
        }}
      >
        <textarea
          ref={input}
          rows={2}
          aria-label="Message"
          placeholder="Write a message"
          value={draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
            event.preventDefault()
            send()
          }}
        />
        {answering ? (
          <button type="button" onClick={() => answering.abort()}>
            Stop
          </button>
        ) : (
          <button type="submit" disabled={draft.trim() === ''}>
            Send
          </button>
        )}
        <div class="settings">
          <Slider
            name="Temperature"
            value={settings.temperature}
            most={1.5}
            step={0.1}
            onChange={(temperature) => setSettings({ ...settings, temperature })}
          />
          <Slider
            name="Longest answer"
            value={settings.maxTokens}
            most={model?.contextTokens ?? 256}
            step={16}
            onChange={(maxTokens) => setSettings({ ...settings, maxTokens: Math.max(1, maxTokens) })}
          />
        </div>
      </form>
    </div>
  )
}

/** Asks with as much of the conversation as the model can read: the oldest question and answer go first. */
async function answerWithin(
  turns: readonly Turn[],
  settings: Settings,
  signal: AbortSignal,
  onPiece: (piece: string) => void,
): Promise<{ reason: string; forgotten: number }> {
  let sent = turns.map(({ role, content }) => ({ role, content }))
  while (true) {
    try {
      const reason = await streamAnswer(sent, settings, signal, onPiece)
      return { reason, forgotten: turns.length - sent.length }
    } catch (error) {
      if (!(error instanceof ContextFull) || sent.length < 3) throw error
      sent = sent.slice(2)
    }
  }
}

function Slider(props: {
  name: string
  value: number
  most: number
  step: number
  onChange: (value: number) => void
}) {
  const { name, value, most, step, onChange } = props
  return (
    <label>
      {name}
      <span class="value" aria-hidden="true">
        {value}
      </span>
      <input
        type="range"
        min={0}
        max={most}
        step={step}
        value={value}
        onInput={(event) => onChange(Number(event.currentTarget.value))}
      />
    </label>
  )
}

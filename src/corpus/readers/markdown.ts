import type { FoundText, Reader } from './reader.ts'
import { readTextFiles } from './whole-files.ts'

/** Markdown files with their prose, code and maths; comments, layout tags, badges and link targets are left out. */
export const readMarkdown: Reader = async function* (files, report) {
  for await (const group of readTextFiles(files, report)) {
    const found: FoundText[] = []
    for (const { file, text: markdown, replaced } of group) {
      const text = tidyMarkdown(markdown)
      if (text === '') report.onSkip('Markdown without text')
      else found.push({ file, part: '', text, replaced })
    }
    yield found
  }
}

/** Fenced code is not touched. */
export function tidyMarkdown(markdown: string): string {
  const parts = markdown.replace(/\r\n?/g, '\n').split(/^(```[^\n]*\n[\s\S]*?\n```)[ \t]*$/m)
  return parts
    .map((part, index) => (index % 2 === 1 ? part : tidyProse(part)))
    .join('')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}

function tidyProse(text: string): string {
  return (
    text
      // Formulas that are drawn as pictures keep their TeX in an attribute. Some are commented out by half.
      .replace(
        /(?:<!-- *)?<(div|p) class="equation"[^>]*?data-raw-text="([^"]*)"[\s\S]*?<\/\1>(?: *-->)?/g,
        (_, _tag, tex: string) => `$$${unescapeEntities(tex)}$$`,
      )
      .replace(/<!--[\s\S]*?-->/g, '')
      .replace(/^\[!\[[^\n]*$/gm, '')
      .replace(/!\[([^\]]*)\]\([^)]*\)/g, '')
      .replace(/^ {0,3}\[[^\]]+\]:\s+\S+.*$/gm, '')
      .replace(/\[([^\]]+)\](?:\([^)\s]*(?:\s+"[^"]*")?\)|\[[^\]]*\])/g, '$1')
      .replace(
        /<\/?(?:section|div|p|br|img|a|span|center|details|summary|sup|sub|b|i|table|tr|td|th)\b[^>]*>/g,
        '',
      )
      .replace(/^\s*(?:\* ?){3,}$/gm, '')
  )
}

function unescapeEntities(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
}

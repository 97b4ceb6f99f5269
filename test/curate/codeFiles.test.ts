import { describe, expect, it } from 'vitest'
import { codeLanguageOf } from '../../src/curate/codeLanguage.ts'
import { codeFilesRule, licenceRule } from '../../src/curate/index.ts'
import { document } from './documents.ts'

describe('codeLanguageOf', () => {
  it('takes the word of a shebang, then of the name', () => {
    expect(codeLanguageOf('tool', '#!/usr/bin/env python3\nprint(1)\n')).toBe('python')
    expect(codeLanguageOf('run.txt', '#!/bin/sh\necho hi\n')).toBe('shell')
    expect(codeLanguageOf('a/b/Rakefile', 'task :x')).toBe('ruby')
    expect(codeLanguageOf('page.tsx', '')).toBe('typescript')
    expect(codeLanguageOf('x.rs', 'fn main() {}')).toBe('rust')
  })

  it('tells a header of C++ from one of C', () => {
    expect(codeLanguageOf('list.h', '#include <stdio.h>\nint size(void);\n')).toBe('c')
    expect(codeLanguageOf('list.h', '#include <vector>\nclass List { std::vector<int> items; };\n')).toBe(
      'cpp',
    )
  })

  it('finds a language without a name by its signs, and none in prose', () => {
    const go = 'package main\n\nimport "fmt"\n\nfunc main() {\n\tx := 1\n\tfmt.Println(x)\n}\n'
    expect(codeLanguageOf('snippet', go)).toBe('go')
    expect(codeLanguageOf('README', 'Nothing but words, and a few more of them.')).toBeUndefined()
  })

  it('does not believe a name that the content contradicts', () => {
    const php =
      `<?php\nuse App\\Models\\User;\n$user = new User();\nfunction show($user) {\n  echo $user->name;\n}\n`.repeat(
        4,
      )
    expect(codeLanguageOf('user.sql', php)).toBeUndefined()
  })
})

describe('licenceRule', () => {
  const kept = async (licence: string, meta = {}) => {
    const [verdict] = await licenceRule().judge([document('x', { licence, meta })])
    return verdict.keep
  }

  it('reads expressions: every part of an AND, any part of an OR', async () => {
    expect(await kept('MIT')).toBe(true)
    expect(await kept('(MIT OR GPL-3.0-only)')).toBe(true)
    expect(await kept('MIT AND GPL-3.0-only')).toBe(false)
    expect(await kept('Apache-2.0 WITH LLVM-exception')).toBe(true)
    expect(await kept('unknown')).toBe(true)
    expect(await kept('unknown', { license: 'GPL-2.0' })).toBe(false)
  })
})

describe('codeFilesRule', () => {
  it('knows vendored, built and test-data files by their place', async () => {
    const paths = [
      'src/a.js',
      'web/node_modules/x/a.js',
      'dist/a.js',
      'a_pb2.py',
      'app.min.js',
      'test/fixtures/a.py',
      'lib/external.py',
    ]
    const verdicts = await codeFilesRule().judge(paths.map((path) => document('x', { meta: { path } })))
    expect(verdicts.map((verdict) => (verdict.keep ? '' : verdict.rule.slice(10)))).toEqual([
      '',
      'vendored',
      'generated',
      'generated',
      'generated',
      'testData',
      '',
    ])
  })
})

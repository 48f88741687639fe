// Reads the values of the chart as rows of a table: each key that has a comment beginning with `# --`.
import { isMap, isNode, isScalar, parseDocument, type YAMLMap } from 'yaml'

export interface Row {
  readonly key: string
  readonly fallback: string
  readonly says: string
}

export interface Reading {
  readonly rows: readonly Row[]
  /** Keys that nothing is said about, neither at themselves nor at all that is below them. */
  readonly silent: readonly string[]
}

/** Reads the text of values.yaml. */
export function readValues(text: string): Reading {
  const { contents } = parseDocument(text)
  if (!isMap(contents)) throw new Error('the values are not a map')
  const rows: Row[] = []
  const silent: string[] = []
  visit(contents, '')
  return { rows, silent }

  function visit(map: YAMLMap, above: string): void {
    for (const [index, { key, value }] of map.items.entries()) {
      if (!isScalar(key)) continue
      const name = above + String(key.value)
      // What stands before the first key is taken for a comment of the whole map.
      const comment = key.commentBefore ?? (index === 0 ? map.commentBefore : undefined) ?? ''
      const [says, ...more] = (/(?:^|\n) -- ([\s\S]*)/.exec(comment)?.[1] ?? '').split('\n')
      if (says) {
        const told = more.find((line) => line.startsWith(' @default -- '))?.slice(' @default -- '.length)
        rows.push({ key: name, fallback: told ?? `\`${JSON.stringify(isNode(value) ? value.toJSON() : null)}\``, says })
      } else if (isMap(value) && value.items.length > 0) {
        visit(value, `${name}.`)
      } else {
        silent.push(name)
      }
    }
  }
}

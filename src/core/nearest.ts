/** Finds what somebody probably meant, for error messages that name the fix. */

/** Names the known words that resemble `word`, the closest first, at most three; `word` should be bounded by the caller. */
export function closeWords(word: string, known: Iterable<string>): string[] {
  const tolerated = Math.max(2, Math.floor(word.length / 3))
  return [...known]
    .map((candidate) => ({ candidate, edits: editsBetween(candidate.toLowerCase(), word.toLowerCase()) }))
    .filter(({ edits }) => edits <= tolerated)
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 3)
    .map(({ candidate }) => candidate)
}

/** Counts the insertions, deletions and replacements that turn one word into the other (Levenshtein). */
export function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}

// Every relative link in the documentation leads to a file, and to a heading if it names one.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SKIPPED = /^(?:node_modules|\.git|\.nightshift|coverage)(?:\/|$)/

const pages = readdirSync(ROOT, { withFileTypes: true })
  .filter(({ name }) => !SKIPPED.test(name))
  .flatMap((entry) => (entry.isDirectory() ? pagesBelow(entry.name) : entry.name))
  .filter((path) => path.endsWith('.md'))

function pagesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path))
}

/** Lists the links of a page that lead nowhere. */
function broken(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '')
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string)
  return links.filter((link) => !/^[a-z]+:/.test(link) && !leadsSomewhere(page, link)).map((link) => `${page}: ${link}`)
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', heading] = link.split('#')
  const target = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path)
  if (!existsSync(target)) return false
  return heading === undefined || headingsOf(readFileSync(target, 'utf8')).includes(heading)
}

/** Lists the anchors that GitHub gives to the headings of a page. */
function headingsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#{1,6} (.+)$/gm)].map(([, title]) =>
    (title as string)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  )
}

test('every relative link in the documentation leads somewhere', () => {
  expect(pages).toContain('README.md')
  expect(pages.flatMap(broken)).toEqual([])
})

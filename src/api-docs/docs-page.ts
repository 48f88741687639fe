/** The API's documentation as one page: written by the server from the OpenAPI document, without scripts. */
import { createHash } from 'node:crypto'
import { PROBLEMS } from '../http/problem.ts'
import type { OpenApi, Operation } from './openapi.ts'

const STYLE = `
:root { color-scheme: light dark; --text: #1c2430; --soft: #5a6675; --line: #d9dfe7; --back: #fff; --box: #f5f7fa; --link: #1a56b8 }
@media (prefers-color-scheme: dark) {
  :root { --text: #dfe5ee; --soft: #97a3b4; --line: #2d3644; --back: #12161d; --box: #1a2029; --link: #7fb0ff }
}
* { box-sizing: border-box }
body { margin: 0; color: var(--text); background: var(--back); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1.25rem 6rem }
h1 { font-size: 1.9rem; margin: 0 0 .25rem }
h2 { font-size: 1.3rem; margin: 3rem 0 1rem; padding-bottom: .35rem; border-bottom: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 0 0 .35rem }
p { margin: .35rem 0 }
a { color: var(--link) }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin-top: 1rem }
section.one { margin: 0 0 1rem; padding: .9rem 1.1rem; border: 1px solid var(--line); border-radius: .5rem }
section:target { outline: 2px solid var(--link) }
code, pre { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
pre { margin: .6rem 0; padding: .75rem 1rem; overflow-x: auto; background: var(--box); border-radius: .4rem }
.method { display: inline-block; min-width: 3.4rem; color: var(--soft); font-weight: 600 }
.soft { color: var(--soft) }
table { width: 100%; margin: .6rem 0; border-collapse: collapse; font-size: .92rem }
th, td { padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line) }
th { width: 12rem; font-weight: 500; overflow-wrap: anywhere }
summary { cursor: pointer }
`

/** Allows this page its style and nothing else. */
export const DOCS_CSP = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`

/** Writes the page. */
export function docsPage(document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )
  const byTag = Map.groupBy(operations, ({ operation }) => operation.tags[0] ?? '')
  const schemas = Object.entries(document.components.schemas)
  const payloads = schemas.filter(([name]) => name.startsWith('payload.'))
  const others = schemas.filter(([name]) => !name.startsWith('payload.'))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nightshift API</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Nightshift API</h1>
<p class="soft">A task answered <code>202</code> is committed and reaches SUCCESS, FAILED or CANCELLED.</p>
<nav>${[...byTag.keys(), 'Task types', 'Schemas', 'Problems'].map((title) => `<a href="#${anchor(title)}">${escaped(title)}</a>`).join('')}<a href="/openapi.json">openapi.json</a></nav>
<h2 id="begin">Begin</h2>
<pre>curl -i http://localhost:8080/api/v1/tasks \\
  -H 'Authorization: Bearer &lt;key&gt;' -H 'Content-Type: application/json' \\
  -H 'Idempotency-Key: order-4711' \\
  -d '{"name": "&lt;task type&gt;", "payload": {…}}'</pre>
<p>Keys carry the scopes <code>submit</code>, <code>read</code>, <code>operate</code> and <code>admin</code>; a client sees its own tasks only.
Every answer has <code>X-Request-Id</code>, yours or a new one; it leads to everything the request caused.
Errors are <code>application/problem+json</code>.</p>
${[...byTag].map(([tag, group]) => `<h2 id="${anchor(tag)}">${escaped(tag)}</h2>\n${group.map(operationHtml).join('\n')}`).join('\n')}
<h2 id="task-types">Task types</h2>
${payloads.map(([name, schema]) => schemaHtml(name, name.replace(/^payload\./, ''), schema)).join('\n')}
<h2 id="schemas">Schemas</h2>
${others.map(([name, schema]) => schemaHtml(name, name, schema)).join('\n')}
<h2 id="problems">Problems</h2>
${Object.entries(PROBLEMS)
  .map(
    ([slug, { status, title, says }]) =>
      `<section class="one" id="problem-${slug}"><h3>${status} ${escaped(title)}</h3><p class="soft"><code>${slug}</code></p><p>${prose(says)}</p></section>`,
  )
  .join('\n')}
</main>
</body>
</html>
`
}

function operationHtml({ method, path, operation }: { method: string; path: string; operation: Operation }): string {
  const scopes = (operation.security as { key: string[] }[]).flatMap(({ key }) => key)
  const parameters = operation.parameters as {
    name: string
    in: string
    required: boolean
    description?: string
    schema: { enum?: string[] }
  }[]
  const body = (
    operation.requestBody as
      | { content?: Record<string, { schema: { $ref?: string; items?: { $ref?: string } } }> }
      | undefined
  )?.content
  const rows = [
    ...parameters.map(({ name, in: where, required, description, schema }) => {
      const words = schema.enum ? `one of ${schema.enum.map((word) => `\`${word}\``).join(', ')}` : ''
      return row(
        `<code>${escaped(name)}</code>`,
        `<span class="soft">${where}${required ? ', required' : ''}</span> ${prose(description ?? words)}`,
      )
    }),
    ...Object.entries(body ?? {}).map(([type, { schema }]) =>
      row('body', `<code>${escaped(type)}</code> ${schemaLink(schema)}`),
    ),
    ...Object.entries(operation.responses).map(([status, answer]) => {
      const { description, content } = answer as {
        description: string
        content?: Record<string, { schema: { $ref?: string; items?: { $ref?: string } } }>
      }
      return row(status, `${prose(description)} ${schemaLink(Object.values(content ?? {})[0]?.schema)}`)
    }),
  ]
  const access =
    scopes.length > 0
      ? `needs a key with ${scopes.map((scope) => `<code>${scope}</code>`).join(' or ')}`
      : 'needs no key'
  return `<section class="one" id="${anchor(`${method} ${path}`)}">
<h3><span class="method">${method.toUpperCase()}</span> <code>${escaped(path)}</code></h3>
<p>${prose(operation.summary)}; <span class="soft">${access}</span></p>
${operation.description ? `<p>${prose(operation.description)}</p>` : ''}
<table>${rows.join('')}</table>
</section>`
}

const row = (head: string, text: string): string => `<tr><th>${head}</th><td>${text}</td></tr>`

function schemaLink(schema: { $ref?: string; items?: { $ref?: string } } | undefined): string {
  const name = (schema?.$ref ?? schema?.items?.$ref)?.split('/').at(-1)
  return name === undefined
    ? ''
    : `<a href="#${anchor(`schema ${name}`)}">${schema?.items ? 'array of ' : ''}${escaped(name)}</a>`
}

function schemaHtml(name: string, title: string, schema: Readonly<Record<string, unknown>>): string {
  const summary = typeof schema.description === 'string' ? `<p>${prose(schema.description)}</p>` : ''
  return `<section class="one" id="${anchor(`schema ${name}`)}"><h3><code>${escaped(title)}</code></h3>${summary}
<details><summary>JSON Schema</summary><pre>${escaped(JSON.stringify(schema, undefined, 2))}</pre></details></section>`
}

const anchor = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')

/** Text in which `backticks` mark code. */
const prose = (text: string): string => escaped(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')

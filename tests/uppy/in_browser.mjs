// node in_browser.mjs WORLD: runs each scenario in a headless Chromium and prints what came out, as JSON by scenario.
import { createServer } from 'node:http'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'

const world = JSON.parse(process.argv[2])
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const served = async () => {
  const bundle = await build({ entryPoints: ['page.js'], bundle: true, write: false, format: 'esm' })
  const html = '<!doctype html><meta charset="utf-8"><input type="file" multiple><script type="module" src="/page.js"></script>'
  const answers = {
    '/': ['text/html', html],
    '/page.js': ['text/javascript', bundle.outputFiles[0].text],
  }
  const server = createServer((request, response) => {
    const [type, body] = answers[request.url.split('?')[0]] ?? ['text/plain', '']
    response.writeHead(200, { 'content-type': type }).end(body)
  })
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
  return server
}

const opened = async (context, server, multipart) => {
  const tab = await context.newPage()
  tab.on('console', (message) => console.error(message.text()))
  tab.on('pageerror', (error) => console.error(error.message))
  const query = JSON.stringify({ api: world.http, token: world.token, multipart })
  await tab.goto(`http://127.0.0.1:${server.address().port}/?world=${encodeURIComponent(query)}`)
  await tab.waitForFunction(() => window.page)
  return tab
}

const chosen = async (tab) => {
  await tab.setInputFiles('input', world.path)
  await tab.waitForFunction(() => window.page.uppy.getFiles().length === 1)
}

const outcome = async (tab) => {
  await tab.waitForFunction(() => window.page.done)
  return tab.evaluate(() => ({ ...window.page.done, parts: window.page.parts }))
}

const uploaded = async (tab) => {
  await chosen(tab)
  await tab.evaluate(() => void window.page.uppy.upload())
  return outcome(tab)
}

// Slow enough for a part to be under way when the page is left.
const slowed = async (context, tab, bytesPerSecond) => {
  const devtools = await context.newCDPSession(tab)
  const upload = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond }
  await devtools.send('Network.emulateNetworkConditions', upload)
}

const begun = async (context, server) => {
  const tab = await opened(context, server, true)
  await chosen(tab)
  await slowed(context, tab, 5 << 20)
  await tab.evaluate(() => void window.page.uppy.upload())
  await tab.waitForFunction(() => window.page.parts.length > 0)
  return tab
}

const scenarios = {
  single: async (context, server) => uploaded(await opened(context, server, false)),
  multipart: async (context, server) => uploaded(await opened(context, server, true)),
  reload: async (context, server) => {
    const tab = await begun(context, server)
    const { uploadId } = await tab.evaluate(() => window.page.uppy.getFiles()[0].s3Multipart)
    // The retriever writes what it knows a moment later.
    await tab.waitForTimeout(700)
    await tab.reload()
    await tab.waitForFunction(() => window.page?.restored)
    await slowed(context, tab, -1)
    const kept = await tab.evaluate(() => window.page.uppy.getFiles()[0].s3Multipart)
    await tab.evaluate(() => window.page.uppy.emit('restore-confirmed'))
    return { ...(await outcome(tab)), same: kept.uploadId === uploadId }
  },
  cancel: async (context, server) => {
    const tab = await begun(context, server)
    const gone = tab.waitForResponse((answer) => answer.request().method() === 'DELETE')
    const { key } = await tab.evaluate(() => window.page.uppy.getFiles()[0].s3Multipart)
    await tab.evaluate(() => window.page.uppy.cancelAll())
    return { id: key, status: (await gone).status() }
  },
}

const server = await served()
const browser = await chromium.launch({ executablePath: world.chromium, args: QUIET })
const found = {}
try {
  for (const scenario of Object.keys(scenarios)) {
    const context = await browser.newContext()
    context.setDefaultTimeout(60_000)
    found[scenario] = await scenarios[scenario](context, server).catch((error) => ({ error: error.stack }))
    await context.close()
  }
  console.log(JSON.stringify(found))
} finally {
  await browser.close()
  server.close()
}

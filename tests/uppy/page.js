// What an app's page does: a file input, Uppy with the AwsS3 plugin, and files that survive a reload.
import AwsS3 from '@uppy/aws-s3'
import Uppy from '@uppy/core'
import GoldenRetriever from '@uppy/golden-retriever'
import { trafficCop } from './traffic_cop.js'

const LIMIT = 64 << 20
const { api, token, multipart } = JSON.parse(new URLSearchParams(location.search).get('world'))
const uppy = new Uppy({ id: 'page', autoProceed: false })
const page = (window.page = { uppy, parts: [], done: null, restored: false })

uppy.use(GoldenRetriever, { indexedDB: { maxFileSize: LIMIT, maxTotalSize: LIMIT } })
uppy.use(AwsS3, { shouldUseMultipart: multipart, ...trafficCop(uppy, api, () => token) })
uppy.on('s3-multipart:part-uploaded', (file, part) => page.parts.push(part.PartNumber))
uppy.on('restored', () => { page.restored = true })
uppy.on('complete', ({ successful, failed }) => {
  const said = (file) => ({ id: file.response?.body?.key, url: file.response?.uploadURL, error: file.error })
  page.done = { successful: successful.map(said), failed: failed.map(said) }
})
document.querySelector('input').addEventListener('change', (event) => {
  for (const file of event.target.files) uppy.addFile({ name: file.name, type: file.type, data: file })
})

// Options for Uppy's AwsS3 plugin; `api` is the HTTP API's address, `token` returns an access token.
export const trafficCop = (uppy, api, token) => {
  const call = async (method, path, body) => {
    const headers = { authorization: `Bearer ${await token()}`, 'content-type': 'application/json' }
    const answer = await fetch(`${api}/files${path}`, { method, headers, body: body && JSON.stringify(body) })
    if (!answer.ok) throw new Error((await answer.json()).detail)
    return answer.status === 204 ? undefined : answer.json()
  }
  const create = ({ name, type, size }, multipart) => call('POST', '', { name, content_type: type, size, multipart })
  // The plugin wants to read what S3 would answer.
  const asS3 = (xml, more) => ({ url: `data:application/xml,${encodeURIComponent(xml)}`, ...more })
  const part = ({ PartNumber, ETag }) => `<Part><PartNumber>${PartNumber}</PartNumber><ETag>${ETag}</ETag></Part>`
  const open = {
    PUT: async (key) => {
      const { file, upload } = await create(uppy.getFile(key), false)
      return { ...upload, key: file.id }
    },
    POST: async (key) => {
      const { upload } = await create(uppy.getFile(key), true)
      const told = `<UploadId>${upload.uploadId}</UploadId>`
      return asS3(`<InitiateMultipartUploadResult>${told}</InitiateMultipartUploadResult>`, { key: upload.key })
    },
  }
  const goOn = {
    PUT: (id, number) => call('GET', `/${id}/parts/${number}`),
    GET: async (id) => {
      const parts = await call('GET', `/${id}/parts`)
      return asS3(`<ListPartsResult>${parts.map(part).join('')}</ListPartsResult>`)
    },
    POST: async (id) => {
      const { location } = await call('POST', `/${id}/complete`, { parts: await call('GET', `/${id}/parts`) })
      const told = `<Location>${api}${location}</Location><Key>${id}</Key>`
      return asS3(`<CompleteMultipartUploadResult>${told}</CompleteMultipartUploadResult>`)
    },
    DELETE: async (id) => asS3((await call('DELETE', `/${id}/parts`)) ?? ''),
  }
  return {
    generateObjectKey: (file) => file.id,
    signRequest: ({ method, key, uploadId, partNumber }) =>
      uploadId ? goOn[method](key, partNumber) : open[method](key),
  }
}

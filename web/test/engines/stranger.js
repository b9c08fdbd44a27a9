/** Servers that have nothing to do with the services: whoever must not get a token. */
import { createServer } from 'node:http';

/** A server of another origin that answers everything, sends `/to/…` on to where that says, and keeps what it was told. */
export const openStranger = async (t) => {
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'authorization, content-type' };
    if (request.method === 'OPTIONS') return response.writeHead(204, headers).end();
    seen.push({ method: request.method, path: request.url, token: request.headers.authorization, body: Buffer.concat(chunks).toString() });
    const [, status, to] = /^\/to\/(\d+)\/(.*)/.exec(request.url) ?? [];
    response.writeHead(to ? Number(status) : 200, to ? { ...headers, Location: decodeURIComponent(to) } : headers).end('{}');
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.on('listening', resolve));
  return { url: `http://localhost:${server.address().port}`, seen };
};

/** What the proxies protect: an application that says of each request what came in, and remembers that it came. And who asks it. */
import { createServer, request } from 'node:http';
import { text } from 'node:stream/consumers';

/** Starts `handler` on a free port of loopback: `{port, close}`. */
export const serve = async (handler) => {
  const server = createServer({ maxHeaderSize: 64 * 1024 }, handler);
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    port: server.address().port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
};

/**
 * Answers every request with what it got, as JSON: `{method, url, headers: [[name, value]…], body}`, names as they were sent;
 * with `?answer=STATUS` it refuses in its own words.
 */
export const startApplication = async () => {
  const seen = [];
  const server = await serve(async (req, res) => {
    seen.push(req.url);
    const [, wish] = /[?]answer=(\d+)/.exec(req.url) ?? [];
    if (wish) return res.writeHead(wish, { 'X-Application': 'here' }).end('in its own words');
    const headers = [];
    for (let at = 0; at < req.rawHeaders.length; at += 2) headers.push([req.rawHeaders[at], req.rawHeaders[at + 1]]);
    const told = { method: req.method, url: req.url, headers, body: await text(req) };
    return res.writeHead(200, { 'Content-Type': 'application/json', 'X-Application': 'here' }).end(JSON.stringify(told));
  });
  return { ...server, saw: (path) => seen.some((url) => url.includes(path)) };
};

/**
 * Asks by a connection of its own. `headers` is a flat list of names and values, so that names come as they are written and
 * as often; the path is not tidied.
 *
 * @returns {Promise<{status: number, headers: Record<string, string>, raw: string[], body: string, json: any}>}
 */
export const ask = async (port, path, { method = 'GET', token, headers = [], body } = {}) => {
  const own = ['Host', 'application.example', ...(token ? ['Authorization', `Bearer ${token}`] : []), ...(body ? ['Content-Length', String(body.length)] : [])];
  const sent = request({ host: '127.0.0.1', port, path, method, agent: false, headers: [...own, ...headers], timeout: 20_000 });
  const answered = new Promise((resolve, reject) => {
    sent.once('response', resolve).once('error', reject).once('timeout', () => sent.destroy(new Error('no answer')));
  });
  sent.end(body);
  const answer = await answered;
  const content = await text(answer);
  const isJson = /json/.test(answer.headers['content-type'] ?? '');
  return { status: answer.statusCode, headers: answer.headers, raw: answer.rawHeaders, body: content, json: isJson && content ? JSON.parse(content) : undefined };
};

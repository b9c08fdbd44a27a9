/**
 * A line between a browser and a service: it keeps what passes, and can do what a bad line does. It works with any
 * browser, since it needs none's tools.
 */
import { once } from 'node:events';
import { createServer, request as send } from 'node:http';

/**
 * @typedef {{method: string, path: string, token?: string, body: string, at: number}} Passed
 * @typedef {{status: number, headers: Record<string, any>, body: string | Buffer}} Answer
 * @typedef {(passed: Passed, pass: () => Promise<Answer>) => Promise<Answer | null> | Answer | null} Rule `null`: the line
 *   goes dead before a byte of the answer.
 */

/** @param {import('node:test').TestContext} t @param {string} target */
export const openLine = async (t, target) => {
  /** @type {Passed[]} */
  const seen = [];
  const line = {
    url: '',
    seen,
    /** @type {Rule} */
    rule: (passed, pass) => pass(),
    /** What asked for this path, in the order of arrival; a preflight does not count. @param {string} path @param {string} [method] */
    asked: (path, method) => seen.filter((passed) => passed.path === path && (method ? passed.method === method : passed.method !== 'OPTIONS')),
  };

  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray().catch(() => []));
    const { method, url: path, headers } = request;
    const passed = { method, path, token: headers.authorization?.replace('Bearer ', ''), body: body.toString(), at: performance.now() };
    seen.push(passed);
    const pass = () => onward(target, { method, path, headers, body });
    const answer = await Promise.resolve(line.rule(passed, pass)).catch(() => null);
    // Every answer ends its connection: on one that was used before, a browser sends a lost request again by itself.
    if (answer) response.writeHead(answer.status, { ...answer.headers, connection: 'close' }).end(answer.body);
    else request.socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  line.url = `http://localhost:${server.address().port}`;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return line;
};

/** @returns {Promise<Answer>} */
const onward = async (target, { method, path, headers, body }) => {
  const { host } = new URL(target);
  const request = send(target + path, { method, headers: { ...headers, host, connection: 'close' }, agent: false }).end(body);
  const [answer] = await once(request, 'response');
  const { 'transfer-encoding': framing, ...rest } = answer.headers;
  return { status: answer.statusCode, headers: rest, body: Buffer.concat(await answer.toArray()) };
};

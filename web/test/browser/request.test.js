/** Statements 20, 25 and 27: bodies as a browser sends them, clocks that are wrong, and silence. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import { stage, stored } from './support.js';

const s = await stage();

/** An API that calls every first request expired and keeps what it got, byte for byte. */
const recorder = async (t) => {
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Headers': 'authorization, content-type, x-name',
      'Access-Control-Expose-Headers': 'act',
    };
    if (request.method === 'OPTIONS') return response.writeHead(204, headers).end();
    const name = request.headers['x-name'];
    const first = !seen.some((one) => one.name === name);
    seen.push({ name, type: request.headers['content-type'] ?? '', bytes: Buffer.concat(chunks), token: request.headers.authorization });
    response.writeHead(first ? 401 : 200, first ? { ...headers, act: 'expired' } : headers).end();
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.on('listening', resolve));
  return { url: `http://localhost:${server.address().port}/upload`, seen };
};

test('20. string, Blob, ArrayBuffer, typed array, FormData, URLSearchParams and Request bodies are repeated byte for byte', async (t) => {
  const { url, seen } = await recorder(t);
  const profile = await s.profile(t);
  const tab = await profile.tab({ api: [s.resourceUrl, url] });
  await tab.evaluate((user) => client.login(user), await s.register());
  const statuses = await tab.evaluate(async (url) => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251);
    const form = new FormData();
    form.append('名', '王小明');
    form.append('file', new File([bytes], 'ä.png', { type: 'image/png' }));
    const bodies = {
      string: 'grüße 王',
      Blob: new Blob([bytes], { type: 'application/x-bytes' }),
      ArrayBuffer: bytes.buffer.slice(3),
      'typed array': bytes.subarray(10, 5000),
      FormData: form,
      URLSearchParams: new URLSearchParams({ a: 'ä b', c: '+' }),
    };
    const statuses = {};
    for (const [name, body] of Object.entries(bodies)) {
      const init = { method: 'POST', body, headers: { 'X-Name': name } };
      statuses[name] = (await client.fetch(url, init)).status;
      const request = new Request(url, { ...init, headers: { 'X-Name': `Request of ${name}` } });
      statuses[`Request of ${name}`] = (await client.fetch(request)).status;
    }
    return statuses;
  }, url);
  assert.deepEqual([...new Set(Object.values(statuses))], [200], JSON.stringify(statuses));
  for (const name of Object.keys(statuses)) {
    const [first, second, ...more] = seen.filter((one) => one.name === name).map(plain);
    assert.deepEqual(more, []);
    assert.deepEqual(second, first, name);
    assert.ok(first.text.length > 5, name);
  }
  assert.equal(seen.find(({ name }) => name === 'Blob').bytes.length, 70_000);
});

/** Without the boundary, which the platform draws anew for every FormData. */
const plain = ({ type, bytes }) => {
  const boundary = /boundary=(.*)$/.exec(type)?.[1];
  const text = bytes.toString('latin1');
  return { type: type.replace(boundary ?? '', ''), text: boundary ? text.replaceAll(boundary, '') : text };
};

for (const days of [-2, 2]) {
  test(`25. with the machine's clock two days off (${days}): no needless refresh, no sign-out, and session.expiresAt right by that clock`, async (t) => {
    const profile = await s.profile(t);
    const tab = await profile.tab({ refreshBefore: 10_000 });
    await tab.clock.install({ time: Date.now() + days * 86_400_000 });
    const { session, now } = await tab.evaluate(async (user) => ({ session: await client.login(user), now: Date.now() }), await s.register());
    const life = (session.claims.exp - session.claims.iat) * 1000;
    assert.ok(Math.abs(now - Date.now() - days * 86_400_000) < 60_000, 'the clock is off');
    assert.ok(Math.abs(session.expiresAt - (now + life)) < 3000, `${session.expiresAt - now} ms`);
    assert.ok(Math.abs(session.skew + days * 86_400_000) < 3000);
    assert.equal((await stored(tab)).skew, session.skew);
    for (let i = 0; i < 3; i += 1) assert.equal((await tab.evaluate(() => call())).status, 200);
    await tab.reload();
    assert.equal(profile.refreshes().length, 0);
    // And it is right about the end, too.
    await tab.clock.runFor(life - 8000);
    const left = await tab.evaluate(async () => {
      const { createTokenClient } = await import('/token-client.js');
      return createTokenClient().session.expiresAt - Date.now();
    });
    assert.ok(left < 8500 && left > 0, `${left} ms`);
  });
}

test('27. a page left alone sends nothing: no timer, no poll, no focus or visibility handler', async (t) => {
  const user = await s.register();
  const profile = await s.profile(t);
  const tab = await profile.tab({ refreshBefore: 60_000 });
  const page = await profile.context.newPage();
  await page.clock.install();
  await tab.clock.install();
  await tab.evaluate((user) => client.login(user), user);
  await page.goto(s.authUrl);
  await page.waitForSelector('#sessions-rows tr');
  const before = profile.sent.length;
  for (const each of [tab, page]) {
    await each.clock.runFor('02:00:00');
    await each.evaluate(() => {
      for (const name of ['focus', 'blur', 'online', 'offline', 'pageshow', 'resize']) window.dispatchEvent(new Event(name));
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await each.bringToFront();
  }
  await profile.context.setOffline(true);
  await profile.context.setOffline(false);
  await tab.evaluate(() => fetch('/healthz?last')); // whatever was to be sent before this has been sent
  await page.evaluate(() => fetch('/healthz?last'));
  assert.deepEqual(profile.sent.slice(before).map((request) => request.url()), [`${s.authUrl}/healthz?last`, `${s.authUrl}/healthz?last`]);
  assert.equal(profile.refreshes().length, 0);
});

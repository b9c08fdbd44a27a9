/** Statement 37: the device token; and log-ins that fail. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { inspect } from 'node:util';
import { TokenError, createTokenClient } from '../../token-client.js';
import { AUTHORITY, HOME, KEY, PATHS, fakeStorage, installPage, json, networkError, problem, world } from './support.js';

const credentials = { email: 'u1', password: 'geheim' };

/** A service that gives every log-in a device token, and what the log-ins carried. */
const withDevices = (w = world()) => {
  let count = 0;
  w.on.login = async (request, usual) => json({ ...(await usual().json()), deviceToken: `device-${(count += 1)}` });
  const carried = () => w.of('login').map(({ body }) => JSON.parse(body).deviceToken);
  return { w, carried };
};

test('37. the deviceToken of a log-in survives log-out and goes with that account’s next log-in only', async () => {
  const { w, carried } = withDevices();
  const client = w.client();
  const logIn = async (email) => {
    await client.login({ email, password: 'geheim' });
    const body = JSON.parse(w.of('login').at(-1).body);
    assert.deepEqual(Object.keys(body).filter((name) => name !== 'deviceToken'), ['email', 'password']);
    assert.ok(!w.storage.getItem(KEY).includes('device-'), 'under a key of its own');
    await client.refresh();
    await client.fetch(HOME);
    await client.logout();
  };
  await logIn('ada@example.com');
  await logIn('ada@example.com');
  await logIn('bob@example.com');
  // However it is typed, it is the same account; another client of the origin knows it, too.
  await logIn(' Ada@Example.com ');
  await w.client().login({ email: 'bob@example.com', password: 'geheim' });
  assert.deepEqual(carried(), [undefined, 'device-1', undefined, 'device-2', 'device-3']);
  const elsewhere = w.requests.filter(({ kind, body, url }) => kind !== 'login' && `${url} ${body}`.includes('device-'));
  assert.deepEqual(elsewhere, [], 'nowhere but in a log-in');
  assert.deepEqual(w.storage.keys().sort(), [KEY, `${KEY}-devices`]);
  const other = w.client({ key: 'mine' });
  await other.login({ email: 'ada@example.com', password: 'geheim' });
  assert.equal(carried().at(-1), undefined, 'nor to the service of another key');
});

test('37. … it outlives a log-in that fails, and an answer without one', async () => {
  const { w, carried } = withDevices();
  const client = w.client();
  await client.login(credentials);
  const { login } = w.on;
  for (const answer of [() => problem(401, 'invalid_credentials'), () => problem(429, 'too_many_attempts'), () => Promise.reject(networkError()), undefined]) {
    w.on.login = answer;
    await client.login(credentials).catch(() => {});
  }
  w.on.login = login;
  await client.login(credentials);
  assert.deepEqual(carried(), [undefined, ...Array(5).fill('device-1')]);
});

test('37. … at most five accounts are remembered, those that logged in last', async () => {
  const { w, carried } = withDevices();
  const client = w.client();
  const all = ['a', 'b', 'c', 'd', 'e', 'a', 'f'];
  for (const email of all) await client.login({ email, password: 'geheim' });
  for (const email of ['a', 'c', 'd', 'e', 'f', 'b']) {
    await client.login({ email, password: 'geheim' });
    await client.logout();
  }
  assert.deepEqual(carried().slice(all.length), ['device-6', 'device-3', 'device-4', 'device-5', 'device-7', undefined]);
});

test('37. … rubbish under its key is no obstacle to a log-in, nor is a storage that is full or denied', async () => {
  const rubbish = ['', 'null', '1', '"x"', '{', '{}', '[]', '[null]', '[1,"a"]', '[[]]', '[["u1"]]', '[["u1",null]]', '[["u2","x"],7]', '{"u1":"x"}'];
  for (const value of rubbish) {
    const { w, carried } = withDevices();
    w.storage.setItem(`${KEY}-devices`, value);
    const client = w.client();
    await client.login(credentials);
    await client.login(credentials);
    assert.deepEqual(carried(), [undefined, 'device-1'], value);
  }
  for (const value of ['[["u1",7]]', '[["u1",{}]]', '[["u1",["x"]]]']) {
    const { w, carried } = withDevices();
    w.storage.setItem(`${KEY}-devices`, value);
    await w.client().login(credentials);
    assert.equal(typeof carried()[0], 'string', 'never something that the service must refuse as malformed');
  }
  const broken = fakeStorage();
  broken.setItem = () => assert.fail('full');
  const { w } = withDevices(world({ storage: broken }));
  assert.equal((await w.client().login(credentials)).claims.sub, 'u1');
});

test('37. … no session, event, error or log shows it', async (t) => {
  const printed = [];
  for (const method of ['log', 'warn', 'error']) t.mock.method(console, method, (...args) => printed.push(args));
  const { w } = withDevices();
  const client = w.client();
  const events = w.listen(client);
  const session = await client.login(credentials);
  const seen = inspect({ events, printed, session, client, now: client.session }, { depth: 20, showHidden: true, getters: true });
  assert.ok(events.length && !seen.includes('device-'), seen);
});

test('a log-in that fails says why', async () => {
  const cases = [
    [() => problem(401, 'invalid_credentials'), { code: 'refused', status: 401, problem: 'invalid_credentials' }],
    [() => problem(403, 'account_blocked'), { code: 'refused', status: 403, problem: 'account_blocked' }],
    [() => problem(429, 'too_many_attempts', { 'Retry-After': '30' }), { code: 'unavailable', status: 429, retryAfter: 30 }],
    [() => Promise.reject(networkError()), { code: 'unavailable', status: 0 }],
    [() => json(false), { code: 'refused', status: 200 }],
    // Services of others refuse in their own words, or without any; a page is a proxy's.
    [() => new Response(null, { status: 401 }), { code: 'refused', status: 401 }],
    [() => json({ error: 'bad password' }, 400), { code: 'refused', status: 400 }],
    [() => new Response('<h1>Wi-Fi</h1>', { status: 403 }), { code: 'unavailable', status: 403 }],
    [() => json({}), { code: 'unavailable', status: 200 }],
  ];
  for (const [answer, facts] of cases) {
    const w = world();
    w.on.login = answer;
    const client = w.client();
    const events = w.listen(client);
    await assert.rejects(client.login(credentials), (error) => error instanceof TokenError && error.name === 'TokenError' && Object.entries(facts).every(([k, v]) => error[k] === v));
    assert.deepEqual(events, []);
    assert.equal(client.session, null);
  }
});

test('log-in, refresh and log-out are called where the options say', async (t) => {
  installPage(t, 'https://page.test/app/index.html');
  const urls = [];
  const fetch = async (url) => (urls.push(url), json({}, 503));
  const client = (options) => createTokenClient({ storage: fakeStorage(), fetch, ...options });
  await client({ authority: 'https://x.test/auth/' }).login(credentials).catch(() => {});
  await client({ authority: 'https://x.test', paths: { login: '/in' } }).login(credentials).catch(() => {});
  await client({}).login(credentials).catch(() => {});
  await client({ authority: '/auth' }).login(credentials).catch(() => {});
  assert.deepEqual(urls, [
    `https://x.test/auth${PATHS.login}`,
    'https://x.test/in',
    `https://page.test${PATHS.login}`,
    `https://page.test/auth${PATHS.login}`,
  ]);
  assert.ok(AUTHORITY);
});

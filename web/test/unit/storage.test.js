/** Statements 25 and 28–35 as far as one process can see them: storage as the only truth, events, log-out. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { inspect } from 'node:util';
import { TokenError, createTokenClient, decode } from '../../token-client.js';
import { AUTHORITY, HOME, KEY, PATHS, deferred, fakeStorage, installPage, installWindow, json, jwt, networkError, problem, world } from './support.js';

const credentials = { email: 'u1', password: 'geheim' };

test('25. expiresAt is right by a clock that is two days off: skew = iat − local time on arrival, stored with the pair', async (t) => {
  for (const days of [-2, 2]) {
    const service = Date.now;
    const w = world({ clock: service });
    const mock = t.mock.method(Date, 'now', () => service() + days * 86_400_000);
    // The world's clock was taken before; the client's is the machine's.
    const { expiresAt, skew, claims } = await w.client().login(credentials);
    assert.ok(Math.abs(expiresAt - (Date.now() + 60_000)) < 1500);
    assert.ok(Math.abs(skew + days * 86_400_000) < 1500);
    assert.equal(w.stored().skew, skew);
    assert.equal(claims.exp - claims.iat, 60);
    assert.equal((await w.client({ refreshBefore: 5000 }).fetch(HOME)).status, 200);
    assert.equal(w.of('refresh').length, 0);
    mock.mock.restore();
  }
});

test('25. … a token without iat is measured by exp − expiresIn, one without either not at all', async () => {
  const now = Math.floor(Date.now() / 1000);
  const client = world().client();
  const pair = (claims, expiresIn) => ({ accessToken: jwt(claims), refreshToken: 'r', expiresIn });
  assert.ok(Math.abs(client.adopt(pair({ exp: now + 1060 }, 60)).skew - 1_000_000) < 1500);
  assert.equal(client.adopt(pair({ exp: now + 1060 })).skew, 0);
  assert.ok(Number.isNaN(client.adopt(pair({})).expiresAt));
});

test('28. the pair is one JSON value under one key', async () => {
  const w = world();
  const client = w.client();
  await client.login(credentials);
  assert.deepEqual(w.storage.keys(), [KEY]);
  const { accessToken, refreshToken } = w.stored();
  assert.equal(accessToken, client.session.accessToken);
  assert.equal(refreshToken, 'secret-s1-0');
  const other = w.client({ key: 'mine' });
  await other.login(credentials);
  assert.deepEqual(w.storage.keys(), [KEY, 'mine']);
  await other.refresh();
  await client.logout();
  assert.deepEqual(w.storage.keys(), ['mine']);
});

test('29. no token is kept in memory between calls: storage is the only truth', async () => {
  const w = world();
  const client = w.client();
  await client.login(credentials);
  const first = w.storage.getItem(KEY);
  const bob = w.signIn('bob');
  assert.equal(client.session.claims.sub, 'bob');
  await client.fetch(HOME);
  assert.equal(w.of('api').at(-1).token, bob.accessToken);
  w.storage.removeItem(KEY);
  assert.equal(client.session, null);
  await client.fetch(HOME);
  assert.equal(w.of('api').at(-1).token, undefined);
  w.storage.setItem(KEY, first);
  assert.equal(client.session.claims.sub, 'u1');
  // Only what is written by hand, with the two tokens alone, is needed.
  const { accessToken, refreshToken } = bob;
  w.store({ accessToken, refreshToken });
  assert.equal((await client.fetch(HOME)).status, 200);
});

test('30. rubbish in storage means "signed out"', async () => {
  const rubbish = ['', 'null', '1', '"x"', '{', '[]', '{}', 'undefined', '{"accessToken":"a"}', '{"accessToken":"","refreshToken":""}', '{"accessToken":1,"refreshToken":{}}'];
  for (const value of rubbish) {
    const w = world();
    w.storage.setItem(KEY, value);
    const client = w.client();
    assert.equal(client.session, null, value);
    assert.equal((await client.fetch(HOME)).status, 401, value);
    await assert.rejects(client.refresh(), { code: 'refused' });
    await client.logout();
    await client.login(credentials);
    assert.equal((await client.fetch(HOME)).status, 200, value);
  }
});

test('30. … creating a client never throws and does no I/O', (t) => {
  const touched = () => assert.fail('touched');
  const traps = new Proxy({}, { get: touched, has: touched, set: touched });
  Object.defineProperty(globalThis, 'localStorage', { get: touched, configurable: true });
  t.after(() => delete globalThis.localStorage);
  for (const options of [undefined, {}, { authority: 'not a url', api: ['::', ''] }, { storage: traps, fetch: touched, locks: traps }]) {
    createTokenClient(options).close();
  }
});

test('31. where storage throws or is full, the client works from memory', async () => {
  const full = fakeStorage();
  full.setItem = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  const denied = { getItem: () => assert.fail('denied'), setItem: () => assert.fail('denied'), removeItem: () => assert.fail('denied') };
  for (const storage of [full, denied]) {
    const w = world({ storage });
    const client = w.client();
    assert.equal(client.session, null);
    await client.login(credentials);
    assert.equal(client.session.claims.sub, 'u1');
    w.expire();
    assert.equal((await client.fetch(HOME)).status, 200);
    assert.equal(w.of('refresh').length, 1);
    await client.logout();
    assert.equal(client.session, null);
    assert.equal((await client.fetch(HOME)).status, 401);
  }
});

test('32. what another tab does is an event {remote: true}; the handler never writes; a tab’s own echoed writes are ignored', async (t) => {
  const tab = installWindow(t);
  const w = world();
  const client = w.client();
  const events = w.listen(client);
  const told = () => events.splice(0).map(([name, { remote, reason }]) => [name, remote, reason]);
  const value = (pair) => JSON.stringify(pair);
  const pair = w.auth.issue('u1');

  tab.elsewhere(w.storage, KEY, value(pair));
  assert.deepEqual(told(), [['signedIn', true, undefined]]);
  const fresh = await w.auth.rotate(pair).json();
  w.storage.log.length = 0;
  tab.elsewhere(w.storage, KEY, value(fresh));
  assert.deepEqual(told(), [['refreshed', true, undefined]]);
  tab.elsewhere(w.storage, KEY, value(w.auth.issue('u1')));
  assert.deepEqual(told(), [['signedIn', true, undefined]], 'a new session of the same user');
  tab.elsewhere(w.storage, KEY, value(w.auth.issue('u2')));
  assert.deepEqual(told(), [['signedIn', true, undefined]]);
  tab.elsewhere(w.storage, KEY, null);
  assert.deepEqual(told(), [['signedOut', true, 'elsewhere']]);
  tab.elsewhere(w.storage, KEY, null);
  assert.deepEqual(told(), [], 'once');
  assert.equal(w.storage.log.length, 5, 'the other tab’s writes, and none of the handler’s');

  const quiet = w.listen(w.client());
  tab.elsewhere(w.storage, 'something else', 'x');
  tab.elsewhere(fakeStorage(), KEY, value(pair));
  assert.deepEqual(told(), []);
  assert.deepEqual(quiet, [], 'another key, another storage');

  await client.login(credentials);
  assert.deepEqual(told(), [['signedIn', false, undefined]]);
  tab.elsewhere(w.storage, KEY, w.storage.getItem(KEY));
  assert.deepEqual(told(), [], 'its own write, echoed');
  w.storage.removeItem(KEY);
  tab.elsewhere(w.storage, null, null); // localStorage.clear()
  assert.deepEqual(told(), [['signedOut', true, 'elsewhere']]);
  client.close();
});

test('33. a listener may call and await any method; one that throws stops neither the others nor the refresh', async (t) => {
  const w = world();
  const reported = t.mock.method(console, 'error', () => {});
  const client = w.client();
  const done = deferred();
  client.on('refreshed', () => {
    throw new Error('a bug');
  });
  const stop = client.on('refreshed', async () => {
    stop();
    const answer = await client.fetch(HOME);
    await client.refresh();
    await client.logout();
    done.resolve(answer.status);
  });
  await client.login(credentials);
  w.expire();
  assert.equal((await client.fetch(HOME)).status, 200);
  assert.equal(await done.promise, 200);
  assert.equal(client.session, null);
  assert.equal(reported.mock.callCount(), 2, 'both refreshes told of the bug');
});

test('33. … and the function that on() returns takes the listener away', async () => {
  const w = world();
  const client = w.client();
  const heard = [];
  const stop = client.on('signedIn', () => heard.push(1));
  client.on('signedIn', () => heard.push(2));
  stop();
  stop();
  await client.login(credentials);
  assert.deepEqual(heard, [2]);
});

test('34. logout() empties storage and emits before its first await, tells the service with keepalive, never rejects, works offline', async () => {
  const answers = {
    fine: undefined,
    offline: () => Promise.reject(networkError()),
    refused: () => problem(401, 'invalid_refresh_token'),
    broken: () => problem(500, 'internal'),
    silent: () => new Promise(() => {}),
  };
  for (const [name, answer] of Object.entries(answers)) {
    const w = world();
    w.on.logout = answer;
    const pair = w.signIn();
    const client = w.client({ timeout: 50 });
    const events = w.listen(client);
    const keeper = setInterval(() => {}, 1000);
    const leaving = client.logout();
    assert.equal(w.storage.getItem(KEY), null, name);
    assert.deepEqual(events, [['signedOut', { remote: false, reason: 'logout' }]], name);
    assert.equal(await leaving, undefined, name);
    clearInterval(keeper);
    const [told, ...more] = w.of('logout');
    assert.deepEqual(more, []);
    assert.equal(told.keepalive, true);
    const { accessToken, refreshToken } = pair;
    assert.deepEqual(JSON.parse(told.body), { accessToken, refreshToken });
    assert.equal(told.token, undefined, 'called bare');
    await client.logout();
    assert.equal(events.length, 1, 'once');
  }
});

test('35. session.claims decodes base64url and UTF-8, {} for what is no JWT', () => {
  const claims = { sub: 'u', name: '王小明', mark: '>>>???ÿþ😀', roles: ['a'] };
  assert.deepEqual(decode(jwt(claims)), claims);
  const w = world();
  w.store({ accessToken: jwt(claims), refreshToken: 'r' });
  assert.deepEqual(w.client().session.claims, claims);
  const b64 = (text) => Buffer.from(text).toString('base64url');
  const none = ['', 'a', 'a.b', 'a.b.c', '..', `x.${b64('{"sub":1}')}`, `x.${b64('[]')}.y`, `x.${b64('null')}.y`, `x.${b64('"s"')}.y`, `x.${b64('1')}.y`, `x.${b64('{')}.y`, null, undefined, 7, {}];
  for (const token of none) assert.deepEqual(decode(token), {}, String(token));
  w.store({ accessToken: 'opaque', refreshToken: 'r' });
  assert.deepEqual(w.client().session.claims, {});
});

test('35. … the refresh token is in no event, error, log or session', async (t) => {
  const printed = [];
  for (const method of ['log', 'warn', 'error', 'info', 'debug']) t.mock.method(console, method, (...args) => printed.push(args));
  const w = world();
  const client = w.client();
  const events = w.listen(client);
  const caught = [];
  const attempt = async (work) => caught.push(await work().catch((error) => error));
  const leak = ({ body }) => body.replace(/}$/, ' but broken');
  client.on('refreshed', ({ remote }) => {
    throw new Error(`a listener’s own: ${remote}`);
  });
  await attempt(() => client.login(credentials));
  await attempt(() => client.refresh());
  w.on.refresh = (request) => new Response(leak(request));
  await attempt(() => client.refresh());
  const again = w.client();
  w.listen(again);
  w.on.refresh = (request) => Promise.reject(new Error(`could not send ${request.body}`));
  await attempt(() => again.refresh());
  w.on.refresh = (request) => json({ refreshToken: JSON.parse(request.body).refreshToken });
  await attempt(() => w.client().refresh());
  assert.deepEqual(caught.map((error) => error?.code), [undefined, undefined, 'unavailable', 'unavailable', 'refused']);
  const seen = inspect({ events, caught, printed, session: client.session, client }, { depth: 20, showHidden: true, getters: true });
  assert.ok(events.length > 2 && printed.length > 0);
  assert.ok(!seen.includes('secret-s'), seen);
});

test('36. close() removes its only listener', (t) => {
  const tab = installWindow(t);
  const clients = [createTokenClient(), createTokenClient()];
  assert.equal(tab.listeners(), 2);
  clients.forEach((client) => client.close());
  assert.equal(tab.listeners(), 0);
  clients[0].close();
});

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
  const rubbish = ['', 'null', '1', '"x"', '{', '{}', '[null]', '[1,"a",[]]', '[{"account":"u1"}]', '[{"account":"u1","token":7}]', '{"account":"u1","token":"x"}'];
  for (const value of rubbish) {
    const { w, carried } = withDevices();
    w.storage.setItem(`${KEY}-devices`, value);
    const client = w.client();
    await client.login(credentials);
    await client.login(credentials);
    assert.deepEqual(carried(), [undefined, 'device-1'], value);
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

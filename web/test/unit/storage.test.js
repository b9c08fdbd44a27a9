/** Statements 25, 28–33, 35 and 36 as far as one process can see them: storage as the only truth, and events. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { inspect } from 'node:util';
import { createTokenClient, decode } from '../../token-client.js';
import { HOME, KEY, deferred, fakeStorage, installWindow, json, jwt, world } from './support.js';

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

/** Storage that takes writes until it is told to break. */
const breaking = (how) => {
  const storage = fakeStorage();
  const { setItem, removeItem } = storage;
  return Object.assign(storage, {
    break: () => how(storage, { setItem: setItem.bind(storage), removeItem: removeItem.bind(storage) }),
  });
};
const full = () => {
  throw new DOMException('full', 'QuotaExceededError');
};

test('31. … a pair that cannot be replaced is removed, so that no spent one is ever presented', async () => {
  const ways = {
    'full from now on': (storage) => (storage.setItem = full),
    'full while the old value is there': (storage, { setItem }) => {
      storage.setItem = (key, value) => (storage.getItem(key) === null ? setItem(key, value) : full());
    },
    'full for a moment': (storage, { setItem }) => {
      let times = 0;
      storage.setItem = (key, value) => (times++ ? setItem(key, value) : full());
    },
  };
  for (const [name, how] of Object.entries(ways)) {
    const storage = breaking(how);
    const w = world({ storage });
    const client = w.client();
    await client.login(credentials);
    const spent = w.stored().refreshToken;
    storage.break();
    await client.refresh();
    assert.notEqual(w.stored()?.refreshToken, spent, name);
    assert.equal(!!w.stored(), name !== 'full from now on', `${name}: with the old value gone there may be room`);
    assert.equal((await client.fetch(HOME)).status, 200, `${name}: this tab goes on`);
    await client.refresh();
    // The next page, and every other tab: the new pair where there was room for it, or nobody.
    const next = w.client();
    w.expire();
    await next.fetch(HOME).catch(() => {});
    const sent = w.of('refresh').map(({ body }) => JSON.parse(body).refreshToken);
    assert.equal(new Set(sent).size, sent.length, `${name}: ${sent}`);
    assert.equal(w.auth.sessions[0].ended, null, name);
    assert.equal(!!next.session, name !== 'full from now on', name);
    await client.logout();
    assert.equal(client.session, null, name);
    assert.equal(storage.getItem(KEY), null, name);
  }
});

test('31. … nor is one left behind that was to be removed, as far as this tab can tell', async () => {
  const storage = breaking((storage) => (storage.removeItem = full));
  const w = world({ storage });
  const client = w.client();
  await client.login(credentials);
  storage.break();
  await client.logout();
  assert.equal(client.session, null);
  assert.equal(w.auth.sessions[0].ended, 'logout', 'what is left in storage is worth nothing');
});

test('32. whoever listens has looked into storage: WebKit tells nobody else of other tabs’ writes', () => {
  const w = world();
  let looks = 0;
  const { getItem } = w.storage;
  w.storage.getItem = (key) => (looks++, getItem(key));
  const client = w.client();
  assert.equal(looks, 0);
  client.on('signedIn', () => {});
  assert.equal(looks, 1);
  assert.deepEqual(w.storage.log, []);
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

test('33. … one that throws is reported by reportError where there is one, as an uncaught error of the page is', async (t) => {
  const logged = t.mock.method(console, 'error', () => {});
  const reported = [];
  globalThis.reportError = (error) => reported.push(error);
  t.after(() => delete globalThis.reportError);
  const client = world().client();
  const bugs = { signedIn: new Error('one'), refreshed: 'two', signedOut: undefined };
  for (const [name, bug] of Object.entries(bugs)) {
    client.on(name, () => {
      throw bug;
    });
  }
  await client.login(credentials);
  await client.refresh();
  await client.logout();
  assert.deepEqual(reported, Object.values(bugs));
  assert.equal(logged.mock.callCount(), 0, 'not twice');
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
  assert.deepEqual(caught.map((error) => error?.code), [undefined, undefined, 'unavailable', 'unavailable', 'unavailable']);
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

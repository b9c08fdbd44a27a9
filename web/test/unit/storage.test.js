/** Statements 25 and 28–35 as far as one process can see them: storage as the only truth, events, log-out. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { inspect } from 'node:util';
import { TokenError, createTokenClient, decode } from '../../token-client.js';
import { AUTHORITY, HOME, KEY, PATHS, deferred, fakeStorage, installPage, installWindow, json, jwt, networkError, problem, until, world } from './support.js';

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

/** A world without a way to the service's log-out: `back()` mends it. */
const cutOff = (answer = () => Promise.reject(networkError())) => {
  const w = world();
  w.on.logout = answer;
  return Object.assign(w, { back: () => (w.on.logout = undefined), told: () => w.of('logout').map(({ body }) => JSON.parse(body).accessToken) });
};

test('34. … a log-out that the service did not hear of is remembered and told at the next chance', async (t) => {
  let moved = 0;
  const { now } = performance;
  t.mock.method(performance, 'now', () => now.call(performance) + moved);
  const deaf = {
    offline: () => Promise.reject(networkError()),
    silent: () => new Promise(() => {}),
    ...Object.fromEntries([408, 429, 500, 502, 503, 504].map((status) => [status, () => problem(status, 'busy')])),
  };
  const chances = {
    'a call': (client) => client.fetch('http://elsewhere.test/'),
    'a call of the API': (client) => client.fetch(HOME),
    'a log-in': (client) => client.login(credentials),
    'a refresh': (client) => client.refresh().catch(() => {}),
  };
  for (const [name, answer] of Object.entries(deaf)) {
    for (const [chance, take] of Object.entries(chances)) {
      const what = `${name}, then ${chance}`;
      const w = cutOff(answer);
      const { accessToken } = w.signIn();
      const client = w.client({ timeout: 30 });
      const keeper = setInterval(() => {}, 1000);
      await client.logout();
      clearInterval(keeper);
      assert.equal(client.session, null, what);
      assert.deepEqual(w.told(), [accessToken], what);
      w.back();
      // Another page, later: making a client sends nothing, nor does looking.
      moved += 61_000;
      const later = w.client();
      assert.equal(later.session, null);
      assert.equal(w.told().length, 1, what);
      await take(later);
      await w.arrival('logout', (request) => request !== w.of('logout')[0]);
      const again = w.of('logout').at(-1);
      assert.deepEqual([JSON.parse(again.body), again.keepalive, again.token], [JSON.parse(w.of('logout')[0].body), true, undefined], what);
      const left = () => w.storage.keys().filter((key) => key !== KEY);
      await until(() => !left().length);
      await later.fetch('http://elsewhere.test/');
      assert.equal(w.auth.sessions[0].ended, 'logout', what);
      assert.equal(w.told().length, 2, `${what}: once`);
      assert.deepEqual(left(), [], what);
    }
  }
});

test('34. … and is not repeated as fast as the page calls, nor by many calls at once, while the service does not hear', async (t) => {
  let moved = 0;
  const { now } = performance;
  t.mock.method(performance, 'now', () => now.call(performance) + moved);
  const w = cutOff(() => problem(503, 'busy', { 'Retry-After': '7' }));
  w.signIn();
  const client = w.client();
  await client.logout();
  const calls = () => Promise.all(Array.from({ length: 20 }, () => client.fetch(HOME)));
  await calls();
  moved = 6000;
  await calls();
  assert.equal(w.told().length, 1);
  moved = 8000;
  await calls();
  await calls();
  assert.equal(w.told().length, 2);
});

test('34. … any other answer is the last word: nothing is told for ever', async () => {
  for (const answer of [() => problem(401, 'invalid_refresh_token'), () => problem(404, 'not_found'), () => problem(400, 'invalid_request'), () => json({}), () => json(false)]) {
    const w = cutOff(answer);
    w.signIn();
    const client = w.client();
    await client.logout();
    await client.fetch(HOME);
    assert.equal(w.told().length, 1);
    assert.equal(w.storage.keys().length, 0);
  }
});

test('34. … several are remembered, five at most; a log-in meanwhile keeps its session', async (t) => {
  let moved = 0;
  const { now } = performance;
  t.mock.method(performance, 'now', () => now.call(performance) + moved);
  const w = cutOff();
  const client = w.client();
  const left = [];
  for (let i = 0; i < 7; i += 1) {
    left.push(w.signIn(`u${i}`).accessToken);
    await client.logout();
  }
  assert.deepEqual(w.told(), left);
  w.back();
  await client.login({ email: 'u0', password: 'geheim' });
  moved = 2000;
  await client.fetch(HOME);
  await w.arrival('logout', ({ body }) => w.told().length === 12 && body.includes(left.at(-1)));
  assert.equal((await client.fetch(HOME)).status, 200);
  assert.deepEqual(w.told().slice(7).sort(), left.slice(2).sort());
  assert.deepEqual(w.auth.sessions.map(({ ended }) => ended), [null, null, ...Array(5).fill('logout'), null]);
});

test('34. … also where the pair that a late refresh brought must not live on', async () => {
  const w = cutOff();
  w.signIn();
  w.expire();
  const client = w.client();
  const held = deferred();
  w.on.refresh = async (request, usual) => {
    await held.promise;
    return usual();
  };
  const call = client.fetch(HOME);
  await w.arrival('refresh');
  await client.logout();
  held.resolve();
  assert.equal((await call).status, 401);
  await w.arrival('logout', (request) => request !== w.of('logout')[0]);
  assert.equal(w.told().length, 2);
  assert.equal(w.storage.getItem(KEY), null);
  w.back();
  await client.login(credentials);
  await client.fetch(HOME);
  await w.arrival('logout', (request) => w.of('logout').indexOf(request) > 2);
  assert.equal(w.auth.sessions[0].ended, 'logout');
});

test('34. … where storage takes nothing, the service is told all the same', async () => {
  const storage = { getItem: full, setItem: full, removeItem: full };
  const w = world({ storage });
  const client = w.client();
  await client.login(credentials);
  await client.logout();
  assert.equal(w.of('logout').length, 1);
  assert.equal(w.auth.sessions[0].ended, 'logout');
});

test('without AbortSignal.timeout and without an abort’s reason (older browsers, React Native), everything works and ends in time', async (t) => {
  const { timeout } = AbortSignal;
  const reason = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'reason');
  delete AbortSignal.timeout;
  Object.defineProperty(AbortSignal.prototype, 'reason', { get: () => undefined, configurable: true });
  t.after(() => {
    AbortSignal.timeout = timeout;
    Object.defineProperty(AbortSignal.prototype, 'reason', reason);
  });
  const w = world();
  const client = w.client({ timeout: 300 });
  assert.equal((await client.login(credentials)).claims.sub, 'u1');
  w.expire();
  assert.equal((await client.fetch(HOME)).status, 200);
  await client.refresh();
  w.expire();
  const { refresh } = w.on;
  w.on.refresh = () => new Promise(() => {});
  const start = performance.now();
  const control = new AbortController();
  const leaves = client.fetch(HOME, { signal: control.signal });
  const stays = assert.rejects(client.fetch(HOME), { code: 'unavailable' });
  await w.arrival('refresh', (request) => w.of('refresh').indexOf(request) === 2);
  control.abort();
  await assert.rejects(leaves, { name: 'AbortError' });
  await stays;
  const took = performance.now() - start;
  assert.ok(took > 250 && took < 2000, `${took} ms`);
  w.on.refresh = refresh;
  const [session] = w.auth.sessions;
  await client.logout();
  assert.equal(session.ended, 'logout');
  for (const kind of ['login', 'logout']) {
    w.on[kind] = () => new Promise(() => {});
    if (kind === 'login') await assert.rejects(client.login(credentials), { code: 'unavailable' });
    else {
      w.signIn();
      await client.logout();
    }
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

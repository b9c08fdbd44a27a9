/** Statement 34: log-out, heard or not; and engines that lack what a deadline is made of. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { HOME, KEY, deferred, json, networkError, problem, until, world } from './support.js';

const credentials = { email: 'u1', password: 'geheim' };

const full = () => {
  throw new DOMException('full', 'QuotaExceededError');
};

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
    ...Object.fromEntries([403, 404, 408, 429, 500, 502, 503, 504].map((status) => [status, () => problem(status, 'busy')])),
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

test('34. … done, or refused by the service, is the last word: nothing is told for ever', async () => {
  for (const answer of [() => problem(401, 'invalid_refresh_token'), () => problem(400, 'invalid_request'), () => json({}), () => json(false)]) {
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

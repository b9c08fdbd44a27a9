/** Statements 1–9: one refresh for everybody, and who wins when two things happen at once. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { HOME, deferred, expired, fakeLocks, json, world } from './support.js';

test('1. 20 parallel calls answered 401 act: expired cause exactly one refresh, and all 20 are repeated and get 200', async () => {
  for (const locks of [null, fakeLocks()]) {
    const w = world();
    w.signIn();
    w.expire();
    const client = w.client({ locks });
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.fetch(HOME)));
    assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(200));
    assert.equal(w.of('refresh').length, 1);
    assert.equal(w.of('api').length, 40);
  }
});

test('2. a late 401 for an access token that is no longer the stored one causes no refresh: the call is repeated with the stored token', async () => {
  const w = world();
  const old = w.signIn();
  const late = deferred();
  w.on.api = async (request, usual) => (request.token === old.accessToken ? late.promise : usual());
  const call = w.client().fetch(HOME);
  const fresh = await w.auth.rotate(old).json();
  w.store(fresh);
  late.resolve(expired());
  assert.equal((await call).status, 200);
  assert.equal(w.of('refresh').length, 0);
  assert.equal(w.of('api').at(-1).token, fresh.accessToken);
});

test('4. two clients in one page with the same storage key share one refresh', async () => {
  const w = world();
  w.signIn();
  w.expire();
  const locks = fakeLocks();
  const [a, b] = [w.client({ locks }), w.client({ locks })];
  const answers = await Promise.all([a, b, a, b].map((client) => client.fetch(HOME)));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
  assert.equal(w.of('refresh').length, 1);
});

test('5. the pair is stored before the lock is released; the lock is released before any listener runs; no application code runs inside it', async () => {
  for (const refused of [false, true]) {
    const w = world();
    w.signIn();
    w.expire();
    const log = [];
    const locks = fakeLocks(log);
    const { setItem, removeItem } = w.storage;
    w.storage.setItem = (...args) => (log.push('stored'), setItem.apply(w.storage, args));
    w.storage.removeItem = (...args) => (log.push('emptied'), removeItem.apply(w.storage, args));
    if (refused) w.auth.sessions[0].ended = 'ended';
    const client = w.client({ locks });
    for (const name of ['refreshed', 'signedOut']) client.on(name, () => log.push(name));
    await client.fetch(HOME);
    assert.deepEqual(log, refused ? ['locked', 'emptied', 'released', 'signedOut'] : ['locked', 'stored', 'released', 'refreshed']);
  }
});

test('6. the wait for the lock is bounded; after it the client re-reads storage and goes on without, and never steals', async () => {
  const w = world();
  w.signIn();
  w.expire();
  const asked = [];
  const locks = {
    request: (name, options) => {
      asked.push(options);
      return new Promise((_, reject) => options.signal.addEventListener('abort', () => reject(options.signal.reason)));
    },
  };
  // The bound is two seconds longer than the longest hold; a keeper so that Node waits for an unreferenced timer.
  const keeper = setInterval(() => {}, 1000);
  const answer = await w.client({ locks, timeout: 50 }).fetch(HOME);
  clearInterval(keeper);
  assert.equal(answer.status, 200);
  assert.equal(w.of('refresh').length, 1);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].steal, undefined);
});

test('8. with the lock in hand the client re-reads storage first; if the failed pair is no longer there, it uses the stored one and calls nobody', async () => {
  const w = world();
  const old = w.signIn();
  w.expire();
  const locks = {
    async request(name, options, work) {
      w.store(await w.auth.rotate(old).json()); // the tab that had the lock before
      return work();
    },
  };
  assert.equal((await w.client({ locks }).fetch(HOME)).status, 200);
  assert.equal(w.of('refresh').length, 0);
});

test('9. a refresh answer is stored only if the refresh token that was sent is still the stored one: a log-out meanwhile wins, and the fresh pair is revoked at the service', async () => {
  const w = world();
  w.signIn();
  w.expire();
  const reached = deferred();
  const go = deferred();
  let fresh;
  w.on.refresh = async (request, usual) => {
    const answer = usual();
    fresh = await answer.clone().json();
    reached.resolve();
    await go.promise;
    return answer;
  };
  const client = w.client();
  const events = w.listen(client);
  const call = client.fetch(HOME);
  await reached.promise;
  await client.logout();
  go.resolve();
  assert.equal((await call).status, 401);
  assert.equal(w.storage.getItem('token-session'), null);
  await w.arrival('logout', ({ body }) => JSON.parse(body).refreshToken === fresh.refreshToken);
  assert.deepEqual(events.map(([name]) => name), ['signedOut']);
});

test('9. … and a log-in meanwhile wins: the fresh pair of the old session is dropped', async () => {
  const w = world();
  w.signIn('u1');
  w.expire();
  const reached = deferred();
  const go = deferred();
  w.on.refresh = async (request, usual) => {
    const answer = usual();
    reached.resolve();
    await go.promise;
    return answer;
  };
  const client = w.client();
  const call = client.fetch(HOME);
  await reached.promise;
  await client.login({ email: 'u2', password: 'x' });
  go.resolve();
  assert.equal((await call).status, 401, 'the call of u1 is not repeated for u2');
  assert.equal(client.session.claims.sub, 'u2');
  assert.equal(w.of('logout').length, 0);
});

test('9. … and another tab that came first is adopted, its session is not revoked', async () => {
  const w = world();
  const old = w.signIn();
  w.expire();
  w.on.refresh = async (request, usual) => {
    w.store(await w.auth.rotate(old).json());
    return usual();
  };
  const client = w.client();
  w.on.api = (request) => (request.token === old.accessToken ? expired() : json({}));
  assert.equal((await client.fetch(HOME)).status, 200);
  assert.equal(w.of('logout').length, 0);
  assert.equal(w.of('api').at(-1).token, w.stored().accessToken);
});

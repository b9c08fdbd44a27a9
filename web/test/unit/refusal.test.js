/** Statements 10–19: what ends a session, what does not, and what the caller gets. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { TokenError } from '../../token-client.js';
import { HOME, KEY, deferred, expired, json, networkError, problem, world } from './support.js';

/** A world whose only session needs a refresh, answered as told; and a client that hears everything. */
const needsRefresh = (answer, options) => {
  const w = world();
  const old = w.signIn();
  w.expire();
  w.on.refresh = answer;
  const client = w.client(options);
  return { w, old, client, events: w.listen(client) };
};

const unavailable = (error) => error instanceof TokenError && error.code === 'unavailable';

test('10. on a refusal (refresh_token_superseded included) storage is read again before anything else: a newer pair from another tab is adopted and nobody is signed out', async () => {
  for (const code of ['refresh_token_superseded', 'refresh_token_reused', 'session_revoked']) {
    const { w, old, client, events } = needsRefresh(async () => {
      w.store(await w.auth.rotate(old).json());
      return problem(401, code);
    });
    assert.equal((await client.fetch(HOME)).status, 200);
    assert.deepEqual(events, []);
    assert.ok(client.session);
  }
});

test('10. … also when the write of the tab that came first arrives a little after the refusal', async () => {
  const { w, old, client, events } = needsRefresh(async () => {
    const fresh = await w.auth.rotate(old).json();
    setTimeout(() => w.store(fresh), 20);
    return problem(401, 'refresh_token_superseded');
  });
  assert.equal((await client.fetch(HOME)).status, 200);
  assert.deepEqual(events, []);
});

const OVER = ['invalid_refresh_token', 'invalid_access_token', 'session_expired', 'session_revoked', 'refresh_token_reused', 'refresh_token_superseded'];

test('11. signed out only by a 400, 401 or 403 whose JSON has a code that the service gives a refused refresh, or by a 200 with false', async () => {
  const refusals = {
    '200 false': [() => json(false), 'refused'],
    'with a reason': [() => problem(401, 'session_expired', {}, { reason: 'idle' }), 'idle'],
    ...Object.fromEntries(OVER.flatMap((code) => [400, 401, 403].map((status) => [`${status} ${code}`, [() => problem(status, code), code]]))),
  };
  for (const [name, [answer, reason]] of Object.entries(refusals)) {
    const { w, client, events } = needsRefresh(answer);
    assert.equal((await client.fetch(HOME)).status, 401, name);
    assert.equal(client.session, null, name);
    assert.equal(w.storage.getItem(KEY), null, name);
    assert.deepEqual(events, [['signedOut', { remote: false, reason }]], name);
    assert.equal(w.of('refresh').length, 1, name);
  }
});

test('11. … a gateway’s JSON, network failure, deadline, 404, 408, 429, 5xx and non-JSON keep the pair', async () => {
  const html = (status) => () => new Response('<h1>Wi-Fi log-in</h1>', { status, headers: { 'Content-Type': 'text/html' } });
  const said = [
    { message: 'Forbidden' },
    { message: 'Unauthorized', request_id: 'x' },
    { error: 'invalid_token' },
    { code: 403, message: 'no' },
    { code: 'access_denied' },
    { code: 'invalid_request' },
    { code: 'invalid_credentials' },
    { code: 'token_expired' },
    { code: 'session_not_found' },
    { code: ['session_expired', 'session_revoked'] },
    { code: 'my session_expired' },
    { code: 'session_expired\n' },
    { reason: 'logout' },
    { detail: 'session_revoked' },
    {},
    [],
    null,
    false,
    'session_revoked',
    0,
  ];
  const passing = {
    'network failure': () => Promise.reject(networkError()),
    deadline: () => new Promise(() => {}),
    ...Object.fromEntries([402, 404, 405, 408, 409, 410, 413, 422, 429, 500, 502, 503, 504].map((s) => [s, () => problem(s, 'session_revoked')])),
    ...Object.fromEntries(said.flatMap((body) => [400, 401, 403].map((s) => [`${s} ${JSON.stringify(body)}`, () => json(body, s)]))),
    ...Object.fromEntries([null, true, {}, [], 'false', 0, { code: 'session_revoked' }, { accessToken: 'a' }, { accessToken: 1, refreshToken: 2 }].map((body) => [`200 ${JSON.stringify(body)}`, () => json(body)])),
    '401 without a body': () => new Response(null, { status: 401 }),
    'a page instead of an answer': html(200),
    "a proxy's 403": html(403),
    "a proxy's 401": html(401),
    'an empty 200': () => new Response(''),
    'half of the JSON': () => new Response('{"accessToken": "a'),
  };
  for (const [name, answer] of Object.entries(passing)) {
    const { old, w, client, events } = needsRefresh(answer, { timeout: name === 'deadline' ? 60 : 3000 });
    const keeper = setInterval(() => {}, 1000);
    await assert.rejects(client.fetch(HOME), unavailable, name);
    clearInterval(keeper);
    assert.equal(w.stored().refreshToken, old.refreshToken, name);
    assert.deepEqual(events.map(([event]) => event), ['error'], name);
    assert.ok(client.session);
  }
});

test('12. the answer of a refresh is lost after the service rotated: the same pair is sent once more after 250–750 ms, and the caller gets 200', async () => {
  const times = [];
  const { w, client } = needsRefresh(async (request, usual) => {
    times.push(performance.now());
    const answer = usual();
    if (times.length === 1) throw networkError();
    return answer;
  });
  assert.equal((await client.fetch(HOME)).status, 200);
  const [first, second, ...more] = w.of('refresh').map(({ body }) => body);
  assert.equal(first, second);
  assert.ok(w.of('refresh').every(({ init }) => init.redirect === 'error'), 'no redirect carries the tokens elsewhere');
  assert.deepEqual(more, []);
  assert.equal(w.auth.sessions[0].generation, 1);
  const pause = times[1] - times[0];
  assert.ok(pause >= 248 && pause < 900, `${pause} ms`);
});

test('12. … an answer that breaks off in its body counts as lost', async () => {
  let tries = 0;
  const { client } = needsRefresh((request, usual) => {
    const answer = usual();
    if (tries++) return answer;
    return new Response(new ReadableStream({ pull: (controller) => controller.error(networkError()) }));
  });
  assert.equal((await client.fetch(HOME)).status, 200);
});

test('12. … and nothing is sent again for a session that was signed out in between', async () => {
  const { w, client } = needsRefresh(() => {
    queueMicrotask(() => w.storage.removeItem(KEY));
    throw networkError();
  });
  assert.equal((await client.fetch(HOME)).status, 401);
  assert.equal(w.of('refresh').length, 1);
});

test('13. a refresh ends within timeout (8 s), body and retry included', async () => {
  const keeper = setInterval(() => {}, 1000);
  const stalled = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('{"acc')) });
  const slow = {
    'no answer': () => new Promise(() => {}),
    'a body that stalls': () => new Response(stalled),
    'lost, then no answer': (() => {
      let tries = 0;
      return () => (tries++ ? new Promise(() => {}) : Promise.reject(networkError()));
    })(),
  };
  for (const [name, answer] of Object.entries(slow)) {
    const { client } = needsRefresh(answer, { timeout: 900 });
    const start = performance.now();
    await assert.rejects(client.refresh(), unavailable, name);
    const took = performance.now() - start;
    assert.ok(took > 850 && took < 1300, `${name}: ${took} ms`);
  }
  // Even where the given fetch knows nothing of signals.
  const w = world();
  w.signIn();
  const deaf = () => new Promise(() => {});
  await assert.rejects(w.client({ fetch: deaf, timeout: 50 }).refresh(), unavailable);
  clearInterval(keeper);
});

test('14. could not refresh for a passing reason: fetch rejects with unavailable, the session is kept, an error event goes out, the next call tries again; navigator.onLine is not asked', async (t) => {
  const real = Object.getOwnPropertyDescriptor(globalThis, 'navigator') ?? { value: undefined, configurable: true };
  let asked = 0;
  const value = { get onLine() { asked += 1; return false; } };
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
  t.after(() => Object.defineProperty(globalThis, 'navigator', real));
  let broken = true;
  const { w, client, events } = needsRefresh((request, usual) => (broken ? problem(503, 'busy') : usual()));
  await assert.rejects(client.fetch(HOME), unavailable);
  assert.ok(client.session);
  const [[name, { error, remote }]] = events;
  assert.deepEqual([name, error.code, error.status, error.problem, remote], ['error', 'unavailable', 503, 'busy', false]);
  broken = false;
  const { now } = performance;
  t.mock.method(performance, 'now', () => now.call(performance) + 1001);
  assert.equal((await client.fetch(HOME)).status, 200);
  assert.equal(w.of('refresh').length, 2);
  assert.equal(asked, 0);
});

test('15. after a passing failure no refresh for 1 s, or for Retry-After (seconds or date, 60 s at most); calls in that time reject at once', async (t) => {
  let moved = 0;
  const { now } = performance;
  t.mock.method(performance, 'now', () => now.call(performance) + moved);
  const cases = [
    [{}, 1],
    [{ 'Retry-After': '7' }, 7],
    [{ 'Retry-After': '3600' }, 60],
    [{ 'Retry-After': '0' }, 1],
    [{ 'Retry-After': 'soon' }, 1],
    [{ 'Retry-After': new Date(Date.now() + 20_000).toUTCString() }, 20],
    [{ 'Retry-After': new Date(Date.now() - 20_000).toUTCString() }, 1],
  ];
  for (const [headers, wait] of cases) {
    moved = 0;
    const { w, client, events } = needsRefresh(() => problem(503, 'busy', headers));
    await assert.rejects(client.fetch(HOME), unavailable);
    await assert.rejects(client.fetch(HOME), unavailable);
    moved = (wait - 1.2) * 1000;
    await assert.rejects(client.refresh(), unavailable);
    assert.equal(w.of('refresh').length, 1, JSON.stringify(headers));
    assert.equal(events.length, 1, 'one failure, one event');
    moved = wait * 1000 + 1;
    await assert.rejects(client.refresh(), unavailable);
    assert.equal(w.of('refresh').length, 2, JSON.stringify(headers));
  }
});

test('15. … a date is the service’s, so it is measured by the service’s clock', async (t) => {
  let moved = 0;
  const { now } = performance;
  t.mock.method(performance, 'now', () => now.call(performance) + moved);
  const ahead = 86_400_000;
  const { w, old, client } = needsRefresh(() => problem(503, 'busy', { 'Retry-After': new Date(Date.now() + ahead + 20_000).toUTCString() }));
  w.store({ ...old, skew: ahead });
  await assert.rejects(client.refresh(), (error) => Math.abs(error.retryAfter - 20) < 1.5);
  moved = 22_000;
  await assert.rejects(client.refresh(), unavailable);
  assert.equal(w.of('refresh').length, 2);
});

test('15. … which holds for the refresh, not for a newer pair of another tab, nor after a new log-in', async () => {
  const { w, old, client } = needsRefresh(() => problem(503, 'busy', { 'Retry-After': '60' }));
  await assert.rejects(client.fetch(HOME), unavailable);
  const late = deferred();
  w.on.api = (request, usual) => (request.token === old.accessToken ? late.promise : usual());
  const call = client.fetch(HOME);
  w.store(await w.auth.rotate(old).json());
  late.resolve(expired());
  assert.equal((await call).status, 200);
  w.on.refresh = undefined;
  await client.login({ email: 'u1', password: 'x' });
  await client.refresh();
});

test('16. only a 401 with the header act: expired or act: revoked starts a refresh; any other answer comes back untouched', async () => {
  const untouched = [
    problem(401, 'token_bad_signature'),
    problem(401, 'token_expired', { act: 'not expired' }),
    problem(401, 'x', { act: 'login' }),
    problem(403, 'insufficient_role', { act: 'expired' }),
    problem(503, 'revocation_view_stale', { act: 'expired' }),
    json({}, 200, { act: 'expired' }),
    Response.error(),
  ];
  for (const answer of untouched) {
    const w = world();
    w.signIn();
    w.on.api = () => answer;
    assert.equal(await w.client().fetch(HOME), answer);
    assert.equal(answer.bodyUsed, false);
    assert.equal(w.requests.length, 1);
  }
  for (const act of ['expired', 'revoked']) {
    const w = world();
    const { accessToken } = w.signIn();
    w.on.api = ({ token }) => (token === accessToken ? problem(401, 'x', { act }) : json({}));
    assert.equal((await w.client().fetch(HOME)).status, 200);
    assert.equal(w.of('refresh').length, 1);
  }
});

test('17. a call is repeated at most once; a second such 401 goes to the caller', async () => {
  const w = world();
  w.signIn();
  const answers = [];
  w.on.api = () => answers[answers.push(expired()) - 1];
  assert.equal(await w.client().fetch(HOME), answers[1]);
  assert.equal(w.of('api').length, 2);
  assert.equal(w.of('refresh').length, 1);
});

test('18. after a refusal fetch resolves with the original 401, body unread; signedOut is emitted once; the client never navigates', async () => {
  const { w, client, events } = needsRefresh(() => problem(401, 'session_revoked', {}, { reason: 'password' }));
  const answers = await Promise.all(Array.from({ length: 5 }, () => client.fetch(HOME)));
  for (const answer of answers) {
    assert.equal(answer.bodyUsed, false);
    assert.equal((await answer.json()).code, 'token_expired');
  }
  assert.deepEqual(events, [['signedOut', { remote: false, reason: 'password' }]]);
  assert.equal(w.of('refresh').length, 1);
});

test('19. a request is never repeated under another sub', async () => {
  const w = world();
  w.signIn('alice');
  const late = deferred();
  w.on.api = () => late.promise;
  const call = w.client().fetch(HOME, { method: 'POST', body: 'pay' });
  w.signIn('bob');
  const answer = expired();
  late.resolve(answer);
  assert.equal(await call, answer);
  assert.equal(w.of('api').length, 1);
  assert.equal(w.of('refresh').length, 0);
});

test('19. … nor sent under another sub when the refresh comes before it', async () => {
  const w = world({ life: 10 });
  const { accessToken } = w.signIn('alice');
  w.on.refresh = async (request, usual) => {
    w.signIn('bob');
    return usual();
  };
  w.on.api = () => json({});
  await w.client({ refreshBefore: 60_000 }).fetch(HOME);
  assert.equal(w.of('refresh').length, 0, 'the token is fresh: half its life is left');
  w.store({ ...w.stored(), skew: 6000 });
  await w.client({ refreshBefore: 60_000 }).fetch(HOME);
  assert.equal(w.of('refresh').length, 1);
  assert.deepEqual(w.of('api').map(({ token }) => token), [accessToken, accessToken]);
});

/**
 * The judgements of the client by themselves: what a pair says and what an answer means, on many inputs at once. They
 * are no part of its interface, so the module is read with one more line that exports them.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { jwt } from './support.js';

const source = readFileSync(new URL('../../token-client.js', import.meta.url), 'utf8');
const names = ['absolute', 'arrived', 'asPair', 'isDue', 'judge', 'limit', 'orAborted', 'sameUser', 'sessionOf'];
const { absolute, arrived, asPair, isDue, judge, limit, orAborted, sameUser, sessionOf } = await import(
  `data:text/javascript,${encodeURIComponent(`${source}\nexport { ${names.join(', ')} };`)}`
);

const CODES = ['invalid_access_token', 'invalid_refresh_token', 'session_expired', 'session_revoked', 'refresh_token_superseded', 'refresh_token_reused'];
const PAIR = { accessToken: 'a.b.c', refreshToken: 'r' };

/** The verdict on an answer, short. */
const verdict = (status, body, { login = false, headers, skew, app } = {}) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const { pair, error, reason } = judge({ ok: status >= 200 && status < 300, status, headers: new Headers(headers) }, text, login, skew, app);
  return pair ? 'pair' : [error.code, error.status, error.problem, reason || undefined];
};

test('a pair has both tokens as text that is not empty, and nothing else is one', () => {
  assert.equal(asPair(PAIR), PAIR);
  const wrong = [null, undefined, false, 7, 'text', [], {}, { accessToken: 'a' }, { refreshToken: 'r' }, { ...PAIR, accessToken: '' }];
  for (const it of [...wrong, { ...PAIR, refreshToken: 1 }, { ...PAIR, accessToken: ['a'] }, { ...PAIR, refreshToken: {} }]) assert.equal(asPair(it), null);
});

test('a pair is one with 200 or 201 only; the same body with another status decides nothing', () => {
  for (const status of [200, 201]) assert.equal(verdict(status, PAIR), 'pair');
  for (const status of [302, 400, 401, 403, 500]) assert.deepEqual(verdict(status, PAIR), ['unavailable', status, undefined, undefined]);
});

test('only a code of a refused refresh with 400, 401 or 403 ends a session, and its reason is told', () => {
  for (const code of CODES) {
    for (const status of [400, 401, 403]) {
      assert.deepEqual(verdict(status, { code }), ['refused', status, code, code]);
      assert.deepEqual(verdict(status, { code, reason: 'idle' }), ['refused', status, code, 'idle']);
    }
    for (const status of [200, 402, 404, 408, 409, 429, 500, 503]) assert.equal(verdict(status, { code })[0], 'unavailable', `${status} ${code}`);
  }
  const others = [{}, { code: 'token_expired' }, { code: `x${CODES[0]}` }, { code: `${CODES[2]}x` }, { code: null }, { message: 'Forbidden' }, '<html>', '', '"session_expired"', 'null'];
  for (const status of [400, 401, 403]) for (const body of others) assert.equal(verdict(status, body)[0], 'unavailable', JSON.stringify(body));
});

test('200 false is a refusal, other JSON with 200 is none', () => {
  assert.deepEqual(verdict(200, 'false'), ['refused', 200, undefined, 'refused']);
  for (const body of ['true', '0', 'null', '""', '{}', '[]', '', 'False']) assert.equal(verdict(200, body)[0], 'unavailable', body);
});

test('of an app a pair is the answer of /oauth/token, and invalid_grant is a refusal; the words of the one kind are nothing to the other', () => {
  const app = { clientId: 'spa', refreshToken: 'old', idToken: 'i', skew: 5, id: 7 };
  const full = { access_token: 'a', refresh_token: 'new', id_token: 'j', expires_in: 60, token_type: 'Bearer' };
  const pair = (body, of = app) => judge({ ok: true, status: 200, headers: new Headers() }, JSON.stringify(body), false, 0, of).pair;
  const { accessToken, refreshToken, expiresIn, clientId, idToken } = pair(full);
  assert.deepEqual([accessToken, refreshToken, expiresIn, clientId, idToken], ['a', 'new', 60, 'spa', 'j']);
  assert.equal(pair({ access_token: 'a' }).refreshToken, 'old');
  assert.equal(pair({ access_token: 'a' }, { clientId: 'spa', refreshToken: '' }).refreshToken, '');
  for (const body of [PAIR, {}, null, 'text', { refresh_token: 'r' }, { access_token: '' }, { access_token: 1 }, { access_token: 'a', refresh_token: 1 }]) assert.equal(pair(body), undefined);
  assert.deepEqual(verdict(200, full), ['unavailable', 200, undefined, undefined]);
  for (const status of [400, 401, 403]) {
    assert.deepEqual(verdict(status, { error: 'invalid_grant' }, { app }), ['refused', status, undefined, 'refused']);
    assert.deepEqual(verdict(status, { error: 'invalid_grant', code: 'session_revoked', reason: 'logout' }, { app }), ['refused', status, 'session_revoked', 'logout']);
    assert.equal(verdict(status, { error: 'invalid_grant' })[0], 'unavailable');
    assert.equal(verdict(status, { error: 'invalid_client' }, { app })[0], 'unavailable');
    assert.equal(verdict(status, { error: 'invalid_client' }, { app, login: true })[0], 'refused');
  }
  for (const status of [200, 404, 429, 500]) assert.equal(verdict(status, { error: 'invalid_grant' }, { app })[0], 'unavailable');
});

test('a refused log-in ends no session; it may be refused in other words or without any, but not by a page', () => {
  for (const body of [{ code: 'invalid_credentials' }, { message: 'no' }, '']) {
    const [code, status, problem, reason] = verdict(401, body, { login: true });
    assert.deepEqual([code, status, problem, reason], ['refused', 401, body.code, undefined]);
  }
  assert.equal(verdict(401, '<html>', { login: true })[0], 'unavailable');
  assert.equal(verdict(429, { code: 'too_many_attempts' }, { login: true })[0], 'unavailable');
});

test('Retry-After is seconds or a date by the service’s clock; between one second and sixty', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 });
  const wait = (after, skew) => {
    const headers = new Headers(after === undefined ? {} : { 'Retry-After': after });
    return judge({ ok: false, status: 503, headers }, '', false, skew).error.retryAfter;
  };
  for (const [after, expected] of [[undefined, 1], ['', 1], ['soon', 1], ['0', 1], ['-5', 1], ['0.2', 1], ['7', 7], ['60', 60], ['86400', 60]]) assert.equal(wait(after), expected, after);
  const date = (ms) => new Date(1_700_000_000_000 + ms).toUTCString();
  assert.equal(wait(date(20_000)), 20);
  assert.equal(wait(date(-20_000)), 1);
  assert.equal(wait(date(3_600_000 + 20_000), 3_600_000), 20, 'the service is an hour ahead');
});

test('the difference of the clocks is measured when a pair arrives, by iat, else by exp and expiresIn, else not', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 });
  const skew = (claims, expiresIn) => arrived({ accessToken: jwt(claims), refreshToken: 'r', expiresIn }).skew;
  const now = 1_700_000_000;
  assert.equal(skew({ iat: now + 90, exp: now + 150 }), 90_000);
  assert.equal(skew({ iat: now - 90 }), -90_000);
  assert.equal(skew({ exp: now + 150 }, 60), 90_000);
  assert.equal(skew({ exp: now + 150 }), 0);
  assert.equal(arrived({ accessToken: 'opaque', refreshToken: 'r' }).skew, 0);
  const stored = arrived({ accessToken: 'a', refreshToken: 'r', expiresIn: 5, deviceToken: 'd', other: 1 });
  assert.deepEqual(Object.keys(stored).sort(), ['accessToken', 'id', 'refreshToken', 'skew'], 'nothing else is stored');
  assert.notEqual(arrived(PAIR).id, arrived(PAIR).id);
});

test('expiresAt is by this machine’s clock', () => {
  const accessToken = jwt({ sub: 'u', exp: 1000 });
  assert.equal(sessionOf({ accessToken, refreshToken: 'r', skew: 400_000 }).expiresAt, 600_000);
  assert.equal(sessionOf({ accessToken, refreshToken: 'r' }).expiresAt, 1_000_000, 'a pair that somebody else stored');
  assert.equal(sessionOf(null), null);
});

test('a call is due for a refresh before it by refreshBefore, at most half a life; a stream by five seconds', (t) => {
  const now = 1_700_000_000;
  t.mock.timers.enable({ apis: ['Date'], now: now * 1000 });
  const due = (left, refreshBefore, stream = false, life = 60) =>
    !!isDue({ accessToken: jwt({ iat: now + left - life, exp: now + left }), refreshToken: 'r' }, refreshBefore, stream);
  assert.deepEqual([due(9, 10_000), due(11, 10_000)], [true, false]);
  assert.deepEqual([due(29, 3_600_000), due(31, 3_600_000)], [true, false], 'half of sixty seconds');
  assert.deepEqual([due(4, 0), due(-10, 0)], [false, false], 'never, unless asked for');
  assert.deepEqual([due(4, 0, true), due(6, 0, true)], [true, false]);
  assert.equal(isDue({ accessToken: 'opaque', refreshToken: 'r' }, 10_000, false), 0, 'nothing is known of its end');
});

test('the same user is the same sub', () => {
  const pair = (sub) => ({ accessToken: jwt({ sub, jti: `${Math.random()}` }), refreshToken: 'r' });
  assert.ok(sameUser(pair('u'), pair('u')));
  assert.ok(!sameUser(pair('u'), pair('v')));
  assert.ok(!sameUser(null, pair('u')));
});

test('an address without an origin is of the page, whose query and fragment do not count', () => {
  const page = 'https://app.test/a/b?c#d';
  assert.equal(absolute('/auth', page).href, 'https://app.test/auth');
  assert.equal(absolute('', page).origin, 'https://app.test');
  assert.equal(absolute('https://auth.test/x', page).href, 'https://auth.test/x');
  assert.throws(() => absolute('/auth', undefined), TypeError);
});

test('a wait ends with its signal at once, and leaves no listener on it', async () => {
  const control = new AbortController();
  let listeners = 0;
  const { signal } = control;
  for (const [name, step] of [['addEventListener', 1], ['removeEventListener', -1]]) {
    const own = signal[name].bind(signal);
    signal[name] = (...args) => ((listeners += step), own(...args));
  }
  assert.equal(await orAborted(Promise.resolve(5), signal), 5);
  await assert.rejects(orAborted(Promise.reject(new Error('no')), signal), /no/);
  const waiting = orAborted(new Promise(() => {}), signal);
  const reason = new Error('stop');
  control.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(orAborted(Promise.resolve(5), signal), reason, 'aborted before');
  assert.equal(await orAborted(Promise.resolve(6)), 6);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(listeners, 1, 'of the promise that never settles alone');
});

test('a deadline is a signal, with the platform’s help or without', async (t) => {
  assert.equal(limit(60_000).aborted, false);
  const own = AbortSignal.timeout;
  t.after(() => (AbortSignal.timeout = own));
  AbortSignal.timeout = undefined;
  const signal = limit(1);
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  assert.ok(signal.aborted);
});

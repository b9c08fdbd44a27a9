/** Sessions that began by a redirect: refreshed and ended at OAuth's endpoints, under the same rules as the others. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { TokenError } from '../../token-client.js';
import { API, AUTHORITY, HOME, KEY, OAUTH, deferred, formOf, installTab, json, jwt, networkError, oauthProblem, problem, seconds, until, world } from './support.js';

const unavailable = (error) => error instanceof TokenError && error.code === 'unavailable';

/** A world whose only session is an app's and needs a refresh, answered as told; and a client that hears everything. */
const needsRefresh = (answer, options) => {
  const w = world();
  const old = w.signInApp();
  w.expire();
  w.on.token = answer;
  const client = w.client(options);
  return { w, old, client, events: w.listen(client) };
};

test('an app’s session is refreshed at /oauth/token, by form, once for everybody, and stays an app’s', async () => {
  const { w, old, client, events } = needsRefresh();
  const answers = await Promise.all(Array.from({ length: 20 }, () => client.fetch(HOME)));
  assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(200));
  const [{ url, method, body, headers, token, keepalive, init }, ...more] = w.of('token');
  assert.deepEqual([url, method, token, keepalive, init.redirect, more], [AUTHORITY + OAUTH.token, 'POST', undefined, false, 'error', []]);
  assert.deepEqual(formOf(body), { grant_type: 'refresh_token', refresh_token: old.refreshToken, client_id: 'spa' });
  assert.equal(body.split('&').length, 3);
  assert.match(headers.get('Content-Type'), /^application\/x-www-form-urlencoded/);
  assert.deepEqual(events, [['refreshed', { remote: false }]]);
  const { accessToken, refreshToken, clientId, idToken, skew, id, ...others } = w.stored();
  assert.deepEqual([refreshToken, clientId, others], ['secret-s1-1', 'spa', {}]);
  assert.ok(idToken.includes('.') && idToken !== old.idToken, 'the latest hint');
  assert.equal(typeof skew + typeof id, 'numbernumber');
  assert.equal(w.of('api').at(-1).token, accessToken);
  await client.refresh();
  assert.equal(w.stored().refreshToken, 'secret-s1-2');
  assert.equal(w.of('refresh').length, 0);
});

test('… a refresh token or id_token that the answer does not renew goes on', async () => {
  for (const nothing of [undefined, null, '']) {
    const accessToken = jwt({ sub: 'u1', sid: 's1', jti: 'next' });
    const { w, old, client } = needsRefresh(() => json({ access_token: accessToken, refresh_token: nothing, id_token: nothing, expires_in: 60 }));
    await client.refresh();
    const { refreshToken, idToken } = w.stored();
    assert.deepEqual([w.stored().accessToken, refreshToken, idToken], [accessToken, old.refreshToken, old.idToken]);
  }
});

test('… by exp − expires_in the difference of the clocks is measured where there is no iat', async () => {
  const accessToken = jwt({ sub: 'u1', exp: seconds() + 1060 });
  const { client } = needsRefresh(() => json({ access_token: accessToken, refresh_token: 'r', expires_in: 60 }));
  assert.ok(Math.abs((await client.refresh()).skew - 1_000_000) < 1500);
});

test('11. an app’s session ends by error: invalid_grant at /oauth/token, with the service’s word for why', async () => {
  const refusals = {
    session_revoked: oauthProblem(400, 'invalid_grant', 'session_revoked'),
    idle: oauthProblem(400, 'invalid_grant', 'session_expired', { reason: 'idle' }),
    refresh_token_reused: oauthProblem(400, 'invalid_grant', 'refresh_token_reused'),
    'a word of its own': oauthProblem(400, 'invalid_grant', 'a word of its own'),
    refused: oauthProblem(400, 'invalid_grant'),
    invalid_refresh_token: problem(401, 'invalid_refresh_token'),
  };
  for (const [reason, answer] of Object.entries(refusals)) {
    const { w, client, events } = needsRefresh(() => answer);
    const res = await client.fetch(HOME);
    assert.deepEqual([res.status, res.bodyUsed, (await res.json()).code], [401, false, 'token_expired'], reason);
    assert.equal(w.storage.getItem(KEY), null);
    assert.deepEqual(events, [['signedOut', { remote: false, reason }]]);
    assert.equal(w.of('token').length, 1);
  }
  for (const status of [401, 403]) {
    const { client } = needsRefresh(() => oauthProblem(status, 'invalid_grant'));
    assert.equal((await client.fetch(HOME)).status, 401);
    assert.equal(client.session, null, status);
  }
});

test('11. … and by nothing else that is said there', async () => {
  const said = [
    ...['invalid_client', 'invalid_request', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope', 'temporarily_unavailable', 'server_error', 'xinvalid_grant', 'invalid_grants', 'invalid_grant\n', ['invalid_grant'], 7, null].map((error) => ({ error })),
    { code: 'invalid_grant' },
    { message: 'invalid_grant' },
    'invalid_grant',
    {},
    null,
  ];
  const passing = {
    'network failure': () => Promise.reject(networkError()),
    ...Object.fromEntries([402, 404, 408, 409, 429, 500, 502, 503].map((status) => [status, () => oauthProblem(status, 'invalid_grant')])),
    ...Object.fromEntries(said.flatMap((body) => [400, 401, 403].map((status) => [`${status} ${JSON.stringify(body)}`, () => json(body, status)]))),
    ...Object.fromEntries([{ error: 'invalid_grant' }, {}, null, { access_token: 7 }, { accessToken: 'a', refreshToken: 'r' }].map((body) => [`200 ${JSON.stringify(body)}`, () => json(body)])),
    'a page': () => new Response('<h1>Wi-Fi</h1>', { status: 400 }),
  };
  for (const [name, answer] of Object.entries(passing)) {
    const { w, old, client, events } = needsRefresh(answer);
    await assert.rejects(client.fetch(HOME), unavailable, name);
    assert.deepEqual([w.stored(), events.map(([event]) => event)], [old, ['error']], name);
  }
});

test('11. … nor does invalid_grant end a session of login()', async () => {
  const w = world();
  w.signIn();
  w.expire();
  w.on.refresh = () => oauthProblem(400, 'invalid_grant');
  const client = w.client();
  await assert.rejects(client.fetch(HOME), unavailable);
  assert.ok(client.session);
});

test('12. a lost answer of /oauth/token: the same refresh token is sent once more, and the caller gets 200', async () => {
  let tries = 0;
  const { w, client } = needsRefresh((request, usual) => {
    const answer = usual();
    if (!tries++) throw networkError();
    return answer;
  });
  assert.equal((await client.fetch(HOME)).status, 200);
  const [first, second, ...more] = w.of('token').map(({ body }) => body);
  assert.equal(first, second);
  assert.deepEqual(more, []);
  assert.deepEqual([w.auth.sessions[0].generation, w.stored().refreshToken], [1, 'secret-s1-1']);
});

test('10. on a refusal storage is read again: a newer pair from another tab is adopted, also one that arrives a little later', async () => {
  for (const delay of [0, 20]) {
    const { w, old, client, events } = needsRefresh(async () => {
      const fresh = await w.auth.token({ grant_type: 'refresh_token', refresh_token: old.refreshToken, client_id: 'spa' }).json();
      const write = () => w.store({ accessToken: fresh.access_token, refreshToken: fresh.refresh_token, clientId: 'spa' });
      if (delay) setTimeout(write, delay);
      else write();
      return oauthProblem(400, 'invalid_grant', 'refresh_token_superseded');
    });
    assert.equal((await client.fetch(HOME)).status, 200);
    assert.deepEqual(events, []);
  }
});

test('15. Retry-After of /oauth/token holds', async () => {
  const { w, client } = needsRefresh(() => json({ error: 'temporarily_unavailable' }, 503, { 'Retry-After': '7' }));
  const errors = await Promise.all([1, 2].map(() => client.fetch(HOME).catch((error) => error)));
  assert.deepEqual(errors.map(({ retryAfter }) => retryAfter), [7, 7]);
  await assert.rejects(client.refresh(), unavailable);
  assert.equal(w.of('token').length, 1);
});

test('9. a log-out meanwhile wins: the fresh pair is revoked as an app’s', async () => {
  const held = deferred();
  const { w, client } = needsRefresh(async (request, usual) => {
    const answer = usual();
    await held.promise;
    return answer;
  });
  const call = client.fetch(HOME);
  await w.arrival('token');
  await client.logout();
  held.resolve();
  assert.equal((await call).status, 401);
  const late = await w.arrival('revoke', ({ body }) => formOf(body).token === 'secret-s1-1');
  assert.deepEqual(formOf(late.body), { token: 'secret-s1-1', client_id: 'spa' });
  assert.equal(w.storage.getItem(KEY), null);
  assert.equal(w.of('logout').length, 0);
});

test('9. … and a log-in of either kind meanwhile wins', async () => {
  const held = deferred();
  const { w, client } = needsRefresh(async (request, usual) => {
    await held.promise;
    return usual();
  });
  const call = client.fetch(HOME);
  await w.arrival('token');
  await client.login({ email: 'u2', password: 'x' });
  held.resolve();
  assert.equal((await call).status, 401);
  assert.equal(client.session.claims.sub, 'u2');
  assert.equal(w.stored().clientId, undefined, 'whose session is no app’s');
  await client.refresh();
  assert.deepEqual([w.of('refresh').length, w.of('revoke').length], [1, 0]);
});

test('34. logout() of an app’s session revokes its refresh token, with keepalive and bare; the sign-on of the browser stays', async () => {
  const answers = { fine: undefined, offline: () => Promise.reject(networkError()), refused: () => oauthProblem(401, 'invalid_client'), broken: () => problem(500, 'internal') };
  for (const [name, answer] of Object.entries(answers)) {
    const w = world();
    const { refreshToken } = w.signInApp();
    w.on.revoke = answer;
    const client = w.client();
    const events = w.listen(client);
    const leaving = client.logout();
    assert.equal(w.storage.getItem(KEY), null, name);
    assert.deepEqual(events, [['signedOut', { remote: false, reason: 'logout' }]], name);
    assert.equal(await leaving, undefined, name);
    const [told, ...more] = w.requests;
    assert.deepEqual([told.url, told.method, told.keepalive, told.token, more], [AUTHORITY + OAUTH.revoke, 'POST', true, undefined, []], name);
    assert.deepEqual(formOf(told.body), { token: refreshToken, client_id: 'spa' });
    assert.equal(told.init.redirect, 'error');
  }
});

test('34. … one that the service did not hear of is remembered with its client, beside those of login(), and told at the next chance', async (t) => {
  let moved = 0;
  const { now } = performance;
  t.mock.method(performance, 'now', () => now.call(performance) + moved);
  const w = world();
  const client = w.client();
  w.on.logout = w.on.revoke = () => Promise.reject(networkError());
  const account = w.signIn();
  await client.logout();
  const app = w.signInApp();
  await client.logout();
  const left = () => JSON.parse(w.storage.getItem(`${KEY}-logouts`));
  assert.deepEqual(left(), [[account.accessToken, account.refreshToken], [app.accessToken, [app.refreshToken, 'spa']]]);
  w.on.logout = w.on.revoke = undefined;
  moved = 61_000;
  await w.client().fetch('http://elsewhere.test/');
  await until(() => !left());
  assert.deepEqual(w.auth.sessions.map(({ ended }) => ended), ['logout', 'logout']);
  assert.deepEqual([w.of('logout').length, w.of('revoke').length], [2, 2]);
  await client.fetch('http://elsewhere.test/');
  assert.deepEqual([w.of('logout').length, w.of('revoke').length], [2, 2], 'once');
});

test('logout({redirect}) goes on to where the service ends the sign-on of the browser, with the hint, and from there back', async (t) => {
  const page = 'https://app.test/shop/';
  for (const [redirect, back] of [[true, page], ['https://app.test/bye', 'https://app.test/bye']]) {
    const tab = installTab(t, `${page}?x#y`);
    const w = world();
    const { idToken } = w.signInApp();
    const client = w.client();
    const leaving = client.logout({ redirect });
    assert.deepEqual([w.requests.length, tab.gone.length], [1, 1], 'at once, when the revocation is under way');
    await leaving;
    assert.equal(w.of('revoke').length, 1);
    const [url, ...more] = tab.gone;
    assert.equal(url.origin + url.pathname, AUTHORITY + OAUTH.endSession);
    assert.deepEqual(formOf(url.search), { client_id: 'spa', id_token_hint: idToken, post_logout_redirect_uri: back });
    assert.deepEqual(more, []);
    assert.ok(!url.href.includes('secret-'));
    await client.logout({ redirect });
    assert.equal(tab.gone.length, 1, 'not when nobody is signed in');
  }
});

test('… without a hint where none was given; and never for a session of login(), nor unless asked to', async (t) => {
  const tab = installTab(t, 'https://app.test/');
  const w = world();
  const client = w.client();
  const { accessToken, refreshToken, clientId } = w.signInApp();
  w.store({ accessToken, refreshToken, clientId });
  await client.logout({ redirect: true });
  assert.deepEqual(formOf(tab.gone[0].search), { client_id: 'spa', post_logout_redirect_uri: 'https://app.test/' });
  w.signIn();
  await client.logout({ redirect: true });
  for (const options of [undefined, {}, { redirect: false }, new Event('click')]) {
    w.signInApp();
    await client.logout(options);
  }
  assert.equal(tab.gone.length, 1);
});

test('… and does not reject where there is no page', async () => {
  const w = world();
  w.signInApp();
  await w.client().logout({ redirect: true });
  assert.equal(w.of('revoke').length, 1);
  assert.equal(w.auth.sessions[0].ended, 'logout');
});

test('an app without a refresh token is signed in until its access token is over: then the original 401, signed out, and nobody asked', async () => {
  for (const act of ['expired', 'revoked']) {
    const w = world();
    const client = w.client({ refreshBefore: 3_600_000 });
    const events = w.listen(client);
    const accessToken = jwt({ sub: 'u1', sid: 's1', iat: seconds() - 59, exp: seconds() + 1 });
    client.adopt({ accessToken, refreshToken: '', clientId: 'spa' });
    assert.equal(w.stored().refreshToken, '');
    w.store({ ...w.stored(), skew: 0 }); // a second before its end
    w.on.api = () => json({});
    assert.equal((await client.fetch(HOME)).status, 200, 'used as long as it works');
    assert.equal((await client.fetch(HOME, { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' })).status, 200);
    await assert.rejects(client.refresh(), { code: 'refused' });
    assert.ok(client.session, 'asking for what cannot be had ends nothing');
    const over = problem(401, 'token_expired', { act });
    w.on.api = () => over;
    assert.equal(await client.fetch(HOME), over);
    assert.equal(over.bodyUsed, false);
    assert.equal(client.session, null);
    assert.deepEqual(events.map(([name, { reason }]) => [name, reason]), [['signedIn', undefined], ['signedOut', 'session_expired']]);
    assert.ok(w.requests.every(({ url }) => url.startsWith(API)));
  }
});

test('… and its log-out revokes the access token, also at the next chance', async (t) => {
  let moved = 0;
  const { now } = performance;
  t.mock.method(performance, 'now', () => now.call(performance) + moved);
  const w = world();
  const { accessToken } = w.auth.issue('u1', { client_id: 'spa' });
  w.store({ accessToken, refreshToken: '', clientId: 'spa' });
  w.on.revoke = () => Promise.reject(networkError());
  const client = w.client();
  await client.logout();
  w.on.revoke = undefined;
  moved = 61_000;
  await client.fetch('http://elsewhere.test/');
  await w.arrival('revoke', (request) => request !== w.of('revoke')[0]);
  for (const { body } of w.of('revoke')) assert.deepEqual(formOf(body), { token: accessToken, client_id: 'spa' });
  assert.equal(w.auth.sessions[0].ended, 'logout');
});

test('… which is no way for anybody else to be without one', () => {
  const w = world();
  for (const pair of [{ refreshToken: '' }, { refreshToken: '', clientId: '' }, { refreshToken: 7, clientId: 'spa' }, { clientId: 7 }]) {
    w.store({ accessToken: 'a', ...pair });
    assert.equal(w.client().session, null, JSON.stringify(pair));
  }
});

test('what login() stores and sends is to the letter what it was before there were apps', async (t) => {
  t.mock.method(Math, 'random', () => 0.5);
  const w = world();
  const client = w.client();
  w.on.login = (request, usual) => usual().json().then((pair) => json({ ...pair, deviceToken: 'd', clientId: undefined, idToken: 'i' }));
  await client.login({ email: 'u1', password: 'geheim' });
  const text = ({ accessToken, refreshToken }, skew) => `{"accessToken":"${accessToken}","refreshToken":"${refreshToken}","skew":${skew},"id":0.5}`;
  const check = () => assert.equal(w.storage.getItem(KEY), text(w.stored(), client.session.skew));
  check();
  const first = w.stored();
  await client.refresh();
  check();
  const { accessToken, refreshToken } = w.stored();
  w.on.logout = () => Promise.reject(networkError());
  await client.logout();
  assert.equal(w.storage.getItem(`${KEY}-logouts`), `[["${accessToken}","${refreshToken}"]]`);
  assert.equal(w.storage.getItem(`${KEY}-devices`), '[["u1","d"]]');
  assert.deepEqual(w.requests.map(({ url, body }) => [url.slice(AUTHORITY.length), body]), [
    ['/api/account/login', '{"email":"u1","password":"geheim"}'],
    ['/api/account/refresh-token', JSON.stringify({ accessToken: first.accessToken, refreshToken: first.refreshToken })],
    ['/api/account/logout', JSON.stringify({ accessToken, refreshToken })],
  ]);
  assert.ok(w.requests.every(({ headers }) => headers.get('Content-Type') === 'application/json'));
});

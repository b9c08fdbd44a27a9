/** The log-in by redirect: what goes to the log-in page, and what is made of the answer. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { inspect } from 'node:util';
import { TokenError, createTokenClient } from '../../token-client.js';
import { AUTHORITY, HOME, KEY, OAUTH, deferred, formOf, installTab, json, networkError, oauthProblem, world } from './support.js';

const APP = 'https://app.test/shop/';
const TEXT_OF_32_BYTES = /^[A-Za-z0-9_-]{43}$/;

/** Where the tab was sent last, and what was asked for there. */
const asked = (tab) => {
  const url = tab.gone.at(-1);
  return { at: url.origin + url.pathname, query: formOf(url.search) };
};

/** A world with a page at `start`, a client, and `comeBack(answer)`: the service's answer to the last redirect arrives. */
const app = (t, options = {}, start = APP) => {
  const tab = installTab(t, start);
  const w = world();
  const client = w.client(options);
  /** @param {object} [answer] what is different from a yes @param {object} [query] */
  const comeBack = (answer = {}, query = asked(tab).query) => {
    const fields = { code: answer.error ? undefined : w.auth.code(query), state: query.state, iss: AUTHORITY, ...answer };
    const given = Object.entries(fields).filter(([, value]) => value !== undefined);
    return tab.load(`${query.redirect_uri}?${new URLSearchParams(given)}#_`).href;
  };
  return { tab, w, client, events: w.listen(client), comeBack };
};

/** As `app`, with the first half done. */
const begun = async (t, options) => {
  const it = app(t, options);
  await it.client.loginWithRedirect({ clientId: 'spa' });
  return it;
};

const refused = (reason) => (error) => error instanceof TokenError && error.code === 'refused' && error.reason === reason;

test('loginWithRedirect goes to the log-in page, with a fresh state and the S256 challenge of a fresh verifier', async (t) => {
  const { tab, w, client } = app(t, {}, `${APP}?a=b#c`);
  const seen = new Set();
  for (let i = 1; i <= 3; i += 1) {
    await client.loginWithRedirect({ clientId: 'spa' });
    assert.equal(tab.gone.length, i);
    const { at, query } = asked(tab);
    assert.equal(at, AUTHORITY + OAUTH.authorize);
    const { state, code_challenge, ...rest } = query;
    const fixed = { response_type: 'code', client_id: 'spa', redirect_uri: APP, scope: 'openid', code_challenge_method: 'S256' };
    assert.deepEqual(rest, fixed, 'and nothing else');
    const { verifier } = JSON.parse(tab.values()[`${KEY}-redirect-${state}`]);
    for (const value of [state, verifier, code_challenge]) assert.match(value, TEXT_OF_32_BYTES);
    assert.equal(code_challenge, createHash('sha256').update(verifier).digest('base64url'));
    for (const value of [state, verifier]) assert.ok(!seen.has(value) && seen.add(value));
    assert.ok(!tab.gone.at(-1).href.includes(verifier), 'which stays here');
  }
  assert.deepEqual([w.requests.length, w.storage.keys().length], [0, 0]);
});

test('… base64url of every byte is without +, / and =', async (t) => {
  const { tab, client } = app(t);
  const bytes = [0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0, 0, 0, ...Array(23).fill(0xfb)];
  t.mock.method(crypto, 'getRandomValues', (array) => (array.set(bytes), array));
  await client.loginWithRedirect({ clientId: 'spa' });
  assert.equal(asked(tab).query.state, Buffer.from(bytes).toString('base64url'));
});

test('loginWithRedirect takes another scope, redirect URI and what else the page can be told; what has no value is left out', async (t) => {
  const { tab, client } = app(t, { authority: 'https://x.test/auth/' });
  const options = { clientId: 'spa', scope: 'openid email', redirectUri: 'https://app.test/callback?x=y' };
  const more = { prompt: 'login', loginHint: 'ada@example.com', uiLocales: 'zh en', maxAge: 0, acrValues: 'a', resource: 'r' };
  await client.loginWithRedirect({ ...options, ...more, returnTo: undefined });
  const { at, query } = asked(tab);
  assert.equal(at, 'https://x.test/auth/oauth/authorize');
  const { state, code_challenge, code_challenge_method, response_type, ...rest } = query;
  assert.deepEqual(rest, {
    client_id: 'spa',
    scope: 'openid email',
    redirect_uri: options.redirectUri,
    prompt: 'login',
    login_hint: 'ada@example.com',
    ui_locales: 'zh en',
    max_age: '0',
    acr_values: 'a',
    resource: 'r',
  });
  await client.loginWithRedirect({ clientId: 'spa', prompt: undefined, loginHint: undefined });
  assert.deepEqual([asked(tab).query.prompt, asked(tab).query.login_hint], [undefined, undefined]);
  // Nothing that is passed on says something else than what the answer is checked by.
  await client.loginWithRedirect({ clientId: 'spa', state: 'mine', codeChallenge: 'mine', codeChallengeMethod: 'plain', responseType: 'token' });
  const own = asked(tab).query;
  assert.deepEqual([own.state === 'mine', own.code_challenge === 'mine', own.code_challenge_method, own.response_type], [false, false, 'S256', 'code']);
});

test('paths and authority say where the log-in page and the rest are', async (t) => {
  const paths = { authorize: '/a', token: '/t', revoke: '/r', endSession: '/e' };
  const tab = installTab(t, APP);
  const urls = [];
  const fetch = async (url, { body }) => (urls.push(url), `${body}`.includes('code_verifier') ? json({ access_token: 'a', refresh_token: 'r' }) : json({}));
  const { storage } = world();
  const client = createTokenClient({ storage, fetch, paths, locks: null });
  await client.loginWithRedirect({ clientId: 'spa' });
  tab.load(`?code=c&state=${asked(tab).query.state}&iss=https://app.test`);
  await client.handleRedirect();
  await client.logout({ redirect: true });
  assert.deepEqual(tab.gone.map(({ origin, pathname }) => origin + pathname), ['https://app.test/a', 'https://app.test/e']);
  assert.deepEqual(urls, ['https://app.test/t', 'https://app.test/r']);
});

test('every redirect has a place of its own in sessionStorage: of two clicks either may come back', async (t) => {
  for (const order of [[0, 1], [1, 0]]) {
    const { tab, w, client, comeBack } = app(t);
    await Promise.all([client.loginWithRedirect({ clientId: 'spa' }), client.loginWithRedirect({ clientId: 'spa' })]);
    const queries = tab.gone.map(({ search }) => formOf(search));
    assert.deepEqual(Object.keys(tab.values()).sort(), queries.map(({ state }) => `${KEY}-redirect-${state}`).sort());
    for (const which of order) {
      comeBack({}, queries[which]);
      assert.equal((await client.handleRedirect()).claims.sub, 'u1', `${order}: ${which}`);
    }
    assert.deepEqual(tab.values(), {});
    assert.equal(w.of('token').length, 2);
  }
});

test('… of another key of storage nobody takes what is not theirs', async (t) => {
  const { tab, w, comeBack } = await begun(t, { key: 'mine' });
  const { state } = asked(tab).query;
  assert.deepEqual(Object.keys(tab.values()), [`mine-redirect-${state}`]);
  const url = comeBack();
  assert.equal(await w.client().handleRedirect(), null);
  assert.equal(tab.href, url);
  assert.ok(await w.client({ key: 'mine' }).handleRedirect());
  assert.deepEqual(w.storage.keys(), ['mine']);
});

test('… and those that never came back go with the next one, an hour later', async (t) => {
  const now = Date.now();
  const clock = t.mock.method(Date, 'now', () => now);
  const { tab, client } = app(t);
  const more = { other: 'value', 'token-session-redirect': 'x', 'mine-redirect-x': '{"at":0}', [`${KEY}-redirect-rubbish`]: '{', [`${KEY}-redirect-null`]: 'null' };
  Object.assign(globalThis.sessionStorage, more);
  const places = () => Object.keys(tab.values()).filter((name) => name.startsWith(`${KEY}-redirect-`));
  await client.loginWithRedirect({ clientId: 'spa' });
  const [first] = places();
  assert.equal(places().length, 1, 'rubbish went');
  clock.mock.mockImplementation(() => now + 3_590_000);
  await client.loginWithRedirect({ clientId: 'spa' });
  assert.equal(places().length, 2);
  clock.mock.mockImplementation(() => now + 3_610_000);
  await client.loginWithRedirect({ clientId: 'spa' });
  assert.equal(places().length, 2);
  assert.ok(!places().includes(first));
  for (const name of ['other', 'token-session-redirect', 'mine-redirect-x']) assert.equal(tab.values()[name], more[name]);
});

test('… a page that was open over night is good all the same', async (t) => {
  const now = Date.now();
  const { client, comeBack } = await begun(t);
  t.mock.method(Date, 'now', () => now + 12 * 3_600_000);
  comeBack();
  assert.ok(await client.handleRedirect());
});

test('loginWithRedirect rejects and stays where the answer could not be checked: no sessionStorage, no secure context', async (t) => {
  const broken = () => {
    throw new DOMException('denied', 'SecurityError');
  };
  for (const method of ['setItem', 'getItem']) {
    const { tab, client } = app(t);
    if (method === 'setItem') Object.getPrototypeOf(sessionStorage).setItem = broken;
    else Object.defineProperty(globalThis, 'sessionStorage', { get: broken, configurable: true });
    await assert.rejects(client.loginWithRedirect({ clientId: 'spa' }), { name: 'SecurityError' });
    assert.equal(tab.gone.length, 0);
    tab.load('?code=c&state=s');
    assert.equal(await client.handleRedirect(), null);
  }
  const tab = installTab(t, 'http://192.168.0.7/', { secure: false });
  await assert.rejects(world().client().loginWithRedirect({ clientId: 'spa' }), TypeError);
  assert.equal(tab.gone.length, 0);
});

test('handleRedirect exchanges the code with the verifier, bare and once, stores the pair with its client and signs in', async (t) => {
  const { tab, w, client, events, comeBack } = await begun(t);
  const { query } = asked(tab);
  const { verifier } = JSON.parse(Object.values(tab.values())[0]);
  comeBack();
  const session = await client.handleRedirect();
  const [{ url, method, body, headers, token, init }, ...more] = w.requests;
  assert.deepEqual([url, method, token, more.length], [AUTHORITY + OAUTH.token, 'POST', undefined, 0]);
  assert.deepEqual(formOf(body), { grant_type: 'authorization_code', code: 'code-1', redirect_uri: APP, code_verifier: verifier, client_id: 'spa' });
  assert.equal(body.split('&').length, 5, 'no parameter twice');
  assert.match(headers.get('Content-Type'), /^application\/x-www-form-urlencoded/);
  assert.equal(init.redirect, 'error');
  assert.deepEqual(events, [['signedIn', { remote: false }]]);
  assert.deepEqual(session, client.session);
  assert.equal(session.claims.client_id, 'spa');
  const { accessToken, refreshToken, skew, id, clientId, idToken, ...others } = w.stored();
  assert.deepEqual([accessToken, refreshToken, clientId, others], [session.accessToken, 'secret-s1-0', 'spa', {}]);
  assert.ok(idToken && Math.abs(skew) < 1500 && id);
  assert.deepEqual(w.storage.keys(), [KEY], 'one JSON value under one key');
  assert.equal((await client.fetch(HOME)).status, 200);
  assert.equal(w.of('api')[0].token, accessToken);
  assert.equal(query.state.length, 43);
});

test('handleRedirect puts the address where it was before it sends anything: no code, no state, no #_, the router’s state kept', async (t) => {
  const cases = [
    [`${APP}`, undefined, APP],
    [`${APP}orders?page=2#row-7`, undefined, `${APP}orders?page=2#row-7`],
    [APP, '/shop/cart?x#y', `${APP}cart?x#y`],
    [APP, 'cart', `${APP}cart`],
    [APP, 'https://app.test/', 'https://app.test/'],
    // Of another origin the address bar takes none.
    [APP, 'https://evil.test/shop/', APP],
    [APP, '//evil.test/', APP],
    [APP, 'javascript:alert(1)', APP],
  ];
  for (const [start, returnTo, end] of cases) {
    const { tab, w, client, comeBack } = app(t, {}, start);
    tab.document.baseURI = 'https://evil.test/';
    await client.loginWithRedirect({ clientId: 'spa', redirectUri: APP, returnTo });
    comeBack();
    let when;
    w.on.token = (request, usual) => ((when = tab.href), usual());
    const signingIn = client.handleRedirect();
    assert.equal(tab.href, end, 'at once');
    assert.ok(await signingIn, returnTo);
    assert.equal(when, end);
    assert.deepEqual(tab.replaced.at(-1), [{ of: 'the router' }, end]);
  }
});

test('handleRedirect is null, and touches nothing, where the address is no answer to a redirect of this tab', async (t) => {
  const { tab, w, client, events } = await begun(t);
  const { state } = asked(tab).query;
  const before = tab.values();
  const queries = ['', '?code=c', '?state=x', `?state=${state}`, `?iss=${AUTHORITY}&state=${state}`, '?code=c&state=x', '?error=access_denied', '?error=access_denied&state=x', `#code=c&state=${state}`, `?code=&state=${state}`, `?code=c&state=${state.slice(1)}`, `?code=c&state=${state}x`];
  for (const query of queries) {
    const { href } = tab.load(`/shop/${query}`);
    assert.equal(await client.handleRedirect(), null, query);
    assert.equal(tab.href, href);
  }
  assert.deepEqual([tab.values(), tab.replaced, w.requests, events], [before, [], [], []]);
  for (const rubbish of ['', '{', 'null', '0', 'false']) {
    globalThis.sessionStorage[`${KEY}-redirect-x`] = rubbish;
    tab.load('/shop/?code=c&state=x');
    assert.equal(await client.handleRedirect(), null, rubbish);
  }
});

test('… and where there is no page at all', async () => {
  assert.equal(await world().client().handleRedirect(), null);
});

test('an answer that another service gave is refused before anything is sent: iss is the issuer’s, to the letter', async (t) => {
  const wrong = [undefined, '', 'https://evil.test', `${AUTHORITY}/`, 'HTTP://AUTH.TEST', `${AUTHORITY}:80`, 'https://auth.test', `${AUTHORITY}.evil.test`, 'http://auth.tes'];
  for (const more of [{}, { error: 'access_denied' }]) {
    for (const iss of wrong) {
      const { tab, w, client, events, comeBack } = await begun(t);
      comeBack({ iss, ...more });
      await assert.rejects(client.handleRedirect(), refused('issuer_mismatch'), iss);
      assert.deepEqual([w.requests, events, tab.values(), tab.href], [[], [], {}, APP]);
    }
  }
  for (const [options, iss, fits] of [
    [{ issuer: 'https://id.test/tenant' }, 'https://id.test/tenant', true],
    [{ issuer: 'https://id.test/tenant' }, AUTHORITY, false],
    [{ authority: `${AUTHORITY}/auth/` }, AUTHORITY, true],
    [{ authority: '/auth' }, 'https://app.test', true],
    [{ authority: undefined }, 'https://app.test', true],
  ]) {
    const { w, client, comeBack } = await begun(t, options);
    comeBack({ iss });
    w.on.api = w.on.token = () => json({ access_token: 'a', refresh_token: 'r' });
    await client.handleRedirect().catch((error) => assert.ok(refused('issuer_mismatch')(error)));
    assert.equal(!!client.session, fits, JSON.stringify(options));
  }
});

test('a log-in that was refused at the page says why; whoever was signed in still is, and the address is clean', async (t) => {
  for (const reason of ['access_denied', 'login_required', 'invalid_scope', 'temporarily_unavailable']) {
    const { tab, w, client, events, comeBack } = await begun(t);
    w.signIn('ada');
    comeBack({ error: reason, error_description: 'no' });
    await assert.rejects(client.handleRedirect(), refused(reason));
    assert.equal(client.session.claims.sub, 'ada');
    assert.deepEqual([w.requests, events, tab.values(), tab.href], [[], [], {}, APP]);
  }
  const { client, comeBack, w } = await begun(t);
  comeBack({ error: 'access_denied', code: 'c' });
  await assert.rejects(client.handleRedirect(), refused('access_denied'), 'a no with a code is a no');
  assert.equal(w.requests.length, 0);
});

test('called twice at once, as React’s StrictMode does, it is one exchange with one result', async (t) => {
  const { w, client, events, comeBack } = await begun(t);
  comeBack();
  const held = deferred();
  w.on.token = async (request, usual) => (await held.promise, usual());
  const both = [client.handleRedirect(), client.handleRedirect()];
  await w.arrival('token');
  both.push(client.handleRedirect());
  held.resolve();
  const [first, ...others] = await Promise.all(both);
  assert.equal(first.claims.sub, 'u1');
  for (const other of others) assert.equal(other, first);
  assert.deepEqual([w.of('token').length, events.length], [1, 1]);

  const again = await begun(t);
  again.comeBack({ error: 'access_denied' });
  const errors = await Promise.all([1, 2].map(() => again.client.handleRedirect().catch((error) => error)));
  assert.equal(errors[0].reason, 'access_denied');
  assert.equal(errors[0], errors[1]);
});

test('an answer is good for one time: loaded again, it is none of ours', async (t) => {
  for (const more of [{}, { error: 'access_denied' }, { iss: 'https://evil.test' }]) {
    const { tab, w, client, comeBack } = await begun(t);
    const url = comeBack(more);
    await client.handleRedirect().catch(() => {});
    const sent = w.requests.length;
    tab.load(url);
    assert.equal(await client.handleRedirect(), null);
    assert.equal(w.requests.length, sent);
  }
});

test('an exchange that fails says why, is not repeated, and leaves whoever was signed in', async (t) => {
  const cases = {
    invalid_grant: [() => oauthProblem(400, 'invalid_grant', 'invalid_code'), { code: 'refused', status: 400, reason: 'invalid_grant', problem: 'invalid_code' }],
    'without a code': [() => oauthProblem(400, 'invalid_grant'), { code: 'refused', reason: 'invalid_grant', problem: undefined }],
    invalid_client: [() => oauthProblem(401, 'invalid_client'), { code: 'refused', status: 401, reason: 'invalid_client' }],
    busy: [() => json({ error: 'temporarily_unavailable' }, 429, { 'Retry-After': '7' }), { code: 'unavailable', status: 429, retryAfter: 7 }],
    broken: [() => json({ error: 'temporarily_unavailable' }, 503), { code: 'unavailable', status: 503 }],
    'a page': [() => new Response('<h1>Wi-Fi</h1>', { status: 403 }), { code: 'unavailable', status: 403 }],
    'nothing arrives': [() => Promise.reject(networkError()), { code: 'unavailable', status: 0 }],
    'no answer in time': [() => new Promise(() => {}), { code: 'unavailable', status: 0 }],
    'the answer breaks off': [() => new Response(new ReadableStream({ pull: (c) => c.error(networkError()) })), { code: 'unavailable' }],
    'no token in it': [() => json({ token_type: 'Bearer' }), { code: 'unavailable', status: 200 }],
    'a pair of the other kind': [() => json({ accessToken: 'a', refreshToken: 'r' }), { code: 'unavailable', status: 200 }],
    'tokens that are no text': [() => json({ access_token: 'a', refresh_token: 7 }), { code: 'unavailable', status: 200 }],
  };
  for (const [name, [answer, facts]] of Object.entries(cases)) {
    const { tab, w, client, events, comeBack } = await begun(t, { timeout: name.includes('in time') ? 50 : 3000 });
    w.signIn('ada');
    const before = w.storage.getItem(KEY);
    w.on.token = answer;
    comeBack();
    const keeper = setInterval(() => {}, 1000);
    const error = await client.handleRedirect().catch((it) => it);
    clearInterval(keeper);
    assert.ok(error instanceof TokenError, name);
    for (const [fact, value] of Object.entries(facts)) assert.equal(error[fact], value, `${name}: ${fact}`);
    assert.equal(w.of('token').length, 1, name);
    assert.equal(w.storage.getItem(KEY), before, name);
    assert.deepEqual([events, tab.href], [[], APP], name);
    // The next try begins anew.
    w.on.token = undefined;
    await client.loginWithRedirect({ clientId: 'spa' });
    comeBack();
    assert.ok(await client.handleRedirect(), name);
  }
});

test('a code that another verifier, client or redirect URI belongs to is refused by the service, for what is sent is what was asked with', async (t) => {
  for (const change of [{ code_challenge: 'x' }, { client_id: 'other' }, { redirect_uri: `${APP}x` }]) {
    const { tab, w, client, comeBack } = await begun(t);
    const { query } = asked(tab);
    comeBack({ code: w.auth.code({ ...query, ...change }) });
    await assert.rejects(client.handleRedirect(), refused('invalid_grant'));
  }
});

test('the return of a redirect is a chance to tell the service of a former log-out', async (t) => {
  const { w, client, comeBack } = await begun(t);
  w.on.logout = () => Promise.reject(networkError());
  w.signIn();
  await w.client().logout();
  w.on.logout = undefined;
  comeBack();
  await client.handleRedirect();
  await w.arrival('logout', (request) => request !== w.of('logout')[0]);
  assert.equal(w.auth.sessions[0].ended, 'logout');
});

test('neither code, verifier, state nor any token is in an event, error, log or session', async (t) => {
  const printed = [];
  for (const method of ['log', 'warn', 'error', 'info', 'debug']) t.mock.method(console, method, (...args) => printed.push(args));
  const { tab, w, client, events, comeBack } = await begun(t);
  const secrets = [asked(tab).query.state, JSON.parse(Object.values(tab.values())[0]).verifier, 'code-1', 'secret-s'];
  comeBack();
  const session = await client.handleRedirect();
  secrets.push(w.stored().idToken);
  await client.loginWithRedirect({ clientId: 'spa' });
  secrets.push(asked(tab).query.state);
  comeBack();
  w.on.token = ({ body }) => Promise.reject(new Error(`could not send ${body}`));
  const error = await client.handleRedirect().catch((it) => it);
  const seen = inspect({ events, printed, session, now: client.session, error, client }, { depth: 20, showHidden: true, getters: true });
  assert.equal(error.code, 'unavailable');
  for (const text of secrets) assert.ok(!seen.includes(text), text);
});

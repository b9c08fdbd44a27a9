/** openid-client 6, which every flow of a server-side program goes through. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { verifiedIdToken } from './harness/id-token.js';
import { isHttps, scheme, startServices } from './harness/services.js';
import { Visitor } from './harness/visitor.js';

// Nobody listens there: the visitor stops before it.
const HOME = 'http://127.0.0.1:9/callback';
const GOODBYE = 'http://127.0.0.1:9/goodbye';
const redirect = ['--redirect', HOME];

let services;
before(async () => {
  services = await startServices({
    clients: {
      basic: ['--kind', 'web', ...redirect],
      post: ['--kind', 'web', ...redirect],
      public: ['--kind', 'browser', ...redirect],
      native: ['--kind', 'native', ...redirect],
      es256: ['--kind', 'web', ...redirect, '--id-token-alg', 'ES256'],
      ours: ['--kind', 'web', ...redirect, '--trusted', '--logout-redirect', GOODBYE],
      shop: ['--kind', 'web', ...redirect, '--api', '--scope', 'openid', '--scope', 'email', '--scope', 'orders:read'],
      worker: ['--kind', 'service', '--api', '--scope', 'orders:read', '--scope', 'orders:write'],
      listener: ['--kind', 'service'],
    },
  });
});
after(() => services?.close());

/** A configuration by discovery, of a client that verifies every signature. */
const configured = (id, auth, metadata = {}) =>
  client.discovery(new URL(services.issuer), id, metadata, auth ?? client.ClientSecretBasic(services.secrets[id]), {
    execute: [client.enableNonRepudiationChecks, ...(isHttps ? [] : [client.allowInsecureRequests])],
  });

/** An authorization request: its address, and what its answer is checked against. */
const request = async (config, parameters = {}, build = client.buildAuthorizationUrl) => {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true };
  const url = await build(config, {
    redirect_uri: HOME,
    scope: 'openid profile email',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...parameters,
  });
  return { url, checks };
};

/** The whole way of a person who is new to the service: `{tokens, user, visitor, checks, left}`. */
const signedOn = async (config, parameters) => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const { url, checks } = await request(config, parameters);
  const { left } = await visitor.signOnTo(HOME, url, { user });
  const tokens = await client.authorizationCodeGrant(config, left, checks);
  return { tokens, user, visitor, checks, left };
};

const isOAuthError = (error, code) => {
  assert.equal(error.error, code, String(error.cause ?? error));
  return true;
};

const named = (name, body) => test(`${scheme}: openid-client: ${name}`, body);

const kinds = [
  ['a client with client_secret_basic', 'basic', (secret) => client.ClientSecretBasic(secret)],
  ['a client with client_secret_post', 'post', (secret) => client.ClientSecretPost(secret)],
  ['a public client of a browser', 'public', () => client.None()],
  ['a native client', 'native', () => client.None()],
  ['a client with ES256', 'es256', (secret) => client.ClientSecretBasic(secret), 'ES256'],
];
for (const [what, id, auth, alg = 'RS256'] of kinds) {
  named(`${what} logs in, reads userinfo and refreshes`, async () => {
    const config = await configured(id, auth(services.secrets[id]), { id_token_signed_response_alg: alg });
    const { tokens, user, checks, left } = await signedOn(config);
    assert.equal(left.searchParams.get('iss'), services.issuer);
    assert.equal(left.hash, '#_');
    assert.equal(tokens.token_type, 'bearer');
    assert.ok(tokens.expiresIn() > 0);

    const expected = { client: id, alg, subject: user.id };
    const claims = await verifiedIdToken(services.issuer, tokens, { ...expected, nonce: checks.expectedNonce });
    assert.equal(claims.email, user.email);
    assert.equal(claims.name, user.userName);
    const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
    assert.equal(info.sub, user.id);
    assert.equal(info.email, user.email);
    assert.equal(info.name, user.userName);

    const next = await client.refreshTokenGrant(config, tokens.refresh_token);
    assert.notEqual(next.refresh_token, tokens.refresh_token);
    const again = await verifiedIdToken(services.issuer, next, { ...expected, nonce: undefined });
    for (const name of ['sid', 'auth_time', 'email']) assert.equal(again[name], claims[name], name);
    assert.equal((await client.fetchUserInfo(config, next.access_token, user.id)).sub, user.id);
  });
}

named('an answer with another iss, or none, is refused', async () => {
  const config = await configured('basic');
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const { url, checks } = await request(config);
  const { left } = await visitor.signOnTo(HOME, url, { user });
  for (const change of [(it) => it.searchParams.set('iss', 'https://evil.example'), (it) => it.searchParams.delete('iss')]) {
    const changed = new URL(left);
    change(changed);
    await assert.rejects(client.authorizationCodeGrant(config, changed, { ...checks }), (error) => /"iss"|\biss\b/.test(error.cause.message));
  }
  // The library refused before it asked: the code is unused.
  await client.authorizationCodeGrant(config, left, checks);
});

named('a pushed request (PAR) takes the same way', async () => {
  const config = await configured('basic');
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const { url, checks } = await request(config, {}, client.buildAuthorizationUrlWithPAR);
  assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri']);
  const { left } = await visitor.signOnTo(HOME, url, { user });
  const tokens = await client.authorizationCodeGrant(config, left, checks);
  assert.equal(tokens.claims().sub, user.id);
});

named('a pushed request of a public client works, and one with a fault is refused at once', async () => {
  const config = await configured('public', client.None());
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const { url, checks } = await request(config, {}, client.buildAuthorizationUrlWithPAR);
  const { left } = await visitor.signOnTo(HOME, url, { user });
  assert.equal((await client.authorizationCodeGrant(config, left, checks)).claims().sub, user.id);
  await assert.rejects(request(config, { redirect_uri: 'http://127.0.0.1:9/other' }, client.buildAuthorizationUrlWithPAR), (error) => {
    assert.ok(['invalid_request', 'invalid_redirect_uri'].includes(error.error), String(error.error ?? error));
    return true;
  });
});

named('a service gets tokens of its own, and resource-api takes them', async () => {
  const config = await configured('worker', client.ClientSecretPost(services.secrets.worker));
  const tokens = await client.clientCredentialsGrant(config, { scope: 'orders:read' });
  assert.equal(tokens.scope, 'orders:read');
  assert.equal(tokens.refresh_token, undefined);
  assert.equal(tokens.id_token, undefined);
  const answer = await client.fetchProtectedResource(config, tokens.access_token, new URL(`${services.api}/api/me`), 'GET');
  assert.equal(answer.status, 200);
  const claims = await answer.json();
  assert.equal(claims.sub, 'worker');
  assert.equal(claims.client_id, 'worker');
  assert.equal(claims.scope, 'orders:read');

  await assert.rejects(client.clientCredentialsGrant(config, { scope: 'orders:delete' }), (error) => isOAuthError(error, 'invalid_scope'));
  const wrong = await configured('worker', client.ClientSecretBasic('a guess'));
  await assert.rejects(client.clientCredentialsGrant(wrong), (error) => /invalid_client|responseIsWWW|WWW_AUTHENTICATE/.test(`${error.error} ${error.code}`));
});

named('only a client with --api gets tokens that resource-api takes', async () => {
  const listener = await configured('listener');
  const { access_token } = await client.clientCredentialsGrant(listener);
  const home = new URL(`${services.api}/api/home`);
  const refused = await client.fetchProtectedResource(listener, access_token, home, 'GET').catch((error) => error);
  assert.equal(refused.status, 401);

  const shop = await configured('shop');
  const { tokens, user } = await signedOn(shop, { scope: 'openid email orders:read' });
  const answer = await client.fetchProtectedResource(shop, tokens.access_token, new URL(`${services.api}/api/me`), 'GET');
  const claims = await answer.json();
  assert.equal(claims.sub, user.id);
  assert.equal(claims.client_id, 'shop');
  assert.ok(claims.scope.split(' ').includes('orders:read'));
  assert.equal(claims.name, undefined);
});

named('response_mode=form_post brings the answer as a form', async () => {
  const config = await configured('basic');
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const { url, checks } = await request(config, { response_mode: 'form_post' });
  const { left, form } = await visitor.signOnTo(HOME, url, { user });
  assert.equal(left.search, '');
  assert.equal(form.get('iss'), services.issuer);
  const answer = new Request(left.href.replace(left.hash, ''), { method: 'POST', body: form });
  const tokens = await client.authorizationCodeGrant(config, answer, checks);
  assert.equal(tokens.claims().sub, user.id);
});

named('prompt=none answers login_required without a session, and a code with one, and shows nothing', async () => {
  const config = await configured('ours');
  const visitor = new Visitor(services.issuer);
  const asked = await request(config, { prompt: 'none' });
  const refused = await visitor.open(asked.url);
  assert.equal(refused.left?.searchParams.get('iss'), services.issuer);
  await assert.rejects(client.authorizationCodeGrant(config, refused.left, asked.checks), (error) => isOAuthError(error, 'login_required'));

  const user = await services.register();
  await visitor.signOnTo(HOME, (await request(config)).url, { user });
  const shown = visitor.shown;
  const again = await request(config, { prompt: 'none' });
  const { left } = await visitor.open(again.url);
  const tokens = await client.authorizationCodeGrant(config, left, again.checks);
  assert.equal(tokens.claims().sub, user.id);
  assert.equal(visitor.shown, shown);

  // The same session, and a client that the user has not agreed to.
  const stranger = await configured('basic');
  const other = await request(stranger, { prompt: 'none' });
  const unasked = await visitor.open(other.url);
  await assert.rejects(client.authorizationCodeGrant(stranger, unasked.left, other.checks), (error) => isOAuthError(error, 'consent_required'));
});

named('one log-in serves two clients: the second is not asked for a password', async () => {
  const [first, second] = [await configured('basic'), await configured('es256', undefined, { id_token_signed_response_alg: 'ES256' })];
  const { tokens, user, visitor } = await signedOn(first);
  const { url, checks } = await request(second);
  // Without `user` a log-in form would be the end.
  const { left } = await visitor.signOnTo(HOME, url);
  const others = await client.authorizationCodeGrant(second, left, checks);
  assert.equal(others.claims().sub, user.id);
  assert.equal(others.claims().sid, tokens.claims().sid);
});

named('who says no on the consent page is an access_denied of the library', async () => {
  const config = await configured('basic');
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const { url, checks } = await request(config);
  const { left } = await visitor.signOnTo(HOME, url, { user, decision: 'deny' });
  assert.equal(left.searchParams.get('iss'), services.issuer);
  await assert.rejects(client.authorizationCodeGrant(config, left, checks), (error) => isOAuthError(error, 'access_denied'));
});

for (const id of ['public', 'basic']) {
  named(`50 parallel refreshes of a ${id} client with one token are one step with one successor, and all go on`, async () => {
    const config = await configured(id, id === 'public' ? client.None() : undefined);
    const { tokens, user } = await signedOn(config);
    const before = await services.counted('refreshes');
    const all = (token) => Promise.all(Array.from({ length: 50 }, () => client.refreshTokenGrant(config, token)));
    const successor = (answers) => {
      const tokens = new Set(answers.map((it) => it.refresh_token));
      assert.equal(tokens.size, 1);
      return [...tokens][0];
    };

    const first = await all(tokens.refresh_token);
    const second = await all(successor(first));
    assert.notEqual(successor(second), successor(first));
    for (const { access_token } of [...first, ...second]) {
      assert.equal((await client.fetchUserInfo(config, access_token, user.id)).sub, user.id);
    }
    const last = await client.refreshTokenGrant(config, successor(second));
    assert.notEqual(last.refresh_token, successor(second));
    assert.equal((await client.fetchUserInfo(config, last.access_token, user.id)).sub, user.id);

    // Other tests of this file wait for this one, so the counts are its own.
    const after = await services.counted('refreshes');
    const moved = (outcome) => (after[outcome] ?? 0) - (before[outcome] ?? 0);
    assert.equal(moved('rotated'), 3, JSON.stringify({ before, after }));
    assert.equal(moved('retry'), 98, JSON.stringify({ before, after }));
  });
}

named('a straggler two steps behind is refused a moment later, and the session goes on', async () => {
  const config = await configured('public', client.None());
  const { tokens, user } = await signedOn(config);
  const second = await client.refreshTokenGrant(config, tokens.refresh_token);
  const third = await client.refreshTokenGrant(config, second.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), (error) => {
    assert.equal(error.cause.code, 'refresh_token_superseded');
    return isOAuthError(error, 'invalid_grant');
  });
  const next = await client.refreshTokenGrant(config, third.refresh_token);
  assert.equal((await client.fetchUserInfo(config, next.access_token, user.id)).sub, user.id);
});

named('a code that comes twice is invalid_grant, and the session of the first goes on', async () => {
  const config = await configured('basic');
  const { tokens, checks, left, user } = await signedOn(config);
  await assert.rejects(client.authorizationCodeGrant(config, left, { ...checks }), (error) => isOAuthError(error, 'invalid_grant'));
  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal((await client.fetchUserInfo(config, next.access_token, user.id)).sub, user.id);
});

named('a code with another verifier is invalid_grant, and is spent', async () => {
  const config = await configured('basic');
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const { url, checks } = await request(config);
  const { left } = await visitor.signOnTo(HOME, url, { user });
  const wrong = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() };
  await assert.rejects(client.authorizationCodeGrant(config, left, wrong), (error) => isOAuthError(error, 'invalid_grant'));
  await assert.rejects(client.authorizationCodeGrant(config, left, checks), (error) => isOAuthError(error, 'invalid_grant'));
});

named('another client cannot use a refresh token, nor harm its session', async () => {
  const [config, other] = [await configured('basic'), await configured('public', client.None())];
  const { tokens } = await signedOn(config);
  await assert.rejects(client.refreshTokenGrant(other, tokens.refresh_token), (error) => isOAuthError(error, 'invalid_grant'));
  await client.refreshTokenGrant(config, tokens.refresh_token);
});

named('a refresh with less scope gets less, and no id_token without openid', async () => {
  const config = await configured('basic');
  const { tokens } = await signedOn(config);
  const less = await client.refreshTokenGrant(config, tokens.refresh_token, { scope: 'email' });
  assert.equal(less.id_token, undefined);
  assert.equal(decodeJwt(less.access_token).scope, 'email');
  const whole = await client.refreshTokenGrant(config, less.refresh_token);
  assert.ok(whole.id_token);
  await assert.rejects(client.refreshTokenGrant(config, whole.refresh_token, { scope: 'openid orders:read' }), (error) => isOAuthError(error, 'invalid_scope'));
});

named('revocation ends a session, and what is no token is no fault', async () => {
  const config = await configured('basic');
  const { tokens } = await signedOn(config);
  await client.tokenRevocation(config, tokens.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), (error) => isOAuthError(error, 'invalid_grant'));
  // RFC 7009 §2.2: what is no token is no fault.
  await client.tokenRevocation(config, 'no token');
});

named('max_age is answered by a log-in of now, and the library sees its auth_time', async () => {
  const config = await configured('ours');
  const { user, visitor } = await signedOn(config);
  const { url, checks } = await request(config, { max_age: '0' });
  const page = await visitor.open(url);
  assert.ok(page.forms?.some(({ action }) => action.pathname === '/oauth/sign-in'), 'asks for the password again');
  const { left } = await visitor.signOnTo(HOME, page, { user });
  const tokens = await client.authorizationCodeGrant(config, left, { ...checks, maxAge: 0 });
  assert.equal(tokens.claims().sub, user.id);
});

named('prompt=login asks for the password again, and once', async () => {
  const config = await configured('ours');
  const { tokens, user, visitor } = await signedOn(config);
  const { url, checks } = await request(config, { prompt: 'login', id_token_hint: tokens.id_token, login_hint: user.email });
  const page = await visitor.open(url);
  assert.ok(page.forms?.some(({ action }) => action.pathname === '/oauth/sign-in'), 'asks for the password again');
  const shown = visitor.shown;
  const { left } = await visitor.signOnTo(HOME, page, { user });
  assert.equal(visitor.shown, shown);
  const again = await client.authorizationCodeGrant(config, left, checks);
  assert.equal(again.claims().sub, user.id);
  // What the client had before goes on: the old browser session was replaced, not signed out.
  await client.refreshTokenGrant(config, tokens.refresh_token);
});

named('resource (RFC 8707) may name the API, and nothing else', async () => {
  const config = await configured('shop');
  const { tokens } = await signedOn(config, { resource: services.api });
  assert.ok([decodeJwt(tokens.access_token).aud].flat().includes(services.api));
  const { url, checks } = await request(config, { resource: 'https://other.example/' });
  const { left } = await new Visitor(services.issuer).open(url);
  await assert.rejects(client.authorizationCodeGrant(config, left, checks), (error) => isOAuthError(error, 'invalid_target'));
});

named('offline_access is asked for on the page, and gives a refresh token', async () => {
  const config = await configured('ours');
  const { tokens, visitor, user } = await signedOn(config, { scope: 'openid offline_access', prompt: 'consent' });
  assert.ok(tokens.scope.split(' ').includes('offline_access'), tokens.scope);
  assert.ok(visitor.shown >= 2, 'log-in and consent');
  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal(next.claims().sub, user.id);
});

named('a refresh whose answer is lost is done again with the same token', async () => {
  const config = await configured('public', client.None());
  const { tokens, user } = await signedOn(config);
  const lost = new TypeError('the connection broke');
  let heard;
  const broken = await configured('public', client.None());
  broken[client.customFetch] = async (...request) => {
    heard = await (await fetch(...request)).json();
    throw lost;
  };
  await assert.rejects(client.refreshTokenGrant(broken, tokens.refresh_token), (error) => error === lost || error.cause === lost);
  const again = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal(again.refresh_token, heard.refresh_token);
  const next = await client.refreshTokenGrant(config, again.refresh_token);
  assert.equal((await client.fetchUserInfo(config, next.access_token, user.id)).sub, user.id);
});

named('a secret of a file, with every character of base64, goes by Basic and by the form', async () => {
  // As `openssl rand -base64 32` makes them; Basic form-encodes it (RFC 6749 §2.3.1).
  const secret = '++//Zm9yIGEgdGVzdCBvZiBzdG9jayBjbGllbnRzIDE=';
  const [file, definitions] = ['secret', 'clients.json'].map((name) => join(services.folder, name));
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  writeFileSync(definitions, JSON.stringify([{ id: 'applied', kind: 'web', redirectUris: [HOME], secretFile: file }]));
  await services.command('client', 'apply', definitions);
  await services.known('applied', secret);
  for (const auth of [client.ClientSecretBasic(secret), client.ClientSecretPost(secret)]) {
    const { tokens, user } = await signedOn(await configured('applied', auth));
    assert.equal(tokens.claims().sub, user.id);
  }
});

named('a client that is registered while the service runs is known', async () => {
  await services.addClient('late', ['--kind', 'web', ...redirect]);
  const { tokens, user } = await signedOn(await configured('late'));
  assert.equal(tokens.claims().sub, user.id);
});

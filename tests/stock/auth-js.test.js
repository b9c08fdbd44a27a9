/** Auth.js as a web framework runs it: `Auth` answers the requests of its own paths. Its state, nonce and PKCE checks are on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Auth } from '@auth/core';
import { decodeJwt } from 'jose';
import { isHttps, listen, scheme, startServices } from './harness/services.js';
import { Visitor } from './harness/visitor.js';

let app;
let services;
let config;

/** What the adapter of a framework does. */
const handler = async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const answer = await Auth(
    new Request(new URL(incoming.url, app.url), {
      method: incoming.method,
      headers: incoming.headers,
      ...(incoming.method === 'POST' && { body: Buffer.concat(chunks) }),
    }),
    config,
  );
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => name !== 'set-cookie'));
  outgoing.writeHead(answer.status, { ...headers, 'set-cookie': answer.headers.getSetCookie() });
  outgoing.end(Buffer.from(await answer.arrayBuffer()));
};

/** The refresh of the guide “Refresh token rotation”, in the callback that it names. */
const refreshed = async (token) => {
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token.refresh_token, client_id: 'auth-js', client_secret: services.secrets['auth-js'] });
  const answer = await fetch(`${services.issuer}/oauth/token`, { method: 'POST', body });
  const tokens = await answer.json();
  if (!answer.ok) return { ...token, error: tokens.error };
  return { ...token, access_token: tokens.access_token, refresh_token: tokens.refresh_token ?? token.refresh_token };
};

before(async () => {
  app = await listen(handler);
  const callback = (id) => ['--redirect', `${app.url}/auth/callback/${id}`];
  services = await startServices({
    clients: {
      'auth-js': ['--kind', 'web', ...callback('auth-js')],
      'auth-js-post': ['--kind', 'web', ...callback('auth-js-post')],
    },
  });
  const provider = (id, client) => ({
    id,
    name: id,
    type: 'oidc',
    issuer: services.issuer,
    clientId: id,
    clientSecret: services.secrets[id],
    checks: ['pkce', 'state', 'nonce'],
    client,
  });
  config = {
    basePath: '/auth',
    trustHost: true,
    secret: 'a secret of the application, thirty-two letters long',
    useSecureCookies: isHttps,
    providers: [provider('auth-js'), provider('auth-js-post', { token_endpoint_auth_method: 'client_secret_post' })],
    callbacks: {
      jwt: ({ token, account }) => {
        if (account) return { ...token, access_token: account.access_token, refresh_token: account.refresh_token, id_token: account.id_token };
        return refreshed(token);
      },
      session: ({ session, token }) => ({ ...session, ...token }),
    },
    events: {
      // It has no end_session of its own. What its event can do without the browser is to give up its session (RFC 7009).
      signOut: async ({ token }) => {
        const body = new URLSearchParams({ token: token.refresh_token, client_id: 'auth-js', client_secret: services.secrets['auth-js'] });
        await fetch(`${services.issuer}/oauth/revoke`, { method: 'POST', body });
      },
    },
    logger: { error() {}, warn() {}, debug() {} },
  };
});
after(() => {
  app?.close();
  services?.close();
});

const anywhere = () => false;

/** From the application's own log-in page to where it leads. */
const signOn = async (visitor, id, options) => {
  const page = await visitor.open(new URL(`${app.url}/auth/signin`), anywhere);
  const button = page.forms.find(({ action }) => action.pathname === `/auth/signin/${id}`);
  const at = await visitor.submit(button, {}, anywhere);
  return visitor.signOn(at, { ...options, isAway: anywhere });
};
const session = async (visitor) => JSON.parse((await visitor.open(new URL(`${app.url}/auth/session`), anywhere)).html);

const named = (name, body) => test(`${scheme}: Auth.js: ${name}`, body);

for (const id of ['auth-js', 'auth-js-post']) {
  named(`a log-in of the provider “${id}” makes a session, by RS256`, async () => {
    const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
    const end = await signOn(visitor, id, { user });
    assert.equal(end.url.origin, app.url, end.text);
    assert.doesNotMatch(end.url.href, /error/);
    const found = await session(visitor);
    assert.equal(found.user.email, user.email);
    assert.equal(found.user.name, user.userName);
    assert.equal(decodeJwt(found.id_token).sub, user.id);
  });
}

named('who says no comes back to an error of the application', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const end = await signOn(visitor, 'auth-js', { user, decision: 'deny' });
  assert.equal(end.url.origin, app.url);
  assert.match(end.url.searchParams.get('error') ?? '', /^(OAuthCallbackError|AccessDenied)$/);
  assert.equal(await session(visitor), null);
});

named('20 parallel requests with one cookie refresh in parallel, and nobody is logged out', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  await signOn(visitor, 'auth-js', { user });
  for (let round = 0; round < 3; round += 1) {
    const all = await Promise.all(Array.from({ length: 20 }, () => session(visitor)));
    for (const found of all) {
      assert.equal(found.error, undefined);
      assert.equal(found.user.email, user.email);
    }
    assert.equal(new Set(all.map((it) => it.refresh_token)).size, 1);
  }
});

named('its signOut, with a revocation in its event, ends its own session; the browser stays signed in', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  await signOn(visitor, 'auth-js', { user });
  const { refresh_token } = await session(visitor);
  const page = await visitor.open(new URL(`${app.url}/auth/signout`), anywhere);
  await visitor.submit(page.forms.find(({ action }) => action.pathname === '/auth/signout'), {}, anywhere);
  assert.equal(await session(visitor), null);
  assert.equal((await refreshed({ refresh_token })).error, 'invalid_grant');
  // No password, since this browser is signed in.
  const end = await signOn(visitor, 'auth-js');
  assert.equal(end.url.origin, app.url, end.text);
  assert.equal((await session(visitor)).user.email, user.email);
});

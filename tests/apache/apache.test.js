/** mod_auth_openidc: a site that knows its users by Keyturn, and not a line of it was written for that. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { freePort, scheme, startServices } from '../stock/harness/services.js';
import { Visitor } from '../stock/harness/visitor.js';
import { startApache } from './server.js';

let services;
let apache;
let sites;

before(async () => {
  const ports = [await freePort(), await freePort()];
  const [query, posted] = ports.map((port) => `${scheme}://127.0.0.1:${port}`);
  sites = { query, posted };
  const words = (url) => ['--kind', 'web', '--redirect', `${url}/secure/redirect_uri`];
  services = await startServices({ clients: { apache: words(query), 'apache-post': [...words(posted), '--id-token-alg', 'ES256'] } });
  const site = (client, port, directives) => ({ port, issuer: services.issuer, client, secret: services.secrets[client], directives });
  apache = await startApache([
    site('apache', ports[0], ['OIDCProviderTokenEndpointAuth client_secret_basic']),
    site('apache-post', ports[1], ['OIDCProviderTokenEndpointAuth client_secret_post', 'OIDCResponseMode form_post', 'OIDCIDTokenSignedResponseAlg ES256']),
  ]);
});
after(async () => {
  await apache?.close();
  services?.close();
});

const isAway = () => false;
const at = (site, path) => new URL(`${sites[site]}${path}`);
/** What the site's page says of its environment. */
const environment = (page) => {
  assert.equal(page.status, 200, `${page.status} ${page.url} ${page.text}\n${apache.log()}`);
  return Object.fromEntries(page.html.match(/^\w+=.*$/gm)?.map((line) => line.split(/=(.*)/s)) ?? []);
};

const named = (name, body) => test(`${scheme}: mod_auth_openidc: ${name}`, body);

for (const [site, what] of [
  ['query', 'client_secret_basic, RS256'],
  ['posted', 'client_secret_post, form_post, ES256'],
]) {
  named(`a protected location knows who logged in: ${what}`, async () => {
    const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
    const found = environment(await visitor.signOn(at(site, '/secure/'), { user, isAway }));
    assert.equal(found.REMOTE_USER, user.email);
    assert.equal(found.OIDC_CLAIM_sub, user.id);
    assert.equal(found.OIDC_CLAIM_iss, services.issuer);
    assert.equal(found.OIDC_CLAIM_name, user.userName);
    assert.equal(found.OIDC_CLAIM_email, user.email);
    assert.ok(found.OIDC_access_token);
    // The site's own session carries the next request.
    const shown = environment(await visitor.open(at(site, '/secure/'), isAway));
    assert.equal(shown.REMOTE_USER, user.email);
  });
}

named('a location that refreshes before every request serves one after the other', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const tokens = new Set([environment(await visitor.signOn(at('query', '/secure/'), { user, isAway })).OIDC_refresh_token]);
  for (let round = 0; round < 5; round += 1) {
    const found = environment(await visitor.open(at('query', '/secure/renewed/'), isAway));
    assert.equal(found.REMOTE_USER, user.email);
    tokens.add(found.OIDC_refresh_token);
  }
  assert.equal(tokens.size, 6);
});

named('20 requests that refresh one token at once leave the user logged in, three times', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  let before = environment(await visitor.signOn(at('query', '/secure/'), { user, isAway }));
  for (let round = 0; round < 3; round += 1) {
    // The module's own hook: it refreshes if the session still has this access token, and comes back.
    const hook = at('query', '/secure/redirect_uri');
    hook.search = new URLSearchParams({ refresh: at('query', '/secure/').href, access_token: before.OIDC_access_token });
    const all = await Promise.all(Array.from({ length: 20 }, () => visitor.open(hook, isAway)));
    const refreshed = all.filter(({ url }) => url.search === '');
    assert.ok(refreshed.length > 0, all[0].url.href);
    for (const page of all) {
      assert.match(page.url.search, /^($|\?error_code=no_access_token_match)/);
      assert.equal(environment(page).REMOTE_USER, user.email);
    }
    const after = environment(await visitor.open(at('query', '/secure/'), isAway));
    assert.notEqual(after.OIDC_refresh_token, before.OIDC_refresh_token);
    before = after;
  }
  assert.doesNotMatch(apache.log(), /invalid_grant/);
});

named('who says no is not let in', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const page = await visitor.signOn(at('query', '/secure/'), { user, decision: 'deny', isAway });
  assert.equal(page.url.origin, sites.query);
  // Version 2.4.12 takes every answer with `iss` (RFC 9207) and no code for a log-in that another site begins, and says so.
  assert.match(page.text, /^Error: (access_denied|Invalid Request)/);
  assert.equal(page.html.includes('REMOTE_USER'), false);
  const again = await visitor.open(at('query', '/secure/'), isAway);
  assert.equal(again.url.origin, services.issuer, 'is asked again');
});


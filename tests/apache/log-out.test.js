/** mod_auth_openidc's log-out: its own, and what it hears of others' by the back channel. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { freePort, scheme, startServices } from '../stock/harness/services.js';
import { until } from '../stock/harness/until.js';
import { Visitor } from '../stock/harness/visitor.js';
import { startApache } from './server.js';

let services;
let apache;
let sites;

const algs = { first: 'RS256', second: 'ES256' };

before(async () => {
  sites = {};
  const ports = {};
  for (const id of Object.keys(algs)) {
    ports[id] = await freePort();
    sites[id] = `${scheme}://127.0.0.1:${ports[id]}`;
  }
  const words = (id) => {
    const hook = `${sites[id]}/secure/redirect_uri`;
    return ['--kind', 'web', '--trusted', '--id-token-alg', algs[id], '--redirect', hook, '--logout-redirect', `${sites[id]}/goodbye/`, '--backchannel', `${hook}?logout=backchannel`];
  };
  services = await startServices({ clients: Object.fromEntries(Object.keys(algs).map((id) => [id, words(id)])) });
  apache = await startApache(
    Object.entries(algs).map(([client, alg]) => ({
      port: ports[client],
      issuer: services.issuer,
      client,
      secret: services.secrets[client],
      // Both are of one host, and cookies know no ports.
      directives: [`OIDCIDTokenSignedResponseAlg ${alg}`, `OIDCCookie session_of_${client}`],
    })),
  );
});
after(async () => {
  await apache?.close();
  services?.close();
});

const isAway = () => false;
const at = (site, path = '/secure/') => new URL(sites[site] + path);
/** Whom the site knows; `undefined` where it sends to the log-in. */
const knownAt = async (visitor, site) => {
  const { left, status, html } = await visitor.open(at(site), (url) => url.origin === services.issuer);
  if (left) return undefined;
  assert.equal(status, 200, html);
  return html.match(/^REMOTE_USER=(.*)$/m)[1];
};
/** Signs in to both sites, by one password. */
const signOn = async (visitor, user) => {
  for (const id of Object.keys(algs)) {
    const page = await visitor.signOn(at(id), { user, isAway });
    assert.equal(page.url.href, at(id).href, `${page.text}\n${apache.log()}`);
    assert.equal(await knownAt(visitor, id), user.email);
  }
};
const guest = async (user) => {
  const visitor = new Visitor(services.issuer);
  await signOn(visitor, user);
  return visitor;
};
/** The module's own log-out, which is RP-initiated where the provider knows it. */
const logOut = (visitor, site) => visitor.open(at(site, `/secure/redirect_uri?logout=${encodeURIComponent(`${sites[site]}/goodbye/`)}`), isAway);
const over = (visitor, site, since) => until(() => `${site} is told\n${apache.log()}`, async () => !(await knownAt(visitor, site)), { since });

const named = (name, body) => test(`${scheme}: mod_auth_openidc: ${name}`, body);

for (const [here, there] of [['first', 'second'], ['second', 'first']]) {
  named(`the log-out of a site with ${algs[here]} comes back, and the other site is told`, async (t) => {
    const visitor = await guest(await services.register());
    const before = await services.counted('logout_deliveries');
    const page = await logOut(visitor, here);
    const since = performance.now();
    assert.equal(page.url.href, `${sites[here]}/goodbye/`, page.text);
    t.diagnostic(`${there}: over ${Math.round(await over(visitor, there, since))} ms after the first was back`);
    // The site itself is told, too, of a session that it knows no more: it takes that for done.
    const now = () => services.counted('logout_deliveries');
    await until('both sites have taken it', async () => (await now()).delivered === (before.delivered ?? 0) + 2);
    assert.equal((await now()).delayed, before.delayed);
    const asked = await visitor.open(at(here), isAway);
    assert.ok(asked.forms.some((form) => form.action.pathname === '/oauth/sign-in'), asked.text);
  });
}

named('another browser of the user, and another user, stay signed in', async () => {
  const [user, other] = [await services.register(), await services.register()];
  const [here, there, stranger] = [await guest(user), await guest(user), await guest(other)];
  await logOut(here, 'first');
  await over(here, 'second');
  assert.equal(await knownAt(stranger, 'second'), other.email);
  assert.equal(await knownAt(there, 'second'), user.email);
});

named('a session that an operator ends is over at both sites, and the next log-in lives', async () => {
  const user = await services.register();
  const visitor = await guest(user);
  await services.command('sessions', 'revoke', '--user', user.email);
  for (const id of Object.keys(algs)) await over(visitor, id);
  await signOn(visitor, user);
});

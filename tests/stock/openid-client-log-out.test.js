/** Log-out by openid-client 6, and a receiver that a program writes with a JOSE library alone. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import express from 'express';
import * as client from 'openid-client';
import { mountOpenidClient, programWords } from './harness/openid-client-program.js';
import { listen, scheme, startServices } from './harness/services.js';
import { until } from './harness/until.js';
import { Visitor } from './harness/visitor.js';

const algs = { shop: 'RS256', wiki: 'ES256' };
let programs;
let services;

before(async () => {
  programs = {};
  const servers = {};
  for (const id of Object.keys(algs)) {
    servers[id] = express();
    programs[id] = await listen(servers[id]);
  }
  const words = (id) => ['--kind', 'web', '--trusted', '--api', '--id-token-alg', algs[id], ...programWords(programs[id].url)];
  services = await startServices({ clients: Object.fromEntries(Object.keys(algs).map((id) => [id, words(id)])) });
  for (const [id, alg] of Object.entries(algs)) {
    Object.assign(programs[id], await mountOpenidClient(servers[id], { id, url: programs[id].url, services, alg }));
  }
});
after(() => {
  for (const program of Object.values(programs ?? {})) program.close();
  services?.close();
});

const isAway = () => false;
const open = (visitor, id, path = '/') => visitor.open(new URL(programs[id].url + path), isAway);
const shownBy = async (visitor, id) => {
  const page = await open(visitor, id);
  return page.status === 200 ? JSON.parse(page.html) : undefined;
};
/** Somebody new, signed in to both programs: `{user, visitor, shop, wiki}`. */
const guest = async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  for (const id of Object.keys(algs)) {
    const end = await visitor.signOn(new URL(`${programs[id].url}/log-in`), { user, isAway });
    assert.equal(end.status, 200, end.text);
  }
  return { user, visitor, shop: await shownBy(visitor, 'shop'), wiki: await shownBy(visitor, 'wiki') };
};
const toldOf = (id, { sub }) => programs[id].told.filter((claims) => claims.sub === sub);
/** Waits until both receivers have taken their news of a guest. */
const bothTold = async (visitor, { shop, wiki }, since) => {
  const took = {};
  for (const [id, found] of Object.entries({ shop, wiki })) {
    took[id] = await until(() => `${id} is told: ${programs[id].faults}`, async () => !(await shownBy(visitor, id)) && toldOf(id, found).length, { since });
    assert.equal(await shownBy(visitor, id), undefined);
  }
  return took;
};
const refuses = (id, { refreshToken }) =>
  assert.rejects(client.refreshTokenGrant(programs[id].config, refreshToken), (error) => {
    assert.deepEqual([error.error, error.cause.code], ['invalid_grant', 'session_revoked']);
    return true;
  });

const named = (name, body) => test(`${scheme}: openid-client: ${name}`, body);

for (const [id, other] of [['shop', 'wiki'], ['wiki', 'shop']]) {
  named(`buildEndSessionUrl of a client with ${algs[id]} signs out at once and comes back with the state`, async (t) => {
    const { visitor, shop, wiki } = await guest();
    const shown = visitor.shown;
    const page = await open(visitor, id, '/log-out?state=a+b%26c');
    const since = performance.now();
    assert.equal(page.url.href, `${programs[id].url}/goodbye?state=a+b%26c`);
    assert.equal(visitor.shown, shown + 1, 'no page between');
    await refuses('shop', shop);
    await refuses('wiki', wiki);
    const took = await bothTold(visitor, { shop, wiki }, since);
    t.diagnostic(`${other} told after ${Math.round(took[other])} ms, itself after ${Math.round(took[id])} ms`);
    // No silent log-in, for either.
    for (const it of ['shop', 'wiki']) assert.deepEqual(JSON.parse((await open(visitor, it, '/silent')).html), { error: 'login_required' });
  });
}

named('what receivers get is verified by jose: once each, of the session that ended, with a jti of its own', async () => {
  const [first, second] = [await guest(), await guest()];
  await open(first.visitor, 'shop', '/log-out');
  await bothTold(first.visitor, first);
  const claims = Object.keys(algs).flatMap((id) => toldOf(id, first[id]));
  assert.equal(claims.length, 2);
  for (const { sid, sub } of claims) assert.deepEqual({ sid, sub }, { sid: first.shop.sid, sub: first.user.id });
  assert.equal(new Set(claims.map(({ jti }) => jti)).size, 2);
  for (const id of Object.keys(algs)) {
    assert.deepEqual(programs[id].faults, []);
    assert.equal(toldOf(id, second[id]).length, 0);
    assert.ok(await shownBy(second.visitor, id), 'somebody else is signed in');
  }
});

named('an id_token of a refresh is as good a hint as the first one', async () => {
  const { visitor, shop } = await guest();
  const tokens = await client.refreshTokenGrant(programs.shop.config, shop.refreshToken);
  const to = client.buildEndSessionUrl(programs.shop.config, { post_logout_redirect_uri: `${programs.shop.url}/goodbye`, id_token_hint: tokens.id_token });
  const page = await visitor.open(to, isAway);
  assert.equal(page.url.href, `${programs.shop.url}/goodbye`);
  await refuses('shop', { refreshToken: tokens.refresh_token });
});

named('without a hint the user is asked first, and then comes back', async () => {
  const { visitor, shop, wiki } = await guest();
  const asked = await open(visitor, 'shop', '/log-out-unshown?state=s');
  assert.equal(asked.url.origin, services.issuer);
  const form = asked.forms.find(({ action }) => action.pathname === '/oauth/sign-out');
  assert.ok(form, asked.text);
  // Who is asked and leaves is signed in still: the other program knows nothing of it.
  await client.refreshTokenGrant(programs.wiki.config, wiki.refreshToken);
  assert.ok(await shownBy(visitor, 'wiki'));
  const page = await visitor.submit(form, { decision: 'allow' }, isAway);
  assert.equal(page.url.href, `${programs.shop.url}/goodbye?state=s`);
  await refuses('shop', shop);
  await bothTold(visitor, { shop, wiki });
});

named('an address that is not registered is a fault, and nobody is signed out', async () => {
  const { visitor, shop } = await guest();
  const to = client.buildEndSessionUrl(programs.shop.config, { post_logout_redirect_uri: `${programs.shop.url}/goodbye/`, id_token_hint: shop.idToken });
  const page = await visitor.open(to, isAway);
  assert.equal(page.status, 400);
  assert.equal(page.url.origin, services.issuer);
  await client.refreshTokenGrant(programs.shop.config, shop.refreshToken);
});

named('a request of the program’s server, without the browser, comes back and ends nothing', async () => {
  const { visitor, shop, wiki } = await guest();
  const to = client.buildEndSessionUrl(programs.shop.config, { post_logout_redirect_uri: `${programs.shop.url}/goodbye`, id_token_hint: shop.idToken });
  const answer = await fetch(to, { redirect: 'manual' });
  assert.equal(answer.status, 302);
  assert.equal(answer.headers.get('location'), `${programs.shop.url}/goodbye`);
  // What a server can do is to give up its own session.
  await client.tokenRevocation(programs.shop.config, shop.refreshToken);
  await refuses('shop', shop);
  await client.refreshTokenGrant(programs.wiki.config, wiki.refreshToken);
  assert.ok(await shownBy(visitor, 'wiki'));
});

/**
 * The whole of it: one browser signed in to three programs and two APIs. It signs out in one of them; both APIs refuse
 * everything, every program is told, and nothing that was on its way brings it back. How long it takes from the last answer
 * of `/oauth/logout` is printed: less than a second, where the machine has time for it.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import express from 'express';
import * as client from 'openid-client';
import { launchChromium, signIn } from './harness/chromium.js';
import { expressWords, mountExpressOpenidConnect } from './harness/express-openid-connect.js';
import { mountOpenidClient, programWords } from './harness/openid-client-program.js';
import { listen, scheme, startServices } from './harness/services.js';
import { listenSinglePage, singlePageWords } from './harness/single-page.js';
import { until } from './harness/until.js';

/** For how long it is tried again to come back, in milliseconds. */
const AFTERWARDS = 3_000;

let services;
let browser;
let ledger;
let shop;
let spa;

before(async () => {
  const servers = [express(), express()];
  [ledger, shop, spa] = [await listen(servers[0]), await listen(servers[1]), await listenSinglePage(() => ({ authority: services.issuer }))];
  const web = ['--kind', 'web', '--trusted', '--api'];
  const clients = {
    ledger: [...web, ...expressWords(ledger.url)],
    shop: [...web, ...programWords(shop.url)],
    spa: ['--kind', 'browser', '--trusted', '--api', ...singlePageWords(spa.url)],
  };
  [services, browser] = await Promise.all([startServices({ clients, apis: 2 }), launchChromium()]);
  Object.assign(ledger, mountExpressOpenidConnect(servers[0], { id: 'ledger', url: ledger.url, services }));
  Object.assign(shop, await mountOpenidClient(servers[1], { id: 'shop', url: shop.url, services }));
});
after(async () => {
  await browser?.close();
  for (const it of [ledger, shop, spa]) it?.close();
  services?.close();
});

/** What a program's page shows, as JSON; nothing to whom it does not know. */
const shown = async (tab, url) => {
  const answer = await tab.goto(url);
  return answer.status() === 200 ? answer.json() : undefined;
};
/** As the browser's cookie sees it, beside all tabs. */
const isIn = async ({ context }, program) => (await context.request.get(`${program.url}/`)).status() === 200;

/** Somebody new, signed in to all three in a browser of its own, by one password. */
const guest = async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  context.setDefaultTimeout(30_000);
  const [tab, user] = [await context.newPage(), await services.register()];
  await tab.goto(`${ledger.url}/login`);
  await signIn(tab, user);
  await tab.waitForURL((url) => url.origin === ledger.url && url.pathname === '/');
  const atLedger = await shown(tab, `${ledger.url}/`);
  const atShop = await shown(tab, `${shop.url}/log-in`);
  const page = await context.newPage();
  await page.goto(`${spa.url}/`);
  await page.evaluate(() => void manager.signinRedirect());
  await page.waitForURL((url) => url.pathname === '/callback');
  assert.deepEqual(await page.evaluate(() => window.done), [{ email: user.email }]);
  const atSpa = await page.evaluate(async () => ({ ...(await manager.getUser()) }));
  const tokens = {
    ledger: { access: atLedger.accessToken, refresh: atLedger.refreshToken },
    shop: { access: atShop.accessToken, refresh: atShop.refreshToken },
    spa: { access: atSpa.access_token, refresh: atSpa.refresh_token },
  };
  return { context, tab, page, user, tokens };
};

/** What an API says of an access token. */
const statusAt = async (api, access) => (await fetch(`${api}/api/me`, { headers: { Authorization: `Bearer ${access}` } })).status;

/** A refresh as the client sends it: the tokens, or the error. */
const refresh = async (id, refresh_token) => {
  const secret = services.secrets[id];
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: id, refresh_token, ...(secret && { client_secret: secret }) });
  return (await fetch(`${services.issuer}/oauth/token`, { method: 'POST', body })).json();
};

/** An answer for a program that has not come to it: its address, and what its exchange needs. It asks for no page. */
const inHand = async (guest) => {
  const { config } = shop;
  const [pkceCodeVerifier, expectedState] = [client.randomPKCECodeVerifier(), client.randomState()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: `${shop.url}/callback`,
    scope: 'openid',
    prompt: 'none',
    state: expectedState,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  });
  const answer = await guest.context.request.get(url.href, { maxRedirects: 0 });
  assert.equal(answer.status(), 302);
  return { left: new URL(answer.headers().location), checks: { pkceCodeVerifier, expectedState, idTokenExpected: true } };
};

/** The sign-outs, each by its program: they return when the browser is back there. */
const ways = {
  'express-openid-connect': async ({ tab }) => {
    await tab.goto(`${ledger.url}/logout`);
    assert.equal(tab.url(), `${ledger.url}/`);
  },
  'openid-client': async ({ tab }) => {
    await tab.goto(`${shop.url}/log-out`);
    assert.equal(new URL(tab.url()).pathname, '/goodbye');
  },
  'oidc-client-ts': async ({ page }) => {
    await page.evaluate(() => void manager.signoutRedirect());
    await page.waitForURL((url) => url.pathname === '/goodbye');
  },
};

for (const [way, signOut] of Object.entries(ways)) {
  test(`${scheme}: one browser, three programs, two APIs: signed out by ${way}, everything is over, and stays over`, async (t) => {
    const somebody = await guest(t);
    const { context, user, tokens } = somebody;
    const bystander = await guest(t);
    const granted = Object.entries(tokens);
    for (const api of services.apis) for (const [id, { access }] of granted) assert.equal(await statusAt(api, access), 200, `${id} at ${api}`);
    const codes = [await inHand(somebody), await inHand(somebody)];
    for (const { left } of codes) assert.ok(left.searchParams.get('code'));

    // The last answer of /oauth/logout is where time begins.
    let answered;
    context.on('response', (response) => {
      if (new URL(response.url()).pathname === '/oauth/logout') answered = performance.now();
    });
    // On its way while it signs out: refreshes of everything, an exchange, and silent log-ins.
    const onTheWay = [...granted, ...granted, ...granted].map(([id, { refresh: token }]) => refresh(id, token).then((answer) => ({ id, ...answer })));
    const exchange = client.authorizationCodeGrant(shop.config, codes[0].left, codes[0].checks).then((it) => ({ id: 'shop', ...it }), (error) => ({ error: error.error }));
    const silent = Array.from({ length: 3 }, () => inHand(somebody));
    await signOut(somebody);
    assert.ok(answered, 'the browser was at /oauth/logout');

    const took = {};
    const timed = async (what, ask) => (took[what] = Math.round(await until(what, ask, { since: answered, within: 5_000 })));
    const refused = (api) => async () => (await Promise.all(granted.map(([, { access }]) => statusAt(api, access)))).every((status) => status === 401);
    await Promise.all([
      ...services.apis.map((api, n) => timed(`API ${n + 1} refuses all`, refused(api))),
      timed('express-openid-connect is told', async () => !(await isIn(somebody, ledger)) && ledger.told.some(({ sub }) => sub === user.id)),
      timed('openid-client is told', async () => !(await isIn(somebody, shop)) && shop.told.some(({ sub }) => sub === user.id)),
    ]);
    t.diagnostic(JSON.stringify(took));

    // What came of that which was on its way is as much over as the rest.
    const came = (await Promise.all([...onTheWay, exchange])).filter(({ access_token }) => access_token);
    t.diagnostic(`${came.length} of ${onTheWay.length + 1} that were on their way had got tokens`);
    const all = [...granted.map(([id, { access, refresh }]) => ({ id, access, refresh })), ...came.map((it) => ({ id: it.id, access: it.access_token, refresh: it.refresh_token }))];
    codes.push(...(await Promise.all(silent)));
    const page = await context.newPage();
    let rounds = 0;
    for (const begun = performance.now(); performance.now() - begun < AFTERWARDS; rounds += 1) {
      for (const { id, access, refresh: token } of all) {
        for (const api of services.apis) assert.equal(await statusAt(api, access), 401, `an access token of ${id}`);
        const { error, code } = await refresh(id, token);
        assert.equal(error, 'invalid_grant', `a refresh token of ${id}: ${code}`);
      }
      for (const { left, checks } of codes) {
        const error = left.searchParams.has('code') ? 'invalid_grant' : 'login_required';
        await assert.rejects(client.authorizationCodeGrant(shop.config, left, { ...checks }), { error });
      }
      // The libraries' own silent ways.
      assert.equal(await shown(page, `${ledger.url}/silent`), undefined);
      assert.equal(page.url(), `${ledger.url}/#_`, 'was at the service, which leaves its mark');
      assert.deepEqual(await (await page.goto(`${shop.url}/silent`)).json(), { error: 'login_required' });
      await page.goto(`${spa.url}/`);
      const said = await page.evaluate(() => said(manager.getUser().then((user) => user && manager.signinSilent())));
      assert.deepEqual(said, way === 'oidc-client-ts' ? { email: null } : { error: 'invalid_grant' });
      for (const program of [ledger, shop]) assert.equal(await isIn(somebody, program), false);
    }
    t.diagnostic(`${rounds} rounds of trying in ${AFTERWARDS} ms`);

    // Each was told of it once, and nobody else is out.
    for (const { told } of [ledger, shop]) assert.equal(told.filter(({ sub }) => sub === user.id).length, 1);
    for (const program of [ledger, shop]) assert.equal(await isIn(bystander, program), true);
    for (const [id, { access }] of Object.entries(bystander.tokens)) assert.equal(await statusAt(services.api, access), 200, id);
  });
}

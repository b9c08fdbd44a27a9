/** Signing out of everything in a browser: from an app on another origin, and on the page that asks. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { appServer, arrived, decide, enter, heading, openApp, requestOf, startApp } from './sign-on-pages.js';
import { stage, stored } from './support.js';

const app = await appServer();
const s = await stage({ OTHER_ORIGIN: app.origin });
const SHOP = { clientId: 'shop', scope: 'openid email profile', redirectUri: app.callback };
const REQUEST = { client_id: 'shop', redirect_uri: app.callback };

/** Somebody who is signed in to the shop, in a page of it. */
const signedIn = async (t, options) => {
  const user = await s.register();
  const profile = await s.profile(t, options);
  const page = await openApp(s, profile.context, app.callback);
  await page.evaluate((shop) => client.loginWithRedirect(shop), SHOP);
  await enter(page, user);
  await decide(page, 'allow');
  await arrived(page, app.callback);
  await startApp(s, page);
  await page.evaluate(() => client.handleRedirect());
  return { user, profile, page, pair: await stored(page) };
};

/** What the client is told when nobody may be asked anything. */
const silently = async (page) => {
  await page.goto(requestOf(s.authUrl, { ...REQUEST, prompt: 'none' }));
  return (await arrived(page, app.callback)).error;
};

/** Signs out by the client, and waits until the tab is where that leads. */
const leave = (page, redirect, url) =>
  Promise.all([page.waitForNavigation({ url }), page.evaluate((redirect) => void client.logout({ redirect }), redirect)]);

const refused = async ({ accessToken }) => {
  const start = performance.now();
  const ask = () => fetch(s.home, { headers: { Authorization: `Bearer ${accessToken}` } });
  let answer = await ask();
  while (answer.ok && performance.now() - start < 1000) answer = await ask();
  return answer.headers.get('act');
};

test('logout({redirect}) signs the browser out without a question and comes back; nothing signs in silently then', async (t) => {
  const { page, pair } = await signedIn(t);
  await leave(page, true, app.callback);
  assert.equal(await refused(pair), 'revoked');
  await startApp(s, page);
  assert.equal(await stored(page), null);
  assert.equal(await silently(page), 'login_required');
});

test('logout({redirect}) elsewhere than registered is told on a page, and the browser stays signed on', async (t) => {
  const { page, pair } = await signedIn(t);
  await leave(page, 'https://evil.example/', (url) => url.pathname === '/oauth/logout');
  assert.match(await page.locator('main').innerText(), /invalid_request/);
  assert.equal(await refused(pair), 'revoked', 'the app’s own session has ended all the same');
  assert.equal(await silently(page), undefined);
});

test('whoever comes without a token of this browser is asked: Stay leads back, the button signs out and leads back', async (t) => {
  for (const javaScriptEnabled of [true, false]) {
    const { user, profile, page, pair } = await signedIn(t);
    const other = await profile.context.browser().newContext({ javaScriptEnabled, storageState: await profile.context.storageState() });
    t.after(() => other.close());
    const tab = await other.newPage();
    const ask = () => tab.goto(`${s.authUrl}/oauth/logout?${new URLSearchParams({ client_id: 'shop', post_logout_redirect_uri: app.callback, state: 'a b' })}`);
    await ask();
    assert.equal(await heading(tab), 'Sign out of everything in this browser?');
    assert.match(await tab.locator('main').innerText(), new RegExp(user.email));
    await tab.getByRole('link', { name: 'Stay signed in' }).click();
    assert.deepEqual(await arrived(tab, app.callback), { state: 'a b' });
    assert.equal(await silently(page), undefined, 'still signed on');
    await ask();
    await tab.getByRole('button', { name: 'Sign out' }).click();
    assert.deepEqual(await arrived(tab, app.callback), { state: 'a b' });
    assert.equal(await refused(pair), 'revoked');
    assert.equal(await silently(tab), 'login_required');
    await tab.goto(`${s.authUrl}/oauth/logout`);
    assert.equal(await heading(tab), 'You are signed out');
  }
});

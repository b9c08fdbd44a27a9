/** The client of an app on another origin: to the log-in page and back, and what becomes of such a session. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { appServer, arrived, decide, enter, openApp, startApp } from './sign-on-pages.js';
import { expire, heard, stage, stored } from './support.js';

const app = await appServer();
const s = await stage({ OTHER_ORIGIN: app.origin });
const tokenUrl = `${s.authUrl}/oauth/token`;
const SHOP = { clientId: 'shop', scope: 'openid email profile', redirectUri: app.callback };

/** Sends the tab to the log-in page, or through it. */
const leave = (page, options) => page.evaluate((options) => client.loginWithRedirect(options), { ...SHOP, ...options });

/** What `handleRedirect` gives in the page that came back, as plain data. */
const finish = async (page, options) => {
  await startApp(s, page, options);
  return page.evaluate(() =>
    client.handleRedirect().then(
      (session) => session && { email: session.claims.email, accessToken: session.accessToken },
      ({ name, code, reason, problem, status }) => ({ name, code, reason, problem, status }),
    ),
  );
};

/** Through the log-in page and the question whether the shop may. */
const pass = async (page, user, options) => {
  await leave(page, options);
  await enter(page, user);
  await decide(page, 'allow');
  await arrived(page, app.callback);
};

/** The app's requests to the token endpoint, by grant. */
const grants = (profile) =>
  profile.sent
    .filter((request) => request.url() === tokenUrl && request.method() === 'POST')
    .map((request) => Object.fromEntries(new URLSearchParams(request.postData())))
    .map(({ grant_type, refresh_token }) => refresh_token ?? grant_type);

/** Somebody who is signed in to the shop. */
const signedIn = async (t) => {
  const user = await s.register();
  const profile = await s.profile(t);
  const page = await openApp(s, profile.context, app.callback);
  await pass(page, user);
  assert.equal((await finish(page)).email, user.email);
  return { user, profile, page, pair: await stored(page) };
};

const named = (page, name) => page.evaluate((name) => events.filter((event) => event.name === name), name);
const call = (page) => page.evaluate(() => call());

test('log-in page and back: returnTo with query and hash, no code and no #_ left; Back and reload change nothing', async (t) => {
  const user = await s.register();
  const profile = await s.profile(t);
  const page = await openApp(s, profile.context, `${app.callback}?tab=2#part`);
  await pass(page, user);
  assert.match(page.url(), /[?&]code=.*#_$/);
  assert.equal((await finish(page)).email, user.email);
  assert.equal(page.url(), `${app.callback}?tab=2#part`);
  assert.deepEqual((await named(page, 'signedIn')).map(({ remote }) => remote), [false]);
  assert.deepEqual(await page.evaluate(() => Object.keys(sessionStorage)), [], 'verifier and state are gone');
  assert.equal((await call(page)).status, 200);
  const pair = await stored(page);
  assert.equal(pair.clientId, 'shop');

  await page.reload();
  assert.equal(await finish(page), null);
  assert.equal(page.url(), `${app.callback}?tab=2#part`);
  // Back, to where the log-in page was: the browser is signed on, so it comes back with a code that nobody asked for.
  await page.goBack();
  await arrived(page, app.callback);
  assert.equal(await finish(page), null);
  assert.deepEqual(await stored(page), pair);
  assert.deepEqual(grants(profile), ['authorization_code']);
  assert.equal((await call(page)).status, 200);
});

test('whoever is signed on passes through without a page, and comes back with a session of its own', async (t) => {
  const { user, profile, page, pair } = await signedIn(t);
  const before = profile.sent.length;
  await leave(page, { scope: 'openid email' });
  await arrived(page, app.callback);
  assert.equal((await finish(page)).email, user.email);
  assert.notEqual((await stored(page)).accessToken, pair.accessToken);
  const documents = profile.sent.slice(before).filter((request) => request.isNavigationRequest());
  assert.deepEqual(documents.map((request) => new URL(request.url()).pathname), ['/oauth/authorize', '/cb']);
});

test('prompt none shows nothing: login_required for whoever is not signed on, a code for whoever is', async (t) => {
  const profile = await s.profile(t);
  const page = await openApp(s, profile.context, app.callback);
  await leave(page, { prompt: 'none' });
  await arrived(page, app.callback);
  const refused = await finish(page);
  assert.deepEqual([refused.code, refused.reason], ['refused', 'login_required']);
  assert.equal(page.url(), app.callback);
  assert.deepEqual(grants(profile), []);

  const known = await signedIn(t);
  await leave(known.page, { prompt: 'none' });
  await arrived(known.page, app.callback);
  assert.equal((await finish(known.page)).email, known.user.email);
});

test('consent denied: access_denied, and whoever was signed in still is', async (t) => {
  const user = await s.register();
  const profile = await s.profile(t);
  const page = await openApp(s, profile.context, app.callback);
  await page.evaluate((user) => client.login(user), user);
  const pair = await stored(page);
  await leave(page);
  await enter(page, user);
  await decide(page, 'deny');
  await arrived(page, app.callback);
  const refused = await finish(page);
  assert.deepEqual([refused.name, refused.code, refused.reason], ['TokenError', 'refused', 'access_denied']);
  assert.deepEqual(await stored(page), pair);
  assert.deepEqual(grants(profile), []);
  // Asked again, for a no is not remembered.
  await leave(page);
  await page.locator('button[name=decision]').first().waitFor();
});

test('six tabs of an app with an expired token: the service sees one refresh', async (t) => {
  const { profile, page, pair } = await signedIn(t);
  const tabs = [page];
  for (let i = 1; i < 6; i += 1) tabs.push(await openApp(s, profile.context, app.callback));
  await expire(profile.context, s.home, pair.accessToken);
  const before = await s.counted('rotated');
  const answers = await Promise.all(tabs.map((tab) => tab.evaluate(() => Promise.all([call(), call(), call(), call(), call()]))));
  assert.deepEqual([...new Set(answers.flat().map(({ status }) => status))], [200]);
  assert.deepEqual(grants(profile), ['authorization_code', pair.refreshToken]);
  assert.equal((await s.counted('rotated')) - before, 1);
});

test('the answer of a refresh is lost: the same refresh token is sent once more, and has the same successor', async (t) => {
  const { profile, page, pair } = await signedIn(t);
  await expire(profile.context, s.home, pair.accessToken);
  let lost;
  await profile.context.route(
    tokenUrl,
    async (route) => {
      lost = await (await route.fetch()).json();
      await route.abort();
    },
    { times: 1 },
  );
  const before = await s.counted('rotated');
  assert.equal((await call(page)).status, 200);
  assert.deepEqual(grants(profile), ['authorization_code', pair.refreshToken, pair.refreshToken]);
  assert.equal((await stored(page)).refreshToken, lost.refresh_token);
  assert.equal((await s.counted('rotated')) - before, 1);
  assert.deepEqual(await named(page, 'signedOut'), []);
});

test('the answer of the exchange is lost: unavailable, nobody is signed in, and the button brings the next one', async (t) => {
  const user = await s.register();
  const profile = await s.profile(t);
  const page = await openApp(s, profile.context, app.callback);
  await pass(page, user);
  await profile.context.route(
    tokenUrl,
    async (route) => {
      assert.equal((await route.fetch()).status(), 200);
      await route.abort();
    },
    { times: 1 },
  );
  const { code, status } = await finish(page);
  assert.deepEqual([code, status], ['unavailable', 0]);
  assert.equal(page.url(), app.callback);
  assert.equal(await stored(page), null);
  assert.equal(await finish(page), null, 'a code is not sent twice');
  await leave(page);
  await arrived(page, app.callback);
  assert.equal((await finish(page)).email, user.email);
  assert.deepEqual(grants(profile), ['authorization_code', 'authorization_code']);
  assert.equal((await call(page)).status, 200);
});

test('handleRedirect twice at once, as under StrictMode: one exchange with one result; later there is none', async (t) => {
  const user = await s.register();
  const profile = await s.profile(t);
  const page = await openApp(s, profile.context, app.callback);
  await pass(page, user);
  await startApp(s, page);
  const [first, second, later] = await page.evaluate(async () => {
    const both = await Promise.all([client.handleRedirect(), client.handleRedirect()]);
    return [...both.map(({ accessToken }) => accessToken), await client.handleRedirect()];
  });
  assert.equal(first, second);
  assert.equal(later, null);
  assert.deepEqual(grants(profile), ['authorization_code']);
  assert.equal((await named(page, 'signedIn')).length, 1);
});

test('log-out: the session is revoked, and the API refuses its token within a second; the browser stays signed on', async (t) => {
  const { user, profile, page, pair } = await signedIn(t);
  const asked = page.waitForRequest(`${s.authUrl}/oauth/revoke`);
  const answered = page.waitForResponse(`${s.authUrl}/oauth/revoke`);
  await page.evaluate(() => client.logout());
  assert.equal(new URLSearchParams((await asked).postData()).get('token'), pair.refreshToken);
  assert.equal((await answered).status(), 200);
  const start = performance.now();
  const ask = () => fetch(s.home, { headers: { Authorization: `Bearer ${pair.accessToken}` } });
  let answer = await ask();
  while (answer.ok && performance.now() - start < 1000) answer = await ask();
  assert.deepEqual([answer.status, answer.headers.get('act')], [401, 'revoked']);
  assert.deepEqual((await named(page, 'signedOut')).map(({ reason }) => reason), ['logout']);
  assert.equal(await stored(page), null);
  assert.deepEqual(profile.logouts(), [], 'an account’s door is not asked');
  await leave(page, { prompt: 'none' });
  await arrived(page, app.callback);
  assert.equal((await finish(page)).email, user.email);
});

test('a session of an app and one of login() take turns under one key, each refreshed at its own door, in every tab', async (t) => {
  const { user, profile, page, pair } = await signedIn(t);
  const other = await openApp(s, profile.context, app.callback);
  const turn = async (tab) => (await tab.evaluate(() => client.refresh().then(() => localStorage.getItem('token-session')))) && stored(tab);

  await page.evaluate((user) => client.login(user), user);
  await heard(other, 'signedIn', true);
  assert.equal((await stored(other)).clientId, undefined);
  await turn(other);
  assert.equal(profile.refreshes().length, 1);
  assert.deepEqual(grants(profile), ['authorization_code']);

  await leave(page);
  await arrived(page, app.callback);
  assert.equal((await finish(page)).email, user.email);
  await other.waitForFunction(() => events.filter(({ name, remote }) => name === 'signedIn' && remote).length === 2);
  const app2 = await stored(other);
  assert.equal(app2.clientId, 'shop');
  assert.notEqual(app2.refreshToken, pair.refreshToken);
  await turn(other);
  assert.deepEqual(grants(profile), ['authorization_code', 'authorization_code', app2.refreshToken]);
  assert.equal(profile.refreshes().length, 1);

  await page.evaluate((user) => client.login(user), user);
  await turn(page);
  assert.equal(profile.refreshes().length, 2);
  assert.equal((await call(page)).status, 200);
});

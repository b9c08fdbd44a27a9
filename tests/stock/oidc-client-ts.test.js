/** oidc-client-ts 3 in a real Chromium: a single-page application of another site than the issuer's. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { giveConsent, launchChromium, signIn } from './harness/chromium.js';
import { scheme, startServices } from './harness/services.js';
import { listenSinglePage, singlePageWords } from './harness/single-page.js';

let app;
let services;
let browser;

before(async () => {
  app = await listenSinglePage(() => ({ authority: services.issuer }));
  [services, browser] = await Promise.all([startServices({ clients: { spa: ['--kind', 'browser', ...singlePageWords(app.url)] } }), launchChromium()]);
});
after(async () => {
  await browser?.close();
  app?.close();
  services?.close();
});

/** A profile with a fresh user and a tab that stands on the application. */
const opened = async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  context.setDefaultTimeout(30_000);
  const tab = await context.newPage();
  await tab.goto(`${app.url}/`);
  return { context, tab, user: await services.register() };
};

/** The redirect flow, up to a callback page: what it says. */
const signedIn = async (tab, user, callback = '/callback') => {
  await tab.evaluate((redirect_uri) => void manager.signinRedirect({ redirect_uri }), app.url + callback);
  await signIn(tab, user);
  await giveConsent(tab);
  await tab.waitForURL((url) => url.pathname === callback);
  return tab.evaluate(() => window.done);
};

const refreshToken = (tab) => tab.evaluate(async () => (await manager.getUser()).refresh_token);
const refreshed = (tab) => tab.evaluate(() => said(manager.signinSilent()));
/** That the token in the store opens userinfo. */
const works = async (tab, user) => {
  const info = await tab.evaluate(async (issuer) => {
    const { access_token } = await manager.getUser();
    return (await fetch(`${issuer}/oauth/userinfo`, { headers: { Authorization: `Bearer ${access_token}` } })).json();
  }, services.issuer);
  assert.equal(info.email, user.email, JSON.stringify(info));
};

/** Holds the requests of a context to the token endpoint until so many are there. */
const together = async (context, count) => {
  let waiting = [];
  await context.route(`${services.issuer}/oauth/token`, (route) => {
    waiting.push(route);
    if (waiting.length < count) return;
    const all = waiting;
    waiting = [];
    for (const route of all) route.continue();
  });
};

const named = (name, body) => test(`${scheme}: oidc-client-ts in Chromium: ${name}`, body);

named('a log-in by redirect, userinfo, and a silent refresh by refresh token', async (t) => {
  const { tab, user } = await opened(t);
  assert.deepEqual(await signedIn(tab, user), [{ email: user.email }]);
  const before = await refreshToken(tab);
  assert.deepEqual(await refreshed(tab), { email: user.email });
  assert.notEqual(await refreshToken(tab), before);
  await works(tab, user);
});

named('a log-in in a popup', async (t) => {
  const { tab, user } = await opened(t);
  const [popup] = await Promise.all([tab.waitForEvent('popup'), tab.evaluate(() => void (window.popped = said(manager.signinPopup())))]);
  await signIn(popup, user);
  await Promise.all([popup.waitForEvent('close'), giveConsent(popup)]);
  assert.deepEqual(await tab.evaluate(() => window.popped), { email: user.email });
  await works(tab, user);
});

named('who says no is an access_denied of the library', async (t) => {
  const { tab, user } = await opened(t);
  await tab.evaluate(() => void manager.signinRedirect());
  await signIn(tab, user);
  await tab.click('button[name=decision][value=deny]');
  await tab.waitForURL((url) => url.pathname === '/callback');
  assert.deepEqual(await tab.evaluate(() => window.done), [{ error: 'access_denied' }]);
});

named('six tabs with one user store refresh at the same moment, three times, and all go on', async (t) => {
  const { context, tab, user } = await opened(t);
  await signedIn(tab, user);
  const tabs = [tab, ...(await Promise.all(Array.from({ length: 5 }, () => context.newPage())))];
  await Promise.all(tabs.map((tab) => tab.goto(`${app.url}/`)));
  await together(context, tabs.length);
  let before = await refreshToken(tab);
  for (let round = 0; round < 3; round += 1) {
    const all = await Promise.all(tabs.map(refreshed));
    assert.deepEqual(all, tabs.map(() => ({ email: user.email })));
    const after = new Set(await Promise.all(tabs.map(refreshToken)));
    assert.equal(after.size, 1);
    assert.ok(!after.has(before));
    [before] = after;
  }
  await Promise.all(tabs.map((tab) => works(tab, user)));
});

named('a tab that renews by its own timer and one that renews by hand do not meet', async (t) => {
  const { context, tab, user } = await opened(t);
  await signedIn(tab, user);
  const other = await context.newPage();
  await other.goto(`${app.url}/`);
  await other.evaluate(() => {
    // Due at once, as in a tab that slept through the time before the end.
    window.renewed = new Promise((resolve) => manager.events.addUserLoaded((user) => resolve(user.profile.email)));
    manager.startSilentRenew();
    return manager.getUser().then((user) => {
      user.expires_in = 1;
      return manager.events.load(user);
    });
  });
  assert.deepEqual(await refreshed(tab), { email: user.email });
  assert.equal(await other.evaluate(() => window.renewed), user.email);
  await works(other, user);
  assert.deepEqual(await refreshed(other), { email: user.email });
});

named('an answer that is lost on the way costs nothing: the next refresh goes on', async (t) => {
  const { context, tab, user } = await opened(t);
  await signedIn(tab, user);
  const url = `${services.issuer}/oauth/token`;
  let lost = 0;
  await context.route(url, async (route) => {
    const answer = await route.fetch();
    assert.equal(answer.status(), 200);
    lost += 1;
    await route.abort('connectionreset');
  });
  assert.ok((await refreshed(tab)).error);
  assert.equal(lost, 1);
  await context.unroute(url);
  assert.deepEqual(await refreshed(tab), { email: user.email });
  await works(tab, user);
});

named('a callback that runs twice (React StrictMode) leaves one log-in that lives', async (t) => {
  const { context, tab, user } = await opened(t);
  let exchanges = 0;
  context.on('request', (request) => (exchanges += Number(request.url() === `${services.issuer}/oauth/token` && request.method() === 'POST')));
  const said = await signedIn(tab, user, '/strict');
  assert.equal(said.filter((it) => it.email === user.email).length, 1, JSON.stringify(said));
  assert.equal(said.filter((it) => it.error).length, 1, JSON.stringify(said));
  t.diagnostic(`${exchanges} exchanges, and ${said.find((it) => it.error).error}`);
  await works(tab, user);
  assert.deepEqual(await refreshed(tab), { email: user.email });
  await works(tab, user);
});

named('the back button leads to a callback that was used: an error of the library, and the log-in lives', async (t) => {
  const { tab, user } = await opened(t);
  await signedIn(tab, user);
  await tab.goto(`${app.url}/`);
  await tab.goBack();
  await tab.waitForURL((url) => url.pathname === '/callback');
  const [said] = await tab.evaluate(() => window.done);
  assert.match(said.error, /state/i);
  await tab.goto(`${app.url}/`);
  await works(tab, user);
  assert.deepEqual(await refreshed(tab), { email: user.email });
});

named('the back button to the log-in page goes on without a password', async (t) => {
  const { tab, user } = await opened(t);
  await tab.evaluate(() => void manager.signinRedirect());
  await signIn(tab, user);
  await tab.waitForSelector('button[name=decision]');
  await tab.goBack();
  // The page is not in any cache: it is asked again, and who is signed in sees no form for it.
  await giveConsent(tab);
  await tab.waitForURL((url) => url.pathname === '/callback');
  assert.deepEqual(await tab.evaluate(() => window.done), [{ email: user.email }]);
});

named('two tabs that log in at once do not spoil each other’s forms', async (t) => {
  const { context, tab, user } = await opened(t);
  const other = await context.newPage();
  await other.goto(`${app.url}/`);
  for (const it of [tab, other]) {
    await it.evaluate(() => void manager.signinRedirect());
    await it.waitForSelector('input[name=password]');
  }
  for (const it of [tab, other]) {
    await signIn(it, user);
    await it.waitForFunction(() => document.querySelector('button[name=decision]') || location.pathname === '/callback');
    if (new URL(it.url()).pathname !== '/callback') await giveConsent(it);
    await it.waitForURL((url) => url.pathname === '/callback');
    assert.deepEqual(await it.evaluate(() => window.done), [{ email: user.email }]);
    await works(it, user);
  }
});

named('revokeTokens ends the session', async (t) => {
  const { tab, user } = await opened(t);
  await signedIn(tab, user);
  const token = await refreshToken(tab);
  await tab.evaluate(() => manager.revokeTokens(['refresh_token']));
  const answer = await tab.evaluate(
    async ([issuer, refresh_token]) => {
      const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'spa', refresh_token });
      return (await (await fetch(`${issuer}/oauth/token`, { method: 'POST', body })).json()).error;
    },
    [services.issuer, token],
  );
  assert.equal(answer, 'invalid_grant');
});


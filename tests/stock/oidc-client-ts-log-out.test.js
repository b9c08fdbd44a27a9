/** Log-out by oidc-client-ts 3 in a real Chromium. */
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

/** A profile with a tab that stands on the application, in which a fresh user is signed in. */
const signedIn = async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  context.setDefaultTimeout(30_000);
  const [tab, user] = [await context.newPage(), await services.register()];
  await tab.goto(`${app.url}/`);
  await tab.evaluate(() => void manager.signinRedirect());
  await signIn(tab, user);
  await giveConsent(tab);
  await tab.waitForURL((url) => url.pathname === '/callback');
  assert.deepEqual(await tab.evaluate(() => window.done), [{ email: user.email }]);
  const tokens = await tab.evaluate(async () => ({ ...(await manager.getUser()) }));
  return { context, tab, user, refreshToken: tokens.refresh_token };
};

/** What a refresh by this token comes to: `undefined`, or the error. */
const refresh = async (refresh_token) => {
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'spa', refresh_token });
  return (await (await fetch(`${services.issuer}/oauth/token`, { method: 'POST', body })).json()).error;
};
/** That this browser is asked for a password again. */
const isAsked = async (tab) => {
  await tab.goto(`${app.url}/`);
  await tab.evaluate(() => void manager.signinRedirect());
  await tab.waitForSelector('input[name=password]');
};

const named = (name, body) => test(`${scheme}: oidc-client-ts in Chromium: ${name}`, body);

for (const revoke of [false, true]) {
  named(`signoutRedirect comes back with its state, and nobody is signed in any more${revoke ? ', after revokeTokensOnSignout too' : ''}`, async (t) => {
    const { tab, refreshToken } = await signedIn(t);
    await tab.evaluate((revoke) => {
      Object.assign(manager.settings, { revokeTokensOnSignout: revoke });
      void manager.signoutRedirect({ state: { basket: 7 } });
    }, revoke);
    await tab.waitForURL((url) => url.pathname === '/goodbye');
    const said = await tab.evaluate(async () => ({ state: (await manager.signoutCallback()).userState, user: await manager.getUser() }));
    assert.deepEqual(said, { state: { basket: 7 }, user: null });
    assert.equal(await refresh(refreshToken), 'invalid_grant');
    await isAsked(tab);
  });
}

named('signoutPopup closes its popup, and nobody is signed in any more', async (t) => {
  const { tab, refreshToken } = await signedIn(t);
  const [popup] = await Promise.all([
    tab.waitForEvent('popup'),
    tab.evaluate(() => void (window.popped = manager.signoutPopup().then(() => 'out', (error) => error.message))),
  ]);
  if (!popup.isClosed()) await popup.waitForEvent('close');
  assert.equal(await tab.evaluate(() => window.popped), 'out');
  assert.equal(await tab.evaluate(() => manager.getUser()), null);
  assert.equal(await refresh(refreshToken), 'invalid_grant');
  await isAsked(tab);
});

named('without its user’s id_token the page asks, and comes back by the button', async (t) => {
  const { tab, refreshToken } = await signedIn(t);
  await tab.evaluate(async () => {
    await manager.removeUser();
    void manager.signoutRedirect({ state: 'from afar' });
  });
  await tab.waitForSelector('form[action="/oauth/sign-out"]');
  assert.equal(await refresh(refreshToken), undefined, 'a question ends nothing');
  await tab.click('form[action="/oauth/sign-out"] button[value=allow]');
  await tab.waitForURL((url) => url.pathname === '/goodbye');
  assert.equal(await tab.evaluate(async () => (await manager.signoutCallback()).userState), 'from afar');
  await isAsked(tab);
});

named('signoutSilent, in a frame, lets go of the program’s user alone: the browser stays signed in', async (t) => {
  const { tab, user, refreshToken } = await signedIn(t);
  const said = await tab.evaluate(() => {
    Object.assign(manager.settings, { includeIdTokenInSilentSignout: true });
    return manager.signoutSilent({ state: {}, silentRequestTimeoutInSeconds: 3 }).then(() => 'out', (error) => error.message);
  });
  assert.notEqual(said, 'out');
  assert.equal(await tab.evaluate(() => manager.getUser()), null);
  // A frame of another site gets no cookie of ours. The next log-in shows no page.
  assert.equal(await refresh(refreshToken), undefined);
  await tab.goto(`${app.url}/`);
  await tab.evaluate(() => void manager.signinRedirect());
  await tab.waitForURL((url) => url.pathname === '/callback');
  assert.deepEqual(await tab.evaluate(() => window.done), [{ email: user.email }]);
});

named('a tab that is signed out elsewhere learns it by its next silent refresh', async (t) => {
  const { context, tab } = await signedIn(t);
  const other = await context.newPage();
  await other.goto(`${services.issuer}/oauth/logout`);
  await other.click('form[action="/oauth/sign-out"] button[value=allow]');
  await other.waitForFunction(() => !document.querySelector('form[action="/oauth/sign-out"]') && document.body.innerText.match(/signed out/i));
  const said = await tab.evaluate(() => said(manager.signinSilent()));
  assert.deepEqual(said, { error: 'invalid_grant' });
  await isAsked(other);
});

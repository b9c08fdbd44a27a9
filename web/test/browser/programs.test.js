/** The demo page's two lists: each browser with the programs that it opened, and what every program has of the account. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import test from 'node:test';
import { axe, openPage, press, says } from './demo-page.js';
import { appServer, arrived, decide, enter, requestOf } from './sign-on-pages.js';
import { PASSWORD, stage, stored } from './support.js';

const app = await appServer();
const s = await stage({ OTHER_ORIGIN: app.origin, NO_DEMO_USER: '1' });

const rows = (page) => page.locator('#sessions-rows tr:not(.ended)');
const program = (page, id) => page.locator(`#programs-list [data-id=${id}]`);

/** The shop's tokens out of a tab whose browser is signed in, whatever is asked on the way. */
const shopIn = async (context, { scope = 'openid email', asks = true } = {}) => {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const tab = await context.newPage();
  await tab.goto(requestOf(s.authUrl, { client_id: 'shop', redirect_uri: app.callback, scope, code_challenge: challenge }));
  if (asks) await decide(tab, 'allow');
  const { code } = await arrived(tab, app.callback);
  await tab.close();
  return token({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: app.callback });
};

const token = async (fields) => {
  const answer = await fetch(`${s.authUrl}/oauth/token`, { method: 'POST', body: new URLSearchParams({ client_id: 'shop', ...fields }) });
  return { status: answer.status, ...(await answer.json()) };
};
const refreshed = ({ refresh_token }) => token({ grant_type: 'refresh_token', refresh_token });

/** The page, signed in by the log-in page: its browser has a session, and so has the page itself. */
const signedOn = async (t, options) => {
  const user = await s.register();
  const profile = await s.profile(t, { reducedMotion: 'reduce', viewport: { width: 1280, height: 720 }, ...options });
  const page = await openPage(t, s, profile.context);
  await press(page, 'Sign in with the log-in page');
  await page.waitForURL('**/oauth/authorize?*');
  await enter(page, user);
  await page.waitForSelector('[data-signed-in="true"]');
  await page.waitForSelector('#programs-list [data-id=demo]');
  return { user, profile, page };
};

const reload = async (page, id) => {
  await press(page, 'Reload');
  await program(page, id).waitFor();
};

test('programs stand below the browser that opened them; one is ended alone, and may come back', async (t) => {
  const { user, profile, page } = await signedOn(t);
  const own = await s.signIn(user);
  const shop = await shopIn(profile.context);
  await reload(page, 'shop');
  await page.waitForFunction(() => document.querySelectorAll('#sessions-rows tr').length === 4);
  const kinds = await rows(page).locator('[data-label=Kind]').allInnerTexts();
  // The account's own first or last, by its age; the programs right behind their browser.
  const browser = kinds.indexOf('log-in page');
  assert.deepEqual(kinds.slice(browser + 1, browser + 3).sort(), ['app: Keyturn demo', 'app: The shop']);
  assert.deepEqual(await rows(page).evaluateAll((all) => all.map((row) => row.classList.contains('opened'))), kinds.map((kind) => kind.startsWith('app')));
  await page.getByRole('button', { name: /^End the session of The shop on / }).click();
  await says(page, 'The shop is signed out on');
  await page.waitForSelector('#sessions-rows tr.ended');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'sessions-reload');
  assert.equal((await refreshed(shop)).reason, 'ended');
  assert.match(await program(page, 'shop').innerText(), /signed in nowhere · you agreed/);
  // It was agreed to, and still is: nobody is asked.
  assert.equal((await shopIn(profile.context, { asks: false })).status, 200);
  assert.equal((await s.sessions(own.accessToken)).length, 4);
});

test('to sign out of the browser ends its programs, this page among them', async (t) => {
  const { user, profile, page } = await signedOn(t);
  const shop = await shopIn(profile.context);
  const lasting = await shopIn(profile.context, { scope: 'openid offline_access' });
  await reload(page, 'shop');
  await page.getByRole('button', { name: /^Sign out of this browser and its programs: / }).click();
  await says(page, 'is signed out, and so is every program that it had opened');
  assert.equal((await refreshed(shop)).reason, 'ended');
  assert.equal((await refreshed(lasting)).status, 200, 'what was asked to stay stays');
  const own = await s.signIn(user);
  const left = (await s.sessions(own.accessToken)).map(({ kind }) => kind);
  assert.deepEqual(left.sort(), ['account', 'offline']);
  await press(page, 'Get current time');
  await page.waitForSelector('[data-signed-in="false"]');
  assert.equal(await page.locator('#programs').isVisible(), false);
});

test('a program is told by what it may, and its access is taken away: everywhere, for good, and it asks again', async (t) => {
  const { profile, page } = await signedOn(t);
  const shop = await shopIn(profile.context);
  const lasting = await shopIn(profile.context, { scope: 'openid offline_access' });
  await reload(page, 'shop');
  const told = await program(page, 'shop').innerText();
  assert.match(told, /^The shop\s+knows who you are, your e-mail, stays signed in when the browser signs out\s+signed in 2 times, last used lately · you agreed \S/);
  assert.match(await program(page, 'demo').innerText(), /Keyturn demo\s+.*manages your account\s+signed in once.* · one of this server’s own/);
  await page.getByRole('button', { name: 'Take access away from The shop' }).focus();
  await page.keyboard.press('Enter');
  await says(page, 'The shop is signed out everywhere, and asks you again the next time.');
  await page.waitForFunction(() => !document.querySelector('#programs-list [data-id=shop]'));
  await page.waitForFunction(() => document.activeElement.id === 'programs-title');
  assert.equal((await refreshed(shop)).reason, 'ended');
  assert.equal((await refreshed(lasting)).reason, 'ended');
  const again = await shopIn(profile.context);
  assert.equal(again.status, 200, 'asked, and allowed');
});

test('to take access away from the page itself signs it out at the next call', async (t) => {
  const { page } = await signedOn(t);
  await page.getByRole('button', { name: 'Take access away from Keyturn demo' }).click();
  await says(page, 'This page is Keyturn demo: its own session is over, too.');
  await press(page, 'Get current time');
  await page.waitForSelector('[data-signed-in="false"]');
  assert.equal(await stored(page), null);
});

test('what is gone already is said in a sentence; a service that does not answer signs nobody out', async (t) => {
  const { user, profile, page } = await signedOn(t);
  await shopIn(profile.context);
  await reload(page, 'shop');
  const own = await s.signIn(user);
  const url = `${s.authUrl}/api/account/apps/shop`;
  const gone = await fetch(url, { method: 'DELETE', headers: { Authorization: `Bearer ${own.accessToken}` } });
  assert.equal(gone.status, 204);
  await page.getByRole('button', { name: 'Take access away from The shop' }).click();
  await says(page, 'That program has nothing of your account any more.');
  await profile.context.route('**/api/account/apps/demo', (route) => route.abort());
  await page.getByRole('button', { name: 'Take access away from Keyturn demo' }).click();
  await says(page, 'You are still signed in.');
  assert.equal(await page.getAttribute('body', 'data-signed-in'), 'true');
});

test('a name that looks like markup is shown as text', async (t) => {
  const { profile, page } = await signedOn(t);
  const name = '<img src=x onerror=alert(1)><b>王</b>';
  await profile.context.route('**/api/account/apps', async (route) => {
    const answer = await route.fetch();
    const [demo] = await answer.json();
    await route.fulfill({ response: answer, json: [{ ...demo, client: { id: 'x', name }, scope: 'orders:read <i>' }] });
  });
  await reload(page, 'x');
  assert.match(await program(page, 'x').innerText(), /<b>王<\/b>\s+orders:read, <i>/);
  assert.equal(await page.locator('#programs img').count(), 0);
});

for (const [name, options] of Object.entries({ 'light, 1280 px': {}, 'dark, 320 px': { colorScheme: 'dark', viewport: { width: 320, height: 640 } } })) {
  test(`${name}: axe finds nothing, nothing scrolls sideways, and the buttons are large enough`, async (t) => {
    const { profile, page } = await signedOn(t, options);
    await shopIn(profile.context, { scope: 'openid profile email offline_access' });
    await reload(page, 'shop');
    assert.deepEqual(await axe(page), []);
    const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(width <= room, `${width} px wide in ${room}`);
    for (const button of await page.locator('#sessions-rows button, #programs button').all()) {
      const box = await button.boundingBox();
      assert.ok(box.width >= 44 && box.height >= 44, `${await button.getAttribute('aria-label')}: ${box.width} × ${box.height}`);
    }
    const tree = await page.locator('main').ariaSnapshot();
    for (const expected of [/region "Programs"/, /heading "Programs" \[level=2\]/, /button "Take access away from The shop"/, /opened by the browser above: Chrome/, /button "Sign out of this browser and its programs: Chrome/]) {
      assert.match(tree, expected);
    }
    // A list that is read again does not jump: it stays until the new one is there.
    const before = await page.locator('#account').boundingBox();
    await reload(page, 'shop');
    assert.deepEqual(await page.locator('#account').boundingBox(), before);
  });
}

test('without sign-on there is no such list, and nobody asks for it', async (t) => {
  const bare = await stage({ OAUTH: 'off', NO_DEMO_USER: '1' });
  const user = await bare.register();
  const profile = await bare.profile(t, { reducedMotion: 'reduce' });
  const page = await openPage(t, bare, profile.context);
  await page.locator('#form-login-email').fill(user.email);
  await page.locator('#form-login-password').fill(PASSWORD);
  await page.locator('#form-login button').click();
  await page.waitForSelector('#sessions-rows tr');
  assert.equal(await page.locator('#programs').isVisible(), false);
  assert.deepEqual(profile.sent.filter((request) => request.url().includes('/apps')), []);
});

/** The hosted pages in a real browser: with and without script, by keyboard, in both languages, small and dark; and the demo page's way there. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { axe, messages, openPage, press, says, shows } from './demo-page.js';
import { appServer, arrived, decide, enter, heading, requestOf } from './sign-on-pages.js';
import { expire, stage, stored } from './support.js';

const mails = mkdtempSync(join(tmpdir(), 'keyturn-mail-'));
after(() => rmSync(mails, { recursive: true }));
const app = await appServer();
const s = await stage({ OTHER_ORIGIN: app.origin, MAIL_URL: `file:${mails}` });
const NOTES = 'com.example.notes:/cb';
/** What the shop asks for, to which its users have to agree. */
const shop = (params) => requestOf(s.authUrl, { client_id: 'shop', redirect_uri: app.callback, ...params });
const notes = (params) => requestOf(s.authUrl, { client_id: 'notes', redirect_uri: NOTES, ...params });
const demo = (params) => requestOf(s.authUrl, { client_id: 'demo', redirect_uri: `${s.authUrl}/`, ...params });

/** A tab that must report no violation of a policy. */
const open = async (t, options) => {
  const { context, sent } = await s.profile(t, options);
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => /policy|violat|refused/i.test(message.text()) && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(String(error)));
  t.after(() => assert.deepEqual(faults, []));
  return { context, page, sent, faults };
};

const fault = (page) => page.locator('#fault').innerText();

for (const javaScriptEnabled of [true, false]) {
  const how = `script ${javaScriptEnabled ? 'on' : 'off'}`;

  test(`${how}: log in after a wrong password, agree, and the code is at the app; its origin is no hindrance`, async (t) => {
    const user = await s.register();
    const { page } = await open(t, { javaScriptEnabled });
    await page.goto(shop({ state: 'mine' }));
    assert.equal(await page.locator('.show:visible').count(), javaScriptEnabled ? 1 : 0, 'no button that does nothing');
    await enter(page, { ...user, password: 'not the password' });
    await page.locator('#fault').waitFor();
    assert.match(await fault(page), /wrong/);
    assert.equal(await page.locator('#email').inputValue(), user.email);
    assert.equal(await page.locator('#password').inputValue(), '');
    await enter(page, user);
    await page.locator('button[name=decision]').first().waitFor();
    assert.match(await heading(page), /^The shop wants/);
    await decide(page, 'allow');
    const { code, state, iss, ...rest } = await arrived(page, app.callback);
    assert.equal(code.length > 20, true);
    assert.deepEqual({ state, iss, rest }, { state: 'mine', iss: s.authUrl, rest: {} });
    assert.equal(new URL(page.url()).hash, '#_');
    // What was agreed to is not asked again.
    await page.goto(shop());
    assert.ok((await arrived(page, app.callback)).code);
  });

  test(`${how}: no is no, and the app is told`, async (t) => {
    const user = await s.register();
    const { page } = await open(t, { javaScriptEnabled });
    await page.goto(shop());
    await enter(page, user);
    await decide(page, 'deny');
    const { error, iss, code } = await arrived(page, app.callback);
    assert.deepEqual({ error, iss, code }, { error: 'access_denied', iss: s.authUrl, code: undefined });
  });

  test(`${how}: make an account on the way, and go on with it`, async (t) => {
    const { page } = await open(t, { javaScriptEnabled });
    await page.goto(shop());
    await page.getByRole('link', { name: 'Make an account' }).click();
    await page.locator('#userName').fill('Ada');
    await page.locator('#email').fill(`ada-${javaScriptEnabled}@example.com`);
    await page.locator('#password').fill('password1');
    await page.locator('form button[type=submit]').click();
    await page.locator('#fault').waitFor();
    assert.equal(await page.locator('#userName').inputValue(), 'Ada', 'a weak password costs nothing else');
    await page.locator('#password').fill('six unlikely kettles in a row');
    await page.locator('form button[type=submit]').click();
    await decide(page, 'allow');
    assert.ok((await arrived(page, app.callback)).code);
  });

  test(`${how}: forgot the password: the same words for everybody, and a way back to the log-in`, async (t) => {
    const user = await s.register();
    const { page } = await open(t, { javaScriptEnabled });
    for (const email of [user.email, 'nobody@example.com']) {
      await page.goto(shop());
      await page.getByRole('link', { name: 'Forgot your password?' }).click();
      await page.locator('#email').fill(email);
      await page.locator('form button[type=submit]').click();
      await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
    }
    await page.getByRole('link', { name: 'Go on to sign in' }).click();
    await enter(page, user);
    await decide(page, 'allow');
    assert.ok((await arrived(page, app.callback)).code);
  });

  test(`${how}: a program of the machine is asked about, and its code goes out by its own scheme`, async (t) => {
    const user = await s.register();
    const { page } = await open(t, { javaScriptEnabled });
    await page.goto(notes());
    await enter(page, user);
    await page.locator('button[name=decision]').first().waitFor();
    assert.match(await heading(page), /^Continue as 王小明 to Notes\?$/);
    const redirect = page.waitForResponse((answer) => answer.status() === 302);
    // No program takes the scheme here: what Chromium makes of it is that the tab goes nowhere.
    const tried = page.waitForEvent('requestfailed', (request) => request.url().startsWith(NOTES)).catch(() => null);
    await decide(page, 'allow');
    assert.match(await (await redirect).headerValue('location'), /^com\.example\.notes:\/cb\?code=.+#_$/);
    await Promise.race([tried, page.getByRole('link', { name: 'Go on' }).waitFor()]);
    assert.equal(new URL(page.url()).origin, s.authUrl);
  });
}

test('Chromium stops a redirect after a form under form-action, even of a chain; the page that goes on by itself passes', async (t) => {
  const user = await s.register();
  const { context, page, faults } = await open(t);
  await page.goto(shop());
  // The server's answer, as a redirect to the same address.
  await context.route(
    '**/oauth/consent',
    async (route) => {
      const answer = await route.fetch();
      const headers = answer.headers();
      await route.fulfill({ status: 303, headers: { location: new URL(headers.refresh.replace('0; url=', ''), s.authUrl).href } });
    },
    { times: 1 },
  );
  await enter(page, user);
  const stopped = page.waitForEvent('console', (message) => message.text().includes('form-action'));
  await decide(page, 'allow');
  await stopped;
  assert.match(page.url(), /\/oauth\//, 'the code did not get to the app');
  faults.length = 0;
  // The question again, and the answer as it is.
  await page.goto(shop({ prompt: 'consent' }));
  const [answer] = await Promise.all([page.waitForResponse('**/oauth/consent'), decide(page, 'allow')]);
  assert.equal(answer.status(), 200);
  assert.match(answer.headers()['content-security-policy'], /form-action 'self'/);
  assert.ok((await arrived(page, app.callback)).code);
});

test('Back from the app leads to no second log-in, and a form that lost its cookie is shown again with what was typed', async (t) => {
  const user = await s.register();
  const { context, page, sent } = await open(t);
  await page.goto(`${app.origin}/start`);
  await page.goto(shop());
  await context.clearCookies();
  await enter(page, user);
  await page.locator('#fault').waitFor();
  assert.match(await fault(page), /cookies/);
  assert.equal(await page.locator('#email').inputValue(), user.email);
  await enter(page, user);
  await decide(page, 'allow');
  const first = await arrived(page, app.callback);
  const forms = () => sent.filter((request) => request.method() === 'POST').length;
  const before = forms();
  await page.goBack();
  const second = await arrived(page, app.callback);
  assert.notEqual(second.code, first.code);
  assert.equal(forms(), before, 'no form is sent again');
});

test('a question that is answered after the log-out is no yes: the log-in comes first', async (t) => {
  const user = await s.register();
  const { context, page } = await open(t);
  await page.goto(shop());
  await enter(page, user);
  await page.locator('button[name=decision]').first().waitFor();
  await context.clearCookies({ name: 'keyturn' });
  await decide(page, 'allow');
  await page.locator('#password').waitFor();
  await enter(page, user);
  await page.locator('button[name=decision]').first().waitFor();
  assert.match(await heading(page), /^The shop wants/, 'and the question is asked again');
});

test('two tabs that log in at once do not spoil each other', async (t) => {
  const user = await s.register();
  const { context, page } = await open(t);
  const other = await context.newPage();
  await page.goto(shop({ state: 'first' }));
  await other.goto(shop({ state: 'second' }));
  await Promise.all([enter(page, user), enter(other, user)]);
  await Promise.all([page, other].map((tab) => tab.locator('button[name=decision]').first().waitFor()));
  await Promise.all([decide(page, 'allow'), decide(other, 'allow')]);
  assert.equal((await arrived(page, app.callback)).state, 'first');
  assert.equal((await arrived(other, app.callback)).state, 'second');
});

test('in a popup: it comes back to who opened it', async (t) => {
  const user = await s.register();
  const { page } = await open(t);
  await page.goto(`${app.origin}/start`);
  const opened = page.waitForEvent('popup');
  const heard = page.evaluate(
    (url) =>
      new Promise((resolve) => {
        addEventListener('message', (event) => resolve({ origin: event.origin, href: event.data }));
        open(url, 'log-in', 'width=500,height=600');
      }),
    shop({ state: 'popup' }),
  );
  const popup = await opened;
  await enter(popup, user);
  await decide(popup, 'allow');
  const { origin, href } = await heard;
  assert.equal(origin, app.origin);
  assert.equal(new URL(href).searchParams.get('state'), 'popup');
  assert.ok(new URL(href).searchParams.get('code'));
});

test('keyboard only: from the log-in page to the app, the focus always in sight', async (t) => {
  const user = await s.register();
  const { page } = await open(t);
  await page.goto(shop());
  const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim());
  const tabTo = async (wanted) => {
    for (let i = 0; i < 12; i += 1) {
      if ((await focused()) === wanted) {
        assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'solid', wanted);
        return;
      }
      await page.keyboard.press('Tab');
    }
    assert.fail(`${wanted} cannot be reached`);
  };
  assert.equal(await focused(), 'email', 'it begins where one types');
  await page.keyboard.type(user.email);
  await tabTo('password');
  await page.keyboard.type(user.password);
  await page.keyboard.press('Enter');
  await page.locator('button[name=decision]').first().waitFor();
  await tabTo('Allow');
  await page.keyboard.press('Enter');
  assert.ok((await arrived(page, app.callback)).code);
});

/** What a screen reader or a narrow screen could find against the page as it stands. */
const look = async (page, what) => {
  assert.deepEqual(await axe(page), [], what);
  const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(width <= room, `${what} is ${width} px wide in ${room}`);
};

const LANGUAGES = { en: 'en-GB', zh: 'zh-CN' };
for (const [lang, locale] of Object.entries(LANGUAGES)) {
  for (const [name, options] of Object.entries({ 'light, 1280 px': { viewport: { width: 1280, height: 720 } }, 'dark, 320 px': { colorScheme: 'dark', viewport: { width: 320, height: 640 } } })) {
    test(`every page: ${lang}, ${name}: axe finds nothing, and nothing scrolls sideways`, async (t) => {
      const user = await s.register('A name without any blank in which a line could be broken'.replaceAll(' ', ''));
      const { context, page } = await open(t, { locale, ...options });
      const see = async (what, url) => {
        if (url) await page.goto(url);
        assert.equal(await page.evaluate(() => document.documentElement.lang.slice(0, 2)), lang, what);
        await look(page, what);
      };
      const submit = () => page.locator('form button[type=submit]').click();

      await see('log-in', shop());
      await enter(page, { ...user, password: 'not the password' });
      await page.locator('#fault').waitFor();
      await see('log-in, wrong password');
      await see('registration', shop().replace('/authorize', '/register'));
      await page.locator('#userName').fill('Ada');
      await page.locator('#email').fill(user.email);
      await page.locator('#password').fill('password1');
      await submit();
      await page.locator('#fault').waitFor();
      await see('registration, weak password');
      await see('forgot', shop().replace('/authorize', '/forgot'));
      await page.locator('#email').fill(user.email);
      await submit();
      await page.locator('p[role=status]').waitFor();
      await see('forgot, sent');
      for (const kind of ['reset', 'verify', 'invitation']) await see(`mailed: ${kind}`, `${s.authUrl}/account/${kind}#token=x`);
      await see('unknown program', shop({ client_id: 'nobody' }));
      await see('an address that is not registered', shop({ redirect_uri: 'https://elsewhere.example/' }));

      // A page that goes on by itself stays where the answer is that there is nothing to see.
      const stays = { status: 204 };
      await context.route(/authorize\?.*since=/, (route) => route.fulfill(stays), { times: 1 });
      await page.goto(shop());
      const stayed = page.waitForResponse((answer) => answer.status() === 204);
      await enter(page, user);
      await stayed;
      await see('going on');
      await see('consent', shop({ scope: 'openid profile email offline_access' }));
      await decide(page, 'allow');
      await arrived(page, app.callback);
      await see('continue as', notes());
      await context.route(app.callback, (route) => route.fulfill(stays), { times: 1 });
      const posted = page.waitForResponse((answer) => answer.status() === 204);
      await page.goto(shop({ response_mode: 'form_post' }), { waitUntil: 'commit' });
      await posted;
      await see('an answer that is posted');
    });
  }
}

test('the demo page: to the log-in page and back, drawn over the navigation; refreshed and left where apps do; then through without a page', async (t) => {
  const user = await s.register();
  const profile = await s.profile(t, { reducedMotion: 'reduce', viewport: { width: 1280, height: 720 } });
  const page = await openPage(t, s, profile.context);
  await press(page, 'Sign in with the log-in page');
  await page.waitForURL('**/oauth/authorize?*');
  await enter(page, user);
  await page.waitForSelector('[data-signed-in="true"]');
  await says(page, 'Signed in.');
  assert.equal(page.url(), `${s.authUrl}/`);
  const story = [
    'this tab asks auth-server: GET /oauth/authorize',
    'The log-in page asks who you are, unless this browser is signed on. It alone sees the password.',
    'auth-server answers: 302 code',
    'this tab asks auth-server: POST /oauth/token code, verifier',
    'auth-server answers: 200',
  ];
  await shows(page, story);
  await page.waitForFunction(() => document.querySelectorAll('#sessions-rows tr').length === 2);
  const kinds = await page.locator('#sessions-rows [data-label=Kind]').allInnerTexts();
  assert.deepEqual(kinds.sort(), ['app: Keyturn demo', 'log-in page']);
  assert.match(await page.locator('#sessions-rows tr.current').innerText(), /app: Keyturn demo/);
  const card = await page.locator('#token').boundingBox();
  assert.ok(card.y + card.height <= 720, `the token fits the first screen: ${card.y + card.height}`);
  assert.deepEqual(await axe(page), []);

  const old = await stored(page);
  await expire(profile.context, s.home, old.accessToken);
  await press(page, 'Get current time');
  await says(page, 'three requests');
  assert.deepEqual((await messages(page)).filter((line) => line.includes('auth-server')), ['this tab asks auth-server: POST /oauth/token', 'auth-server answers: 200']);
  await press(page, 'Lose the next answer');
  await says(page, 'the same successor');

  await press(page, 'Log out');
  await says(page, 'still signed on at the log-in page');
  await shows(page, ['this tab asks auth-server: POST /oauth/revoke', 'auth-server answers: 200']);
  const before = profile.sent.length;
  await press(page, 'Sign in with the log-in page');
  await page.waitForSelector('[data-signed-in="true"]');
  await shows(page, story);
  const forms = profile.sent.slice(before).filter((request) => request.isNavigationRequest() && request.method() === 'POST');
  assert.deepEqual(forms, [], 'no page asked for anything');
});

test('the demo page: a no at the log-in page is a calm sentence, and the line of the diagram', async (t) => {
  const profile = await s.profile(t, { reducedMotion: 'reduce' });
  const page = await openPage(t, s, profile.context);
  await press(page, 'Sign in with the log-in page');
  await page.waitForURL('**/oauth/authorize?*');
  const state = new URL(page.url()).searchParams.get('state');
  await page.goto(`${s.authUrl}/?${new URLSearchParams({ error: 'access_denied', state, iss: s.authUrl })}`);
  await says(page, 'You said no at the log-in page, so this page was given nothing.');
  assert.equal(page.url(), `${s.authUrl}/`);
  assert.match((await messages(page)).at(-1), /302 access_denied/);
  assert.equal(await page.locator('#sign-on').isVisible(), true);
});

test('the demo page: play the thief of an app’s session, and he is found', async (t) => {
  const user = await s.register();
  const profile = await s.profile(t, { reducedMotion: 'reduce' });
  const page = await openPage(t, s, profile.context);
  await press(page, 'Sign in with the log-in page');
  await enter(page, user);
  await page.waitForSelector('[data-signed-in="true"]');
  await press(page, 'Play the thief');
  await says(page, 'The thief was found');
  assert.equal(await stored(page), null);
});

test('whoever asks by another name of this machine is sent to the issuer’s, with the whole request', async (t) => {
  const { page } = await open(t);
  const url = demo();
  await page.goto(url.replace('//localhost:', '//127.0.0.1:'));
  assert.equal(page.url(), url);
});

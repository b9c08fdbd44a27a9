/** The two buttons and every thing to try, as a visitor does them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { messages, openPage, press, says, shows, simulateLogin } from './demo-page.js';
import { expire, stage, stored } from './support.js';

const s = await stage({ REFRESH_GRACE: '1s' });

const open = async (t, options) => {
  const profile = await s.profile(t, { reducedMotion: 'reduce' });
  const page = await openPage(t, s, profile.context, options);
  return { profile, page };
};

const signedIn = async (t, options) => {
  const { profile, page } = await open(t, options);
  await simulateLogin(page);
  return { profile, page, old: await stored(page) };
};

const ASKS = 'this tab asks resource-api: GET /api/home';
const REFRESHES = 'this tab asks auth-server: POST …/refresh-token';
const SESSIONS_OF_CHAIN = (page) => page.locator('#chain li').allInnerTexts();

test('Simulate login, then Get current time', async (t) => {
  const { page } = await open(t);
  await press(page, 'Get current time');
  await says(page, 'Log in first');
  await press(page, 'Simulate login');
  await says(page, 'Signed in.');
  await shows(page, ['this tab asks auth-server: POST …/login', 'auth-server answers: 200']);
  await press(page, 'Get current time');
  await says(page, 'It checked the token by itself');
  const today = new Date().toISOString().slice(0, 10);
  await shows(page, [ASKS, `resource-api answers: 200 ${today}`]);
  assert.match(await page.locator('#status').textContent(), new RegExp(today));
});

test('one click silently becomes three requests once the token has expired', async (t) => {
  const { profile, page, old } = await signedIn(t);
  await expire(profile.context, s.home, old.accessToken);
  await press(page, 'Get current time');
  await says(page, 'one click became three requests');
  const today = new Date().toISOString().slice(0, 10);
  await shows(page, [ASKS, 'resource-api answers: 401 act: expired token_expired', REFRESHES, 'auth-server answers: 200', ASKS, `resource-api answers: 200 ${today}`]);
  assert.equal(await page.locator('#flow-count').textContent(), '3 requests');
  assert.equal(await page.locator('#chain del').count(), 1, 'the old refresh token is struck out');
  const whole = await page.evaluate(() => document.body.innerText);
  const { refreshToken } = await stored(page);
  assert.ok(!whole.includes(refreshToken) && !whole.includes(old.refreshToken), 'no refresh token is shown');
});

test('10 calls at once: one refresh serves them all', async (t) => {
  const { profile, page, old } = await signedIn(t);
  await press(page, '10 calls at once');
  await says(page, '10 calls, 10 answers');
  await expire(profile.context, s.home, old.accessToken);
  await press(page, '10 calls at once');
  await says(page, 'one refresh served them all');
  assert.equal(profile.refreshes().length, 1);
  const [first, second, ...rest] = await messages(page);
  assert.equal(first, `${ASKS} × 10`);
  assert.match(second, /401 act: expired.* × 10$/);
  assert.equal(rest.filter((text) => text.startsWith(REFRESHES)).length, 1);
});

test('open a second tab: it is signed in, too, and hears of what happens here', async (t) => {
  const { profile, page } = await signedIn(t);
  const [second] = await Promise.all([profile.context.waitForEvent('page'), page.getByRole('link', { name: 'Open a second tab' }).click()]);
  await second.waitForSelector('[data-signed-in="true"][data-ready]');
  await press(page, 'Refresh early');
  await second.getByText('Another tab refreshed').waitFor();
  assert.deepEqual((await SESSIONS_OF_CHAIN(second)).length, 2);
  await press(second, 'Log out');
  await page.waitForSelector('[data-signed-in="false"]');
  await says(page, 'it happened in another tab');
});

test('tamper with the token: the API refuses it, and the real one still works', async (t) => {
  const { profile, page } = await signedIn(t);
  await press(page, 'Tamper with the token');
  await says(page, 'said 401 token_bad_signature');
  assert.match(await page.locator('#parts').innerText(), /roles\s+\["admin"\]/);
  assert.match(await page.locator('#parts').innerText(), /does not fit/);
  await shows(page, [ASKS, 'resource-api answers: 401 token_bad_signature']);
  assert.equal(profile.refreshes().length, 0, 'no act, no refresh');
  await press(page, 'Get current time');
  await says(page, 'It checked the token by itself');
  assert.match(await page.locator('#parts').innerText(), /roles\s+\[\]/);
});

test('lose the next answer: the session survives it', async (t) => {
  const { page } = await signedIn(t);
  await press(page, 'Lose the next answer');
  await says(page, 'got the same successor');
  await shows(page, [REFRESHES, 'auth-server answers: no answer', REFRESHES, 'auth-server answers: 200']);
  const sent = await page.locator('#flow > li:last-child .message.out .print').allInnerTexts();
  assert.equal(sent[0], sent[1], 'the same refresh token, twice');
});

test('cut the line: unavailable reads “the service does not answer; you are still signed in”', async (t) => {
  const { page } = await signedIn(t);
  await press(page, 'Cut the line');
  await says(page, 'The service does not answer; you are still signed in.');
  await shows(page, [REFRESHES, 'auth-server answers: no answer', REFRESHES, 'auth-server answers: no answer']);
  assert.equal(await page.locator('body').getAttribute('data-signed-in'), 'true');
});

test('play the thief: an old refresh token, used after two refreshes and the grace time, ends the session', async (t) => {
  const { page } = await signedIn(t);
  await press(page, 'Play the thief');
  await says(page, 'waits out the grace time: 2 seconds');
  await says(page, 'The thief was found');
  const told = await messages(page);
  assert.match(told[0], /^A thief copies the refresh token [0-9a-f]{4}/);
  assert.ok(told.includes('auth-server answers: 401 refresh_token_reused'));
  await page.waitForSelector('[data-signed-in="false"]');
  // Only that session: the account is as good as before.
  await simulateLogin(page);
});

test('revoke this session: the API refuses within a second', async (t) => {
  const { page } = await signedIn(t);
  await press(page, 'Revoke this session');
  await says(page, 'Revoked.');
  const [, took] = /(\d+) ms later/.exec(await page.locator('#status').textContent());
  assert.ok(Number(took) < 1000, `${took} ms`);
  assert.ok((await messages(page)).some((text) => text.startsWith('resource-api answers: 401 act: revoked')));
  await page.waitForSelector('[data-signed-in="false"]');
});

test('refresh early: a new pair, the old refresh token struck out', async (t) => {
  const { page, old } = await signedIn(t);
  await press(page, 'Refresh early');
  await says(page, 'A new pair.');
  await shows(page, [REFRESHES, 'auth-server answers: 200']);
  assert.notEqual((await stored(page)).refreshToken, old.refreshToken);
  assert.deepEqual((await SESSIONS_OF_CHAIN(page)).map((text) => /works once/.test(text)), [false, true]);
});

test('every thing to try asks for a log-in first', async (t) => {
  const { profile, page } = await open(t);
  const sent = profile.sent.length;
  for (const button of await page.locator('#try button').all()) {
    await button.click();
    await says(page, 'Log in first');
  }
  assert.equal(profile.sent.length, sent);
});

test('the countdown shows validity, then the skew that the API allows, then the end; the clock difference in words', async (t) => {
  const profile = await s.profile(t);
  await profile.context.route('**/config.json', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ json: { ...(await answer.json()), clockSkew: 30 } });
  });
  const page = await openPage(t, s, profile.context, { clock: true });
  await simulateLogin(page);
  const left = page.locator('#left');
  assert.match(await left.textContent(), /^(59|60) seconds to live$/);
  assert.match(await page.locator('#clock').textContent(), /agree/);
  await page.clock.runFor(55_000);
  assert.match(await left.textContent(), /^[4-6] seconds to live$/);
  await page.clock.runFor(15_000);
  assert.match(await left.textContent(), /^over; the API still allows \d\d seconds$/);
  await page.clock.runFor(35_000);
  assert.match(await left.textContent(), /^expired \d+ seconds ago$/);
  await page.clock.setSystemTime(Date.now() - 2 * 86_400_000);
  await press(page, 'Simulate login');
  await page.locator('#clock').filter({ hasText: '2 days ahead of this machine' }).waitFor();
});

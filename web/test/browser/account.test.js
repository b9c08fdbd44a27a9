/** Without a demo user: log-in and registration; then sessions, name, e-mail, password and the end of the account. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';
import { installPacked } from '../consumer/install.js';
import { axe, openPage, press, says } from './demo-page.js';
import { PASSWORD, stage, stored } from './support.js';

const s = await stage({ NO_DEMO_USER: '1' });

const fill = async (page, form, values) => {
  for (const [name, value] of Object.entries(values)) await page.locator(`#form-${form}-${name}`).fill(value);
  await page.locator(`#form-${form} button`).click();
};

const problem = (page, form, words) => page.locator(`#form-${form}-problem`).filter({ hasText: words }).waitFor();

const signedIn = async (t) => {
  const user = await s.register();
  const profile = await s.profile(t, { reducedMotion: 'reduce' });
  const page = await openPage(t, s, profile.context);
  await fill(page, 'login', { email: user.email, password: PASSWORD });
  await says(page, 'Signed in.');
  await page.waitForSelector('#sessions-rows tr');
  return { user, profile, page };
};

test('it asks for a log-in or a registration, and says what is wrong with them', async (t) => {
  const profile = await s.profile(t, { viewport: { width: 1280, height: 720 }, reducedMotion: 'reduce' });
  const page = await openPage(t, s, profile.context);
  await says(page, 'Log in, or make an account');
  assert.deepEqual(await axe(page), []);
  assert.equal(await page.evaluate(() => scrollY), 0, 'the top of the page is in sight');
  const email = `new-${Date.now().toString(36)}@example.com`;
  await fill(page, 'login', { email, password: PASSWORD });
  await problem(page, 'login', 'E-mail and password do not fit together.');
  await fill(page, 'register', { userName: '王小明', email, password: PASSWORD });
  await says(page, 'Signed in.');
  assert.equal(await page.locator('#who b').textContent(), '王小明');
  assert.ok(!(await page.locator('#enter').isVisible()));
  await press(page, 'Log out');
  await says(page, 'Logged out');
  await fill(page, 'register', { userName: 'x', email, password: PASSWORD });
  await problem(page, 'register', 'There is an account with this e-mail already.');
  await press(page, 'Log in below');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'form-login-email');
  await fill(page, 'login', { email, password: PASSWORD });
  await says(page, 'Signed in.');
});

test('the sessions are listed with device, times and state; one of them is ended, then all', async (t) => {
  const { user, page } = await signedIn(t);
  const other = await s.signIn(user);
  await page.getByRole('button', { name: 'Reload' }).click();
  await page.waitForFunction(() => document.querySelectorAll('#sessions-rows tr').length === 2);
  const [mine, theirs] = [page.locator('#sessions-rows tr.current'), page.locator('#sessions-rows tr:not(.current)')];
  assert.match(await mine.innerText(), /Chrome \d+ on Linux.*\bnow\b.*in 14 days.*this session/s);
  assert.match(await theirs.innerText(), /lately.*active/s);
  await theirs.getByRole('button').click();
  await says(page, 'is over. Wherever it was, the next call there is refused.');
  await page.waitForSelector('#sessions-rows tr.ended');
  assert.match(await page.locator('#sessions-rows tr.ended').innerText(), /ended/);
  assert.deepEqual(await s.sessions(other.accessToken), [], 'dead at the service');
  assert.equal((await s.sessions((await stored(page)).accessToken)).length, 1);
  await s.signIn(user);
  await press(page, 'End all');
  await page.waitForSelector('[data-signed-in="false"]');
  const again = await s.signIn(user);
  assert.equal((await s.sessions(again.accessToken)).length, 1);
});

test('the list says where else a session was used from; times of use are no finer than the service tells them', async (t) => {
  const { profile, page } = await signedIn(t);
  const hour = Math.floor(Date.now() / 3_600_000) * 3600;
  await profile.context.route(`${s.authUrl}/api/account/sessions`, async (route) => {
    const answer = await route.fetch();
    const [mine] = await answer.json();
    const other = (id, lastUsedAt, alsoUsedFrom) => ({ ...mine, id, current: false, lastUsedAt, alsoUsedFrom });
    const robbed = { address: '203.0.113.7', device: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', at: hour - 3600 };
    const nasty = { address: '2001:db8::1', device: '<b>curl</b>', at: hour };
    await route.fulfill({ response: answer, json: [mine, other('1', hour - 3600, robbed), other('2', hour - 86_400, nasty), other('3', hour)] });
  });
  await press(page, 'Reload');
  await page.waitForFunction(() => document.querySelectorAll('#sessions-rows tr').length === 4);
  const rows = await page.locator('#sessions-rows tr').allInnerTexts();
  const [mine, robbed, nasty, fresh] = rows;
  assert.match(robbed, /Also used from 203\.0\.113\.7, Firefox 140 on Linux, about \S.*:00/);
  assert.match(robbed, /lately/);
  assert.match(nasty, /Also used from 2001:db8::1, <b>curl<\/b>, about/);
  assert.doesNotMatch(nasty, /lately|\bnow\b/);
  for (const row of [mine, fresh]) assert.doesNotMatch(row, /also used/i);
  assert.match(mine, /\bnow\b/);
  assert.deepEqual(await axe(page), []);
});

test('the name changes, and travels in the next token; the e-mail needs the current password', async (t) => {
  const { user, page } = await signedIn(t);
  assert.equal(await page.locator('#form-profile-userName').inputValue(), user.userName);
  await fill(page, 'profile', { userName: 'Ada', currentPassword: 'not my password' });
  await problem(page, 'profile', /\w/);
  await fill(page, 'profile', { userName: 'Ada', currentPassword: PASSWORD });
  await says(page, 'Saved.');
  assert.equal(await page.locator('#who b').textContent(), 'Ada');
  const email = `renamed-${user.email}`;
  await fill(page, 'profile', { email, currentPassword: PASSWORD });
  await page.waitForFunction((email) => document.querySelector('#parts').textContent.includes(email), email);
  await s.signIn({ email, password: PASSWORD });
});

test('a change of password ends every session but the new one of this tab, and the other tabs stay signed in', async (t) => {
  const { user, profile, page } = await signedIn(t);
  const second = await openPage(t, s, profile.context);
  const other = await s.signIn(user);
  await fill(page, 'password', { currentPassword: 'wrong one', newPassword: 'another long password' });
  await problem(page, 'password', /\w/);
  await fill(page, 'password', { currentPassword: PASSWORD, newPassword: 'another long password' });
  await says(page, 'The password is changed.');
  assert.deepEqual(await s.sessions(other.accessToken), []);
  await press(page, 'Get current time');
  await says(page, 'It checked the token by itself');
  await says(second, 'Signed in by another tab.');
  await press(second, 'Get current time');
  await says(second, 'It checked the token by itself');
  await s.signIn({ email: user.email, password: 'another long password' });
});

test('the account is deleted with the password, and is gone', async (t) => {
  const { user, page } = await signedIn(t);
  await fill(page, 'delete', { currentPassword: 'wrong one' });
  await problem(page, 'delete', /\w/);
  await fill(page, 'delete', { currentPassword: PASSWORD });
  await says(page, 'The account is gone');
  await page.waitForSelector('[data-signed-in="false"]');
  await fill(page, 'login', { email: user.email, password: PASSWORD });
  await problem(page, 'login', 'E-mail and password do not fit together.');
});

test('a mistyped current password is said so in every form, and signs nobody out', async (t) => {
  const { profile, page } = await signedIn(t);
  const before = await stored(page);
  const body = { type: 'about:blank', title: 'Forbidden', status: 403, code: 'wrong_current_password', requestId: 'test' };
  await profile.context.route(/\/api\/account(\/password|\/deletion)?$/, (route) =>
    route.fulfill({ status: 403, contentType: 'application/problem+json', headers: { 'Access-Control-Allow-Origin': '*' }, body: JSON.stringify(body) }),
  );
  const forms = { profile: { currentPassword: 'mistyped' }, password: { currentPassword: 'mistyped', newPassword: 'another long password' }, delete: { currentPassword: 'mistyped' } };
  for (const [form, values] of Object.entries(forms)) {
    await fill(page, form, values);
    await problem(page, form, 'The current password is wrong.');
  }
  assert.deepEqual(await stored(page), before);
  assert.equal(await page.locator('body').getAttribute('data-signed-in'), 'true');
  assert.deepEqual([profile.refreshes().length, profile.logouts().length], [0, 0]);
});

test('who mistypes the current password too often is told that it ended the session', async (t) => {
  const { profile, page } = await signedIn(t);
  const refuse = (pattern, code, more, headers) =>
    profile.context.route(pattern, (route) =>
      route.fulfill({
        status: 401,
        contentType: 'application/problem+json',
        headers: { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'act', ...headers },
        body: JSON.stringify({ type: 'about:blank', title: 'Unauthorized', status: 401, code, requestId: 'test', ...more }),
      }),
    );
  await refuse(/\/api\/account$/, 'token_revoked', {}, { act: 'revoked' });
  await refuse(s.refreshUrl, 'session_revoked', { reason: 'guessing' });
  await fill(page, 'profile', { currentPassword: 'mistyped' });
  await says(page, 'Signed out: too many wrong current passwords came from this session.');
  await page.waitForSelector('[data-signed-in="false"]');
});

test('36. a TypeScript consumer of the packed module logs in to the real services', async (t) => {
  const { email, userName } = await s.register(); // before the compiler holds this process up for seconds
  const { compile, start } = installPacked(t);
  assert.equal(compile(), '');
  const { stdout } = await promisify(execFile)(process.execPath, start(s.authUrl, s.resourceUrl, email, PASSWORD));
  const { sub, today, ...rest } = JSON.parse(stdout);
  assert.match(sub, /^[0-9a-f-]{36}$/);
  assert.match(today, /^\d{4}-\d\d-\d\d$/);
  assert.deepEqual(rest, { name: userName, status: 200, turned: true, out: null, said: ['logout false'] });
});

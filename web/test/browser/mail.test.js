/** Where mail is sent: an address is proven, a password forgotten, an address changed, each from the page to the mail and back. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { axe, openPage, press, says } from './demo-page.js';
import { comeBack, fill, follow, freshAddress, mailFolder, mailed, problem } from './mailbox.js';
import { PASSWORD, stage } from './support.js';

const s = await stage({ MAIL_URL: mailFolder() });

const NEW_PASSWORD = 'quite another password';
const address = (page) => page.locator('#account-address');
const accountSays = (page, words) => address(page).filter({ hasText: words }).waitFor();

const open = async (t, options) => {
  const profile = await s.profile(t, { reducedMotion: 'reduce', ...options });
  const page = await openPage(t, s, profile.context);
  await page.getByText('Use an account of your own').click();
  return { profile, page };
};

/** Somebody who just registered on the page. */
const registered = async (t, options) => {
  const { profile, page } = await open(t, options);
  const email = freshAddress();
  await fill(page, 'register', { userName: 'Ada', email, password: PASSWORD });
  await says(page, 'Signed in.');
  const link = await mailed(page, email, 'Confirm your address');
  return { profile, page, email, link };
};

test('register, open the link of the mail in a second tab, confirm: the account says verified', async (t) => {
  const { profile, page, email, link } = await registered(t);
  await accountSays(page, `${email} not verified`);
  assert.equal(await link.getAttribute('rel'), 'noopener noreferrer');
  assert.match(await page.locator('#mail .mail-text').innerText(), /^Hello,\n\nSomebody registered at/);
  assert.deepEqual(await axe(page), []);

  const hosted = await follow(profile.context, link);
  assert.equal(new URL(hosted.url()).pathname, '/account/verify');
  assert.equal(new URL(hosted.url()).hash, '', 'the token is not left in the history');
  await comeBack(page);
  await accountSays(page, 'not verified');
  await press(hosted, 'Confirm');
  await hosted.getByRole('heading', { name: 'The address is confirmed' }).waitFor();

  await comeBack(page);
  await page.waitForFunction(() => document.querySelector('#account-state').textContent === 'verified');
  assert.ok(!(await page.locator('#send-again').isVisible()), 'nothing is left to prove');
  const sent = profile.sent.length;
  await comeBack(page);
  assert.equal(profile.sent.length, sent, 'and nothing to ask for');
  await press(page, 'Close');
  assert.ok(!(await page.locator('#mail').isVisible()));
});

test('the link is sent again, and soon after that it is said when the next one can go', async (t) => {
  const { page, email, link } = await registered(t);
  const first = await link.getAttribute('href');
  // Two links of one second are the same.
  await page.waitForFunction((was) => Math.floor(Date.now() / 1000) > was, Math.floor(Date.now() / 1000));
  await press(page, 'Send the link again');
  await says(page, `A mail with a link is on its way to ${email}.`);
  await page.waitForFunction((first) => document.querySelector('#mail a') && document.querySelector('#mail a').href !== first, first);
  assert.equal(await page.locator('#account > #mail').count(), 1, 'it is where it was asked for');
  await press(page, 'Send the link again');
  await says(page, 'A mail was asked for a moment ago. The next one can go in ');
});

test('forgot the password: a mail, a new one on the page it leads to, every session over, and in with the new one', async (t) => {
  const user = await s.register();
  const elsewhere = await s.profile(t, { reducedMotion: 'reduce' });
  const old = await openPage(t, s, elsewhere.context);
  await old.getByText('Use an account of your own').click();
  await fill(old, 'login', { email: user.email, password: PASSWORD });
  await says(old, 'Signed in.');

  const { profile, page } = await open(t);
  await page.locator('#form-login-email').fill(user.email);
  await press(page, 'Forgot password?');
  assert.equal(await page.locator('#form-forgot-email').inputValue(), user.email, 'typed once');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'form-forgot-email');
  await page.keyboard.press('Enter');
  await says(page, 'If there is an account with this address, a mail is on its way.');
  const link = await mailed(page, user.email, 'Choose a new password');
  assert.deepEqual(await axe(page), []);

  const hosted = await follow(profile.context, link);
  assert.equal(new URL(hosted.url()).pathname, '/account/reset');
  await hosted.getByLabel('New password').fill('password1');
  await press(hosted, 'Set the password');
  await hosted.getByRole('alert').filter({ hasText: 'This password is easy to guess. ' }).waitFor();
  const described = await hosted.getByLabel('New password').getAttribute('aria-describedby');
  assert.ok(described.split(' ').includes('fault'), 'the field says why');
  await hosted.getByLabel('New password').fill(NEW_PASSWORD);
  await press(hosted, 'Set the password');
  await hosted.getByRole('heading', { name: 'The password is set' }).waitFor();

  await press(old, 'Get current time');
  await says(old, 'Signed out: the password was changed.');
  await press(page, 'Back to the log-in');
  await fill(page, 'login', { email: user.email, password: PASSWORD });
  await problem(page, 'login', 'E-mail and password do not fit together.');
  await fill(page, 'login', { email: user.email, password: NEW_PASSWORD });
  await says(page, 'Signed in.');
  assert.ok(!(await page.locator('#mail').isVisible()), 'the mail is done with');
  await page.waitForFunction(() => document.querySelector('#account-state').textContent === 'verified');
});

test('an address that is nobody’s is answered alike, and no mail comes', async (t) => {
  const { page } = await open(t);
  await press(page, 'Forgot password?');
  await fill(page, 'forgot', { email: freshAddress() });
  await says(page, 'If there is an account with this address, a mail is on its way.');
  await page.locator('#mail-news').filter({ hasText: 'None came. Perhaps no account has this address.' }).waitFor();
  assert.equal(await page.locator('#mail a').count(), 0);
});

test('a second mail within the minute does not come: the last one is shown as that', async (t) => {
  const { page, email } = await registered(t);
  await press(page, 'Log out');
  await press(page, 'Forgot password?');
  await fill(page, 'forgot', { email });
  const first = await (await mailed(page, email, 'Choose a new password')).getAttribute('href');
  await fill(page, 'forgot', { email });
  await page.locator('#mail-news').filter({ hasText: 'No newer one came yet. An account gets one mail a minute' }).waitFor();
  assert.equal(await page.locator('#mail a').getAttribute('href'), first);
});

test('too many mails asked for from one place: when the next one can go', async (t) => {
  const { profile, page } = await open(t);
  await profile.context.route('**/api/account/password/forgot', (route) =>
    route.fulfill({ status: 429, contentType: 'application/problem+json', headers: { 'Retry-After': '40' }, body: JSON.stringify({ status: 429, code: 'too_many_attempts' }) }),
  );
  await press(page, 'Forgot password?');
  await fill(page, 'forgot', { email: freshAddress() });
  await problem(page, 'forgot', 'A mail was asked for a moment ago. The next one can go in 40 seconds.');
  assert.ok(!(await page.locator('#mail').isVisible()));
});

test('a weak password is refused with the service’s advice, at the field', async (t) => {
  const { page } = await open(t);
  const email = freshAddress();
  await fill(page, 'register', { userName: 'Ada', email, password: 'password1' });
  await problem(page, 'register', /^This password is easy to guess\. .+ words/);
  const field = page.locator('#form-register-password');
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.equal(await field.getAttribute('aria-describedby'), 'form-register-problem');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'form-register-password');
  assert.deepEqual(await axe(page), []);
  await fill(page, 'register', { password: PASSWORD });
  await says(page, 'Signed in.');
  assert.equal(await page.locator('[aria-invalid]').count(), 0);
  await fill(page, 'password', { currentPassword: PASSWORD, newPassword: 'qwertyuiop' });
  await problem(page, 'password', /^This password is easy to guess\./);
});

test('a new address waits for its link, which confirms it; a change of the name meanwhile does not take it back', async (t) => {
  const { profile, page, email } = await registered(t);
  const wanted = `new-${email}`;
  await fill(page, 'profile', { email: wanted, currentPassword: PASSWORD });
  await says(page, `Waiting for ${wanted}: open the link that was sent there. Until then the address stays ${email}.`);
  await accountSays(page, `${email} not verified Waiting for ${wanted}`);
  const link = await mailed(page, wanted, /./);
  assert.equal(await page.locator('#form-profile-email').inputValue(), email, 'what it still is');

  await fill(page, 'profile', { userName: 'Ada Lovelace', currentPassword: PASSWORD });
  await says(page, 'Saved.');
  assert.equal(await page.locator('#who b').textContent(), 'Ada Lovelace');
  await accountSays(page, `Waiting for ${wanted}`);

  const hosted = await follow(profile.context, link);
  await press(hosted, 'Confirm');
  await hosted.getByRole('heading', { name: 'The address is confirmed' }).waitFor();
  await comeBack(page);
  await page.waitForFunction((wanted) => document.querySelector('#account-email').textContent === wanted, wanted);
  assert.match((await address(page).innerText()).replace(/\s+/g, ' '), new RegExp(`^${wanted} verified ?$`));
  assert.equal(await page.locator('#form-profile-email').inputValue(), wanted);
  await s.signIn({ email: wanted, password: PASSWORD });
});

test('a new address is taken back with the password, and its link opens nothing', async (t) => {
  const { profile, page, email } = await registered(t);
  const wanted = `new-${email}`;
  await fill(page, 'profile', { email: wanted, currentPassword: PASSWORD });
  const link = await mailed(page, wanted, /./);
  const hosted = await follow(profile.context, link);
  await press(page, 'Take the new address back');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'form-profile-currentPassword', 'it wants the password');
  await page.locator('#form-profile-currentPassword').fill(PASSWORD);
  await press(page, 'Take the new address back');
  await says(page, `Taken back: the address stays ${email}.`);
  await page.waitForFunction(() => document.querySelector('#account-pending').textContent === '');
  assert.equal(await page.getByRole('button', { name: 'Take the new address back' }).count(), 0);
  await press(hosted, 'Confirm');
  await hosted.getByRole('heading', { name: 'That did not work' }).waitFor();
});

test('without scripts the page of a link asks for its code, which can be pasted', async (t) => {
  const { page, email, link } = await registered(t);
  const href = await link.getAttribute('href');
  const { context } = await s.profile(t, { javaScriptEnabled: false });
  const hosted = await context.newPage();
  await hosted.goto(href);
  const field = hosted.getByLabel('Code of the link');
  assert.ok(await field.isVisible());
  await field.focus();
  await hosted.keyboard.insertText(`${href.split('#token=')[1]}\n`);
  await press(hosted, 'Confirm');
  await hosted.getByRole('heading', { name: 'The address is confirmed' }).waitFor();
  await comeBack(page);
  await accountSays(page, `${email} verified`);
});

test('a mail is text: markup in it is shown as it is, and only a web address becomes a link', async (t) => {
  const { profile, page } = await open(t);
  const mail = { subject: '<b>王</b>', text: 'see <img src=x onerror=alert(1)>\njavascript:alert(1)', link: 'javascript:alert(1)' };
  await profile.context.route('**/demo/mail.json*', (route) => route.fulfill({ json: { to: new URL(route.request().url()).searchParams.get('to'), ...mail } }));
  const email = freshAddress();
  await fill(page, 'register', { userName: 'Ada', email, password: PASSWORD });
  await page.locator('#mail h3').waitFor();
  assert.equal(await page.locator('#mail h3').textContent(), mail.subject);
  assert.equal(await page.locator('#mail .mail-text').textContent(), mail.text);
  assert.equal(await page.locator('#mail a, #mail img, #mail b').count(), 0);
});

for (const colorScheme of ['light', 'dark']) {
  test(`at 320 px, ${colorScheme}: nothing is cut off, what is pressed is 44 px high, axe finds nothing`, async (t) => {
    const { page, email } = await registered(t, { colorScheme, viewport: { width: 320, height: 640 } });
    const check = async () => {
      assert.deepEqual(await page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector('.mail-text').scrollWidth - document.querySelector('.mail-text').clientWidth]), [320, 0]);
      for (const each of await page.locator('.form button:visible, .field input:visible, #mail button, #mail a, .quiet:visible, #send-again:visible').all()) {
        const { height } = await each.boundingBox();
        assert.ok(height >= 44, `${await each.textContent()} ${height}`);
      }
      assert.deepEqual(await axe(page), []);
    };
    await check();
    await fill(page, 'profile', { email: `new-${email}`, currentPassword: PASSWORD });
    await mailed(page, `new-${email}`, /./);
    await check();
  });
}

test('without mail the page offers none of it', async (t) => {
  const profile = await s.profile(t, { reducedMotion: 'reduce' });
  await profile.context.route('**/config.json', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ json: { ...(await answer.json()), mail: false, showsMail: false } });
  });
  const page = await openPage(t, s, profile.context);
  await page.getByText('Use an account of your own').click();
  assert.equal(await page.getByRole('button', { name: 'Forgot password?' }).count(), 0);
  await fill(page, 'register', { userName: 'Ada', email: freshAddress(), password: PASSWORD });
  await says(page, 'Signed in.');
  await accountSays(page, 'not verified');
  assert.ok(!(await page.locator('#send-again').isVisible()));
  assert.ok(!profile.sent.some((request) => request.url().includes('mail.json')));
});

/** Where an address must be proven before the first log-in: `REGISTRATION=verified`. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { openPage, press, says } from './demo-page.js';
import { fill, follow, freshAddress, mailFolder, mailed, problem } from './mailbox.js';
import { PASSWORD, stage } from './support.js';

const s = await stage({ MAIL_URL: mailFolder(), REGISTRATION: 'verified' });

const open = async (t) => {
  const profile = await s.profile(t, { reducedMotion: 'reduce' });
  const page = await openPage(t, s, profile.context);
  await page.getByText('Use an account of your own').click();
  return { profile, page };
};

test('registering leads to the mail, logging in before that leads there again, and after it in', async (t) => {
  const { profile, page } = await open(t);
  const email = freshAddress();
  await fill(page, 'register', { userName: 'Ada', email, password: PASSWORD });
  await says(page, 'A mail with a link is on its way; open it, then log in.');
  await mailed(page, email, 'Confirm your address');
  await press(page, 'Close');
  assert.equal(await page.locator('#form-login-email').inputValue(), email, 'typed once');
  await fill(page, 'login', { password: PASSWORD });
  await problem(page, 'login', 'This address is not confirmed yet. A mail with a link was sent again');
  const hosted = await follow(profile.context, await mailed(page, email, 'Confirm your address'));
  await press(hosted, 'Confirm');
  await hosted.getByRole('heading', { name: 'The address is confirmed' }).waitFor();
  await fill(page, 'login', { password: PASSWORD });
  await says(page, 'Signed in.');
  await page.locator('#account-state').filter({ hasText: /^verified$/ }).waitFor();
});

test('who registers an address that is taken reads the same, and its owner gets a mail', async (t) => {
  const { profile, page } = await open(t);
  const email = freshAddress();
  await fill(page, 'register', { userName: 'Ada', email, password: PASSWORD });
  const hosted = await follow(profile.context, await mailed(page, email, 'Confirm your address'));
  await press(hosted, 'Confirm');
  await hosted.getByRole('heading', { name: 'The address is confirmed' }).waitFor();
  await fill(page, 'register', { userName: 'Eve', email, password: 'quite another password' });
  await says(page, 'A mail with a link is on its way; open it, then log in.');
  await mailed(page, email, 'You already have an account');
  await fill(page, 'login', { email, password: 'quite another password' });
  await problem(page, 'login', 'E-mail and password do not fit together.');
});

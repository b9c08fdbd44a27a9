/** The loop of the seeds with tokens that really expire: nothing is tampered with, the caller only ever sees 200. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { openPage, press, says, simulateLogin } from './demo-page.js';
import { stage } from './support.js';

const s = await stage({ ACCESS_TOKEN_TTL: '2s' });

test('while tokens of 2 s expire one after the other, three tabs see nothing but 200, and each token is refreshed once', async (t) => {
  const profile = await s.profile(t);
  const tabs = [await profile.tab(), await profile.tab(), await profile.tab()];
  const user = await s.register();
  await tabs[0].evaluate((user) => client.login(user), user);
  // Until the first tab has heard of three turns, all of them call.
  const statuses = await Promise.all(
    tabs.map((tab) =>
      tab.evaluate(async () => {
        const seen = [];
        while (events.filter(({ name }) => name === 'refreshed').length < 3) seen.push((await call()).status);
        return seen;
      }),
    ),
  );
  assert.deepEqual([...new Set(statuses.flat())], [200]);
  const spent = profile.refreshes().map((request) => request.postDataJSON().refreshToken);
  assert.equal(new Set(spent).size, spent.length, 'no refresh token was sent twice');
  assert.ok(spent.length >= 3 && spent.length <= 5, `${spent.length} refreshes`);
});

test('on the page: the token dies in front of you, and the next click becomes three requests', async (t) => {
  const profile = await s.profile(t, { reducedMotion: 'reduce' });
  const page = await openPage(t, s, profile.context);
  await simulateLogin(page);
  await page.locator('#left').filter({ hasText: 'expired' }).waitFor();
  await press(page, 'Get current time');
  await says(page, 'one click became three requests');
  assert.equal(profile.refreshes().length, 1);
});

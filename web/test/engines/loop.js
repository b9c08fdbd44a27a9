/** The loop of the seeds with tokens that really expire, and the page's main way: nothing is tampered with. */
import assert from 'node:assert/strict';
import { gate } from '../services.js';
import { stage, until } from './stage.js';

// Judged by whole seconds, so alive for three: a machine that stands still between a refresh and the repeated call for
// longer than that shows a 401, as it should.
const scenario = await stage({ ACCESS_TOKEN_TTL: '4s' });

scenario('while tokens of 4 s expire one after the other, three tabs see nothing but 200, and each token is refreshed once', async (s) => {
  const tabs = [await s.client(), await s.client(), await s.client()];
  await tabs[0].evaluate(async (user) => void (await client.login(user)), await s.register());
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
  const spent = s.refreshes().map(({ body }) => JSON.parse(body).refreshToken);
  assert.equal(new Set(spent).size, spent.length, 'no refresh token was sent twice');
  assert.ok(spent.length >= 3 && spent.length <= 5, `${spent.length} refreshes`);
});

/** The one sentence of the last click. */
const says = (tab, words) => until(tab, (words) => document.querySelector('#status')?.textContent.includes(words), words);
const isReady = (tab) => until(tab, () => document.body?.dataset.ready === 'true');

scenario('the page’s main way: log in, get the time, see the token die, get the time again, log out', async (s) => {
  const page = await s.tab();
  await page.goto(s.auth.url);
  await isReady(page);
  await page.click('#time');
  await says(page, 'Log in first');
  await page.click('#login');
  await says(page, 'Signed in.');
  await until(page, () => document.querySelector('#sessions-rows tr.current') !== null);
  await until(page, () => document.querySelector('#left').textContent.includes('expired'));
  await page.click('#time');
  await says(page, 'one click became three requests');
  assert.equal(s.refreshes().length, 1);
  const steps = await page.evaluate(() => [...document.querySelectorAll('#flow > li:last-child .messages code')].map(({ textContent }) => textContent));
  assert.deepEqual(steps, ['GET /api/home', '401 act: expired', 'POST …/refresh-token', '200', 'GET /api/home', '200']);

  const second = await s.tab();
  await second.goto(s.auth.url);
  await says(second, 'Welcome back.');
  await page.click('#logout');
  await says(page, 'Logged out.');
  await says(second, 'it happened in another tab');
  assert.equal(await page.evaluate(() => localStorage.getItem('token-session')), null);
  assert.equal(s.logouts().length, 1);
});

scenario('a button that is not ready is disabled, after a reload too: no click is lost', async (s, t) => {
  const page = await s.tab();
  /** Holds the script or the addresses back while the page comes, and looks at it meanwhile. */
  const looked = async (path, come) => {
    const held = gate();
    t.after(held.go);
    s.auth.rule = async (passed, pass) => {
      if (passed.path === path) {
        held.reach();
        await held.open;
      }
      return pass();
    };
    const coming = come();
    await held.reached;
    await until(page, () => document.querySelector('#account') !== null);
    const seen = await page.evaluate(() => [document.querySelector('#status').textContent, ...[...document.querySelectorAll('button:enabled')].map(({ id }) => id)]);
    held.go();
    await coming;
    await isReady(page);
    assert.deepEqual(seen, ['Starting …'], path);
    assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('button:disabled')].map(({ id }) => id)), [], path);
  };
  await looked('/demo.js', () => page.goto(s.auth.url));
  await looked('/demo.js', () => page.reload());
  await looked('/config.json', () => page.reload());
  await page.click('#login');
  await says(page, 'Signed in.');
});

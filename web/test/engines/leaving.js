/** Log-out, with and without a network, and who gets the tokens: statements 24 and 34. */
import assert from 'node:assert/strict';
import { stored } from '../in-page.js';
import { heard, stage, until } from './stage.js';
import { openStranger } from './stranger.js';

const scenario = await stage();

const signedIn = async (s, count = 1) => {
  const tabs = [];
  for (let i = 0; i < count; i += 1) tabs.push(await s.client());
  const user = await s.register();
  await tabs[0].evaluate(async (user) => void (await client.login(user)), user);
  for (const tab of tabs.slice(1)) await heard(tab, 'signedIn', true);
  return { user, tabs, old: await stored(tabs[0]) };
};

scenario('34. logout() empties storage and emits before its first await, tells the service, never rejects', async (s) => {
  const { tabs, old } = await signedIn(s, 2);
  const seen = await tabs[0].evaluate(() => {
    const leaving = client.logout();
    const now = { stored: localStorage.getItem('token-session'), events: events.filter(({ name }) => name === 'signedOut') };
    return leaving.then((value) => ({ ...now, value: value ?? null, left: Object.keys(localStorage) }));
  });
  assert.equal(seen.stored, null);
  assert.deepEqual(seen.events.map(({ reason, remote }) => [reason, remote]), [['logout', false]]);
  assert.equal(seen.value, null);
  assert.deepEqual(seen.left.filter((key) => key !== 'token-session-devices'), [], 'nothing waits to be told');
  await heard(tabs[1], 'signedOut', true);
  assert.deepEqual(await s.sessions(old.accessToken), [], 'over at the service');
});

scenario('34. … the service hears of it although the tab goes away in the same breath', async (s) => {
  const { user, tabs } = await signedIn(s);
  const other = await s.signIn(user);
  await tabs[0]
    .evaluate(() => {
      void client.logout();
      location.href = 'about:blank';
    })
    .catch(() => {}); // some drivers miss the answer of a page that is gone
  for (const end = Date.now() + 15_000; (await s.sessions(other.accessToken)).length > 1; ) assert.ok(Date.now() < end, 'the session lives');
});

scenario('34. … without a network it is remembered, and told at the next chance, by whichever page takes it', async (s) => {
  const { user, tabs } = await signedIn(s);
  const other = await s.signIn(user);
  const usual = s.auth.rule;
  s.auth.rule = () => null;
  const seen = await tabs[0].evaluate(async () => {
    await client.logout();
    return { session: client.session, events: events.map(({ name, reason }) => `${name} ${reason ?? ''}`) };
  });
  assert.deepEqual(seen, { session: null, events: ['signedIn ', 'signedOut logout'] });
  assert.equal((await s.sessions(other.accessToken)).length, 2);
  await s.tab(); // with its last tab, a profile may be gone
  await tabs[0].close();
  s.auth.rule = usual;
  const next = await s.client();
  const before = s.logouts().length;
  assert.equal(await next.evaluate(() => client.session), null);
  assert.equal(s.logouts().length, before, 'a new page alone sends nothing');
  assert.equal((await next.evaluate(() => call())).status, 401);
  await until(next, () => localStorage.getItem('token-session-logouts') === null);
  assert.equal(s.logouts().length, before + 1);
  assert.equal((await s.sessions(other.accessToken)).length, 1);
});

scenario('24. an API call that is redirected to another origin does not carry the token there', async (s, t) => {
  const [api, elsewhere] = [await openStranger(t), await openStranger(t)];
  const tab = await s.client({ api: api.url });
  await tab.evaluate(async (user) => void (await client.login(user)), await s.register());
  const token = `Bearer ${(await stored(tab)).accessToken}`;
  const sentOn = (status, to) => `${api.url}/to/${status}/${encodeURIComponent(to)}`;
  for (const status of [301, 302, 303, 307, 308]) {
    for (const init of [{}, { method: 'POST', body: 'x' }]) {
      const away = `${elsewhere.url}/caught`;
      const urls = [sentOn(status, away), sentOn(status, sentOn(status, away)), sentOn(status, '/moved')];
      const answers = await tab.evaluate(([urls, init]) => Promise.all(urls.map((url) => call(init, url))), [urls, init]);
      assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200], JSON.stringify(answers));
    }
  }
  assert.equal(elsewhere.seen.length, 20, 'the redirects were followed');
  assert.deepEqual(elsewhere.seen.filter(({ token }) => token), []);
  assert.equal(api.seen.filter(({ path }) => path === '/moved').length, 10);
  assert.deepEqual(api.seen.filter((one) => one.token !== token), [], 'within the API the token goes along');
});

scenario('24. a <base> put into the page gets neither bearer nor log-in, refresh, log-out or password', async (s, t) => {
  const evil = await openStranger(t);
  const tab = await s.client({ authority: undefined });
  await tab.evaluate((href) => void document.head.append(Object.assign(document.createElement('base'), { href })), `${evil.url}/api/account/`);
  const user = await s.register();
  await tab.evaluate(async (user) => void (await client.login(user)), user);
  const relative = await tab.evaluate(() => Promise.all(['sessions', '/api/account/sessions', '?x'].map((url) => call({ method: 'POST', body: 'x' }, url))));
  assert.deepEqual(relative.map(({ status }) => status), [200, 200, 200], 'the platform sends a relative address there');
  assert.equal(await tab.evaluate(async () => (await client.refresh()).claims.email), user.email);
  await tab.evaluate(() => client.logout());
  assert.deepEqual([s.refreshes().length, s.logouts().length], [1, 1]);
  assert.equal(evil.seen.length, 3);
  assert.deepEqual(evil.seen.filter(({ token, body }) => token || body !== 'x'), []);
});

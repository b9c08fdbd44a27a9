/** Statements 14, 18 and 37, and `act: revoked`: what goes wrong, and who stays signed in. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { expire, expiredAnswer, heard, stage, stored } from './support.js';

const s = await stage();

const signedIn = async (t, count = 1) => {
  const user = await s.register();
  const profile = await s.profile(t);
  const tabs = [];
  for (let i = 0; i < count; i += 1) tabs.push(await profile.tab());
  await tabs[0].evaluate((user) => client.login(user), user);
  for (const tab of tabs.slice(1)) await heard(tab, 'signedIn', true);
  return { user, profile, tabs, old: await stored(tabs[0]) };
};

const named = (tab, name) => tab.evaluate((name) => events.filter((event) => event.name === name), name);

test('14. could not refresh for a passing reason: fetch rejects with unavailable, the session is kept, an error event goes out, the next call tries again; navigator.onLine is not asked', async (t) => {
  const { profile, tabs, old } = await signedIn(t);
  const [tab] = tabs;
  await tab.clock.install();
  await tab.evaluate(() => {
    Object.defineProperty(navigator, 'onLine', { get: () => assertNever(), configurable: true });
    window.asked = 0;
    window.assertNever = () => (window.asked += 1);
  });
  await expire(profile.context, s.home, old.accessToken);
  await profile.context.route(s.refreshUrl, (route) => route.abort('internetdisconnected'));
  const call = tab.evaluate(() => call());
  await tab.waitForRequest(s.refreshUrl);
  await tab.clock.runFor(800); // the pause before the second attempt
  assert.deepEqual((({ error, code }) => ({ error, code }))(await call), { error: 'TokenError', code: 'unavailable' });
  assert.equal(profile.refreshes().length, 2);
  assert.deepEqual((await named(tab, 'error')).map(({ code, remote }) => [code, remote]), [['unavailable', false]]);
  assert.equal((await stored(tab)).refreshToken, old.refreshToken);

  await profile.context.unroute(s.refreshUrl);
  assert.equal((await tab.evaluate(() => call())).code, 'unavailable', 'at once: it was a moment ago');
  assert.equal(profile.refreshes().length, 2);
  await tab.clock.runFor(1100);
  assert.equal((await tab.evaluate(() => call())).status, 200);
  assert.deepEqual(await named(tab, 'signedOut'), []);
  assert.equal(await tab.evaluate(() => window.asked), 0);
});

test('18. after a refusal fetch resolves with the original 401, body unread; signedOut is emitted once in every tab; the client never navigates', async (t) => {
  const { user, profile, tabs, old } = await signedIn(t, 3);
  const before = tabs.map((tab) => tab.url());
  // The session is ended for real, from another device.
  const other = await s.signIn(user);
  const [{ id }] = (await s.sessions(other.accessToken)).filter(({ current }) => !current);
  const ended = await fetch(`${s.authUrl}/api/account/sessions/${id}`, { method: 'DELETE', headers: { Authorization: `Bearer ${other.accessToken}` } });
  assert.equal(ended.status, 204);
  await expire(profile.context, s.home, old.accessToken);

  const answers = await Promise.all(tabs.slice(0, 2).map((tab) => tab.evaluate(() => Promise.all([call(), call()]))));
  for (const { status, act, bodyUsed, text } of answers.flat()) {
    assert.deepEqual({ status, act, bodyUsed }, { status: 401, act: 'expired', bodyUsed: false });
    assert.equal(JSON.parse(text).code, 'token_expired');
  }
  for (const tab of tabs) {
    await heard(tab, 'signedOut');
    await tab.evaluate(() => client.session); // whatever was on its way has arrived
    assert.equal((await named(tab, 'signedOut')).length, 1);
  }
  const reasons = (await Promise.all(tabs.map((tab) => named(tab, 'signedOut')))).flat().map(({ remote, reason }) => `${reason} ${remote}`);
  assert.deepEqual(reasons.sort(), ['elsewhere true', 'elsewhere true', 'ended false']);
  assert.deepEqual(tabs.map((tab) => tab.url()), before);
  assert.equal(await tabs[2].evaluate(() => localStorage.getItem('token-session')), null);
});

test('act: revoked is followed like act: expired: the refresh decides, and every tab is signed out within a second of the first refused refresh', async (t) => {
  const { user, tabs } = await signedIn(t, 3);
  const other = await s.signIn(user);
  await fetch(`${s.authUrl}/api/account/sessions`, { method: 'DELETE', headers: { Authorization: `Bearer ${other.accessToken}` } });
  const refused = tabs[0].waitForResponse((response) => response.url() === s.refreshUrl && response.status() === 401);
  // The API hears of it from the feed; until then it answers 200.
  const act = await tabs[0].evaluate(async () => {
    for (;;) {
      const { status, act } = await call();
      if (status !== 200) return `${status} ${act}`;
    }
  });
  assert.equal(act, '401 revoked');
  const at = Date.now();
  assert.equal((await (await refused).json()).code, 'session_revoked');
  for (const tab of tabs) {
    await heard(tab, 'signedOut');
    const [{ at: when }] = await named(tab, 'signedOut');
    assert.ok(when - at < 1000, `${when - at} ms`);
    assert.equal(await tab.evaluate(() => client.session), null);
  }
});

test('act: revoked … and a token that was only signed under a revoked key lives on', async (t) => {
  const { profile, tabs, old } = await signedIn(t);
  const revoked = { ...expiredAnswer, headers: { ...expiredAnswer.headers, act: 'revoked' } };
  await profile.context.route(s.home, (route) =>
    route.request().headers().authorization?.endsWith(old.accessToken) ? route.fulfill(revoked) : route.fallback(),
  );
  assert.equal((await tabs[0].evaluate(() => call())).status, 200);
  assert.equal(profile.refreshes().length, 1);
});

test('37. the deviceToken of a log-in survives log-out and goes with that account’s next log-in only, from whichever tab', async (t) => {
  const [ada, bob] = [await s.register(), await s.register()];
  const profile = await s.profile(t);
  const url = `${s.authUrl}/api/account/login`;
  const answered = [];
  // The service's own token where it gives one.
  await profile.context.route(url, async (route) => {
    const { deviceToken } = route.request().postDataJSON();
    const answer = await route.fetch();
    const { deviceToken: given = `device-${answered.length}`, ...pair } = await answer.json();
    answered.push({ deviceToken, given });
    await route.fulfill({ response: answer, json: { ...pair, deviceToken: given } });
  });
  const tabs = [await profile.tab(), await profile.tab()];
  for (const [tab, user] of [[0, ada], [1, ada], [1, bob], [0, ada]]) {
    await tabs[tab].evaluate((user) => client.login(user), user);
    await tabs[tab].evaluate(() => client.logout());
  }
  const [first, second] = answered.map(({ given }) => given);
  assert.deepEqual(answered.map(({ deviceToken }) => deviceToken), [undefined, first, undefined, second]);
});

/** Statements 5–7 and 10 in a real browser: one refresh for all tabs, and tabs that go away at the worst moment. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { expire, gate, stage, stored } from './support.js';

const s = await stage();

/** Tabs of one profile, signed in, whose token the API calls expired from now on. */
const expiredTabs = async (t, count, options = []) => {
  const user = await s.register();
  const profile = await s.profile(t);
  const tabs = [];
  for (let i = 0; i < count; i += 1) tabs.push(await profile.tab(options[i]));
  await tabs[0].evaluate((user) => client.login(user), user);
  const old = await stored(tabs[0]);
  await expire(profile.context, s.home, old.accessToken);
  return { user, profile, tabs, old };
};

const call = (tab) => tab.evaluate(() => call());

/** The service's count of rotations since now. */
const rotationsFrom = async () => {
  const before = await s.counted('rotated');
  return async () => (await s.counted('rotated')) - before;
};

test('5. the pair is stored before the lock is released; the lock is released before any listener runs; no application code runs inside it', async (t) => {
  const { profile, tabs } = await expiredTabs(t, 2);
  const held = gate();
  await profile.context.route(s.refreshUrl, async (route) => {
    held.reach();
    await held.open;
    await route.continue();
  });
  const refreshed = tabs[0].evaluate(() => client.refresh().then(({ accessToken }) => accessToken));
  await held.reached;
  const name = await tabs[0].evaluate(async () => (await navigator.locks.query()).held[0].name);
  // Whoever gets the lock next, in another tab, finds the new pair.
  const next = tabs[1].evaluate((name) => navigator.locks.request(name, () => JSON.parse(localStorage.getItem('token-session')).accessToken), name);
  await tabs[1].waitForFunction(async () => (await navigator.locks.query()).pending.length > 0);
  held.go();
  assert.equal(await next, await refreshed);

  // In a listener the lock is free and the pair in storage.
  const inListener = await tabs[0].evaluate(async (name) => {
    const found = new Promise((resolve) => {
      client.on('refreshed', () => {
        const { accessToken } = JSON.parse(localStorage.getItem('token-session'));
        navigator.locks.request(name, { ifAvailable: true }, (lock) => resolve({ free: lock !== null, accessToken }));
      });
    });
    await client.refresh();
    return found;
  }, name);
  assert.deepEqual(inListener, { free: true, accessToken: (await stored(tabs[0])).accessToken });
});

test('6. the wait for the lock is bounded and longer than the longest hold; after it the client re-reads storage and goes on without; it never steals', async (t) => {
  // Tab 0 is suspended with the lock in hand; tab 1 waits 500 + 2000 ms for it.
  const { profile, tabs } = await expiredTabs(t, 2, [{ timeout: 60_000 }, { timeout: 500 }]);
  const held = gate();
  await profile.context.route(
    s.refreshUrl,
    async (route) => {
      held.reach();
      await held.open;
      await route.continue();
    },
    { times: 1 },
  );
  const suspendedCall = call(tabs[0]);
  await held.reached;
  const pid = await suspend(tabs[0], tabs[1]);
  t.after(() => signal(pid, 'SIGCONT'));
  const { answer, took, stolen } = await tabs[1].evaluate(async () => {
    const start = performance.now();
    const answer = await call();
    const { held } = await navigator.locks.query();
    return { answer, took: performance.now() - start, stolen: held.length === 0 };
  });
  assert.equal(answer.status, 200);
  assert.ok(took >= 2400 && took < 6000, `${took} ms`);
  assert.equal(stolen, false, 'the suspended tab keeps its lock');
  process.kill(pid, 'SIGCONT');
  held.go();
  assert.equal((await suspendedCall).status, 200, 'and the suspended tab goes on with the stored pair');
  assert.deepEqual(await tabs[0].evaluate(() => events.filter(({ name }) => name === 'signedOut')), []);
});

const signal = (id, name) => {
  try {
    return process.kill(id, name);
  } catch {
    return false; // it belonged to a tab that was closed a moment ago
  }
};

/** Stops the process behind a tab, found by trying: the one with which this tab falls silent and the other does not. */
const suspend = async (tab, other) => {
  const session = await s.browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const answers = (page) => Promise.race([page.evaluate(() => true), new Promise((resolve) => setTimeout(resolve, 400, false))]);
  for (const { type, id } of processInfo) {
    if (type !== 'renderer' || !signal(id, 'SIGSTOP')) continue;
    if (!(await answers(tab)) && (await answers(other))) return id;
    signal(id, 'SIGCONT');
  }
  throw new Error('no process of its own for the tab');
};

for (const [how, end] of [
  ['is closed', (tab) => tab.close()],
  ['crashes', (tab) => tab.goto('chrome://crash').catch(() => {})],
]) {
  test(`7. the tab that refreshes ${how}: another tab's waiting call is answered within 2 s`, async (t) => {
    const { profile, tabs } = await expiredTabs(t, 2);
    const rotations = await rotationsFrom();
    const held = gate();
    await profile.context.route(
      s.refreshUrl,
      async (route) => {
        await route.fetch(); // the service rotated, and nobody hears of it
        held.reach();
        await held.open;
        await route.abort().catch(() => {});
      },
      { times: 1 },
    );
    const lost = call(tabs[0]).catch(() => 'gone');
    await held.reached;
    const waiting = tabs[1].evaluate(async () => ({ answer: await call(), at: performance.timeOrigin + performance.now() }));
    await tabs[1].waitForFunction(async () => (await navigator.locks.query()).pending.length > 0);
    const start = Date.now();
    void end(tabs[0]);
    const { answer, at } = await waiting;
    assert.equal(answer.status, 200);
    assert.ok(at - start < 2000, `${at - start} ms`);
    assert.equal(await rotations(), 1, 'the same successor, not a second one');
    held.go();
    assert.equal(await lost, 'gone');
  });
}

test('10. on a refusal (refresh_token_superseded included), storage is read again before anything else: a newer pair from another tab is adopted and nobody is signed out', async (t) => {
  const { profile, tabs } = await expiredTabs(t, 2, [{ locks: null }, { locks: null }]);
  const held = gate();
  await profile.context.route(
    s.refreshUrl,
    async (route) => {
      held.reach();
      await held.open;
      await route.continue();
    },
    { times: 1 },
  );
  const overtaken = call(tabs[0]);
  await held.reached;
  // Twice, so that the service refuses the one that was overtaken.
  await tabs[1].evaluate(async () => {
    await client.refresh();
    await client.refresh();
  });
  const refused = tabs[0].waitForResponse(s.refreshUrl);
  held.go();
  const answer = await refused;
  assert.equal(answer.status(), 401);
  assert.equal((await answer.json()).code, 'refresh_token_superseded');
  assert.equal((await overtaken).status, 200);
  for (const tab of tabs) assert.deepEqual(await tab.evaluate(() => events.filter(({ name }) => name === 'signedOut')), []);
});

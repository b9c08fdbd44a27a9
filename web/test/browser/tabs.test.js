/** Statements 29 and 31–33 in a real browser: storage as the only truth, and what the tabs hear of each other. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { expire, heard, stage, stored } from './support.js';

const s = await stage();
const KEY = 'token-session';

const names = (tab) => tab.evaluate(() => events.map(({ name, remote }) => `${name} ${remote ? 'remote' : 'here'}`));

test('29. no token is kept in memory between calls: storage is the only truth', async (t) => {
  const profile = await s.profile(t);
  const tab = await profile.tab();
  const bearer = async () => {
    await tab.evaluate(() => call());
    return (await profile.calls().at(-1).allHeaders()).authorization;
  };
  await tab.evaluate((user) => client.login(user), await s.register());
  const mine = await stored(tab);
  assert.equal(await bearer(), `Bearer ${mine.accessToken}`);
  const { accessToken, refreshToken } = await s.signIn(await s.register());
  const set = (value) => tab.evaluate(([key, value]) => localStorage.setItem(key, value), [KEY, value]);
  await set(JSON.stringify({ accessToken, refreshToken }));
  assert.equal(await bearer(), `Bearer ${accessToken}`);
  await set('rubbish');
  assert.equal(await bearer(), undefined);
  await tab.evaluate((key) => localStorage.removeItem(key), KEY);
  assert.equal(await bearer(), undefined);
  await set(JSON.stringify(mine));
  assert.equal(await bearer(), `Bearer ${mine.accessToken}`);
});

/** What breaks localStorage, in the page before anything else runs. */
const BROKEN = {
  throws: () => Object.defineProperty(window, 'localStorage', { get: () => { throw new DOMException('denied', 'SecurityError'); } }),
  'is full': () => {
    for (let size = 5 * 2 ** 20; size >= 1; size = Math.floor(size / 2)) {
      try {
        for (let i = 0; ; i += 1) localStorage.setItem(`fill-${size}-${i}`, 'x'.repeat(size));
      } catch {} // no room for this size any more
    }
  },
};

for (const [how, breakIt] of Object.entries(BROKEN)) {
  test(`31. where localStorage ${how}, the client works from memory in that tab`, async (t) => {
    const profile = await s.profile(t);
    const tab = await profile.tab();
    await tab.evaluate(breakIt);
    const user = await s.register();
    const first = await tab.evaluate((user) => client.login(user), user);
    assert.equal(first.claims.email, user.email);
    assert.equal(await tab.evaluate(() => call().then(({ status }) => status)), 200);
    await expire(profile.context, s.home, first.accessToken);
    assert.equal(await tab.evaluate(() => call().then(({ status }) => status)), 200);
    assert.equal(profile.refreshes().length, 1);
    assert.notEqual(await tab.evaluate(() => client.session.accessToken), first.accessToken);
    await tab.evaluate(() => client.logout());
    assert.equal(await tab.evaluate(() => client.session), null);
    assert.deepEqual(await names(tab), ['signedIn here', 'refreshed here', 'signedOut here']);
  });
}

test('32. sign-in, refresh, sign-out or localStorage.clear() in one tab is an event {remote: true} in the others within 1 s; the handler never writes; a tab’s own echoed writes are ignored', async (t) => {
  const profile = await s.profile(t);
  const [one, two, three] = [await profile.tab(), await profile.tab(), await profile.tab()];
  const user = await s.register();
  for (const tab of [two, three]) {
    await tab.evaluate(() => {
      window.writes = 0;
      for (const method of ['setItem', 'removeItem', 'clear']) {
        const usual = Storage.prototype[method];
        Storage.prototype[method] = function (...args) {
          window.writes += 1;
          return usual.apply(this, args);
        };
      }
    });
  }
  const steps = [
    ['signedIn', (user) => client.login(user)],
    ['refreshed', () => client.refresh()],
    ['signedOut', () => client.logout()],
    ['signedIn', (user) => client.login(user)],
    ['signedOut', () => localStorage.clear()],
  ];
  const expected = [];
  for (const [name, step] of steps) {
    const at = await one.evaluate(`(async () => {
      const at = performance.timeOrigin + performance.now();
      const { promise, resolve } = Promise.withResolvers();
      const stop = client.on(${JSON.stringify(name)}, () => resolve(performance.timeOrigin + performance.now()));
      await (${step})(${JSON.stringify(user)});
      stop();
      resolve(at);
      return promise;
    })()`);
    expected.push(name);
    for (const tab of [two, three]) {
      await tab.waitForFunction((count) => events.length >= count, expected.length);
      const heardHere = await tab.evaluate(() => events);
      assert.deepEqual(heardHere.map(({ name }) => name), expected);
      assert.equal(heardHere.at(-1).remote, true);
      assert.ok(heardHere.at(-1).at - at < 1000, `${name}: ${heardHere.at(-1).at - at} ms`);
    }
  }
  assert.deepEqual(await Promise.all([two, three].map((tab) => tab.evaluate(() => window.writes))), [0, 0]);
  // In the tab that did it, each was told once, as its own; its clear() went past the client.
  assert.deepEqual(await names(one), ['signedIn here', 'refreshed here', 'signedOut here', 'signedIn here']);
  // A frame of the same tab: its writes come back to the page as echoes of nobody else's.
  await one.evaluate((user) => client.login(user), user);
  await two.waitForFunction((count) => events.length >= count, expected.length + 1);
  await one.evaluate((key) => {
    const value = localStorage.getItem(key);
    window.dispatchEvent(new StorageEvent('storage', { key, oldValue: null, newValue: value, storageArea: localStorage }));
  }, KEY);
  assert.equal((await names(one)).length, 5);
});

test('33. a listener may call and await any method; one that throws stops neither the others nor the refresh', async (t) => {
  const profile = await s.profile(t);
  const [tab, other] = [await profile.tab(), await profile.tab()];
  await tab.evaluate((user) => client.login(user), await s.register());
  await heard(other, 'signedIn', true);
  await expire(profile.context, s.home, (await stored(tab)).accessToken);
  const told = await tab.evaluate(async () => {
    client.on('refreshed', () => {
      throw new Error('a bug of the page');
    });
    const inside = new Promise((resolve) => {
      const stop = client.on('refreshed', async () => {
        stop();
        const first = (await client.fetch(home)).status;
        await client.refresh(); // would wait for ever if the lock were still held
        const { sub } = client.session.claims;
        await client.logout();
        resolve({ first, sub: typeof sub, session: client.session });
      });
    });
    return { outside: (await call()).status, inside: await inside };
  });
  assert.deepEqual(told, { outside: 200, inside: { first: 200, sub: 'string', session: null } });
  await heard(other, 'signedOut', true);
  // The other tab answers from its listener as well: nobody waits for anybody.
  const user = await s.register();
  const answered = other.evaluate(() => new Promise((resolve) => client.on('signedIn', async () => resolve((await client.refresh()).claims.email))));
  await tab.evaluate((user) => client.login(user), user);
  assert.equal(await answered, user.email);
});

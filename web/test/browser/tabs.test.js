/** Statements 31 and 33 in a real browser: storage that breaks, and listeners that do what they like. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { expire, heard, stage, stored } from './support.js';

const s = await stage();

const names = (tab) => tab.evaluate(() => events.map(({ name, remote }) => `${name} ${remote ? 'remote' : 'here'}`));

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

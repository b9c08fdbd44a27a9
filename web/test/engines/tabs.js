/** Single flight, lost answers, and what the tabs hear of each other: statements 3, 4, 12, 14, 29 and 32. */
import assert from 'node:assert/strict';
import { stored } from '../in-page.js';
import { heard, names, stage, until } from './stage.js';

const scenario = await stage();
const KEY = 'token-session';

const login = (tab, user) => tab.evaluate(async (user) => void (await client.login(user)), user);
const call = (tab) => tab.evaluate(() => call());

/** Tabs that are signed in, and whose token the API calls expired from now on. */
const expiredTabs = async (s, count) => {
  const tabs = [];
  for (let i = 0; i < count; i += 1) tabs.push(await s.client());
  await login(tabs[0], await s.register());
  for (const tab of tabs.slice(1)) await heard(tab, 'signedIn', true);
  const old = await stored(tabs[0]);
  s.expire(old.accessToken);
  return { tabs, old };
};

scenario('3. 6 tabs × 5 calls on an expired token: the server sees one refresh', async (s) => {
  const { tabs } = await expiredTabs(s, 6);
  const rotations = await s.countFrom('rotated');
  const answers = await Promise.all(tabs.map((tab) => tab.evaluate(() => Promise.all(Array.from({ length: 5 }, () => call())))));
  assert.deepEqual(answers.flat().map(({ status }) => status), Array(30).fill(200));
  assert.equal(s.refreshes().length, 1);
  assert.equal(await rotations(), 1);
});

scenario('4. two clients in one page with the same storage key share one refresh', async (s) => {
  const { tabs } = await expiredTabs(s, 1);
  const statuses = await tabs[0].evaluate(
    async ([authority, api]) => {
      const other = module.createTokenClient({ authority, api });
      const answers = await Promise.all([client, other, client, other].map((each) => each.fetch(home)));
      return answers.map(({ status }) => status);
    },
    [s.auth.url, s.api.url],
  );
  assert.deepEqual(statuses, [200, 200, 200, 200]);
  assert.equal(s.refreshes().length, 1);
});

scenario('12. the answer of a refresh is lost after the service rotated: the same pair is sent once more after 250–750 ms, and the caller gets 200', async (s) => {
  const { tabs } = await expiredTabs(s, 2);
  const [rotations, retries] = [await s.countFrom('rotated'), await s.countFrom('retry')];
  s.auth.rule = async (passed, pass) => {
    const answer = await pass();
    return s.refreshes().length === 1 && passed === s.refreshes()[0] ? null : answer;
  };
  const answers = await Promise.all(tabs.map(call));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
  const [first, second, ...more] = s.refreshes();
  assert.equal(first.body, second.body);
  assert.deepEqual(more, []);
  const pause = second.at - first.at;
  assert.ok(pause >= 245 && pause < 2000, `${pause} ms`);
  assert.deepEqual([await rotations(), await retries()], [1, 1]);
});

scenario('14. without a network an expired token keeps its session, and the next call tries again', async (s) => {
  const { tabs, old } = await expiredTabs(s, 1);
  const usual = s.auth.rule;
  s.auth.rule = () => null;
  assert.equal((await call(tabs[0])).code, 'unavailable');
  assert.equal((await stored(tabs[0])).refreshToken, old.refreshToken);
  s.auth.rule = usual;
  await until(tabs[0], () => call().then(({ status }) => status === 200));
  assert.deepEqual(await names(tabs[0]), ['signedIn here', 'error here', 'refreshed here']);
});

scenario('29. no token is kept in memory between calls: storage is the only truth', async (s) => {
  const tab = await s.client();
  const bearer = async () => {
    await call(tab);
    return s.calls().at(-1).token;
  };
  await login(tab, await s.register());
  const mine = await stored(tab);
  assert.equal(await bearer(), mine.accessToken);
  const { accessToken, refreshToken } = await s.signIn(await s.register());
  const set = (value) => tab.evaluate(([key, value]) => localStorage.setItem(key, value), [KEY, value]);
  await set(JSON.stringify({ accessToken, refreshToken }));
  assert.equal(await bearer(), accessToken);
  await set('rubbish');
  assert.equal(await bearer(), undefined);
  await tab.evaluate((key) => localStorage.removeItem(key), KEY);
  assert.equal(await bearer(), undefined);
  await set(JSON.stringify(mine));
  assert.equal(await bearer(), mine.accessToken);
});

/** What one tab does, and what the others hear of it. */
const STEPS = [
  ['signedIn', (user) => client.login(user)],
  ['refreshed', () => client.refresh()],
  ['signedOut', () => client.logout()],
  ['signedIn', (user) => client.login(user)],
  ['signedOut', () => localStorage.clear()],
];

scenario('32. sign-in, refresh, sign-out or localStorage.clear() in one tab is an event {remote: true} in the others within 1 s; the handler never writes; a tab’s own echoed writes are ignored', async (s) => {
  const [one, two, three] = [await s.client(), await s.client(), await s.client()];
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
  await one.evaluate((steps) => {
    const now = () => performance.timeOrigin + performance.now();
    /** When it happened here: at the event, or at the end of what goes past the client. */
    window.step = async (index, user) => {
      const [name, work] = window.steps[index];
      let at;
      const stop = client.on(name, () => (at = now()));
      const before = now();
      await work(user);
      stop();
      return at ?? before;
    };
    window.steps = steps.map(([name, work]) => [name, new Function(`return ${work}`)()]);
  }, STEPS.map(([name, work]) => [name, String(work)]));
  for (const [index, [name]] of STEPS.entries()) {
    const at = await one.evaluate(([index, user]) => step(index, user), [index, user]);
    const expected = STEPS.slice(0, index + 1).map(([name]) => name);
    for (const tab of [two, three]) {
      await until(tab, (count) => events.length >= count, expected.length);
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
  await login(one, user);
  await until(two, (count) => events.length >= count, STEPS.length + 1);
  await one.evaluate((key) => {
    const value = localStorage.getItem(key);
    window.dispatchEvent(new StorageEvent('storage', { key, oldValue: null, newValue: value, storageArea: localStorage }));
  }, KEY);
  assert.equal((await names(one)).length, 5);
});

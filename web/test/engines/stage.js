/** Scenarios that are written once and run in every engine, over lines of their own to the real services. */
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startClient } from '../in-page.js';
import { expiredAnswer, peopleOf, startServers } from '../services.js';
import { engines } from './drivers/index.js';
import { openLine } from './line.js';

const PATIENCE = 15_000;

/** Waits until the page says so. @param {import('./drivers/index.js').Tab} tab */
export const until = async (tab, so, argument) => {
  for (const end = Date.now() + PATIENCE; !(await tab.evaluate(so, argument)); await new Promise((resolve) => setTimeout(resolve, 25))) {
    if (Date.now() > end) assert.fail(`never: ${so} ${JSON.stringify(argument) ?? ''}`);
  }
};

/** Waits until a tab has heard such an event. */
export const heard = (tab, name, remote) =>
  until(tab, ([name, remote]) => window.events.some((e) => e.name === name && e.remote === remote), [name, remote]);

/** What a tab has heard, in order. */
export const names = (tab) => tab.evaluate(() => events.map(({ name, remote }) => `${name} ${remote ? 'remote' : 'here'}`));

/** The engines from their first scenario on. @type {Map<string, Promise<import('./drivers/index.js').Engine>>} */
const running = new Map();
after(async () => {
  for (const engine of running.values()) await (await engine.catch(() => null))?.close();
});

/**
 * What a file of scenarios shares: the services. Gives the function that makes a test per engine of one scenario.
 * @param {Record<string, string>} [settings]
 */
export const stage = async (settings) => {
  const servers = await startServers(settings);
  after(() => servers.stop());
  /** @param {string} what @param {(s: Awaited<ReturnType<typeof scene>>, t: import('node:test').TestContext) => Promise<void>} scenario */
  return (what, scenario) => {
    for (const [name, launch] of engines()) {
      test(`${what} (${name})`, async (t) => {
        if (!running.has(name)) running.set(name, launch());
        await scenario(await scene(t, servers, await running.get(name)), t);
      });
    }
  };
};

/** One profile of one engine, with a line to each service. */
const scene = async (t, servers, engine) => {
  const [auth, api] = await Promise.all([openLine(t, servers.authUrl), openLine(t, servers.resourceUrl)]);
  const home = `${api.url}/api/home`;
  const profile = await engine.profile();
  t.after(() => profile.close());
  return {
    servers,
    auth,
    api,
    home,
    ...peopleOf(servers),
    /** An empty tab. */
    tab: () => profile.tab(),
    /** A tab with a client in it, on the page's origin but without the page. */
    async client(options = {}) {
      const tab = await profile.tab();
      await tab.goto(`${auth.url}/healthz`);
      await startClient(tab, { authority: auth.url, api: api.url, ...options }, home);
      return tab;
    },
    refreshes: () => auth.asked('/api/account/refresh-token'),
    logouts: () => auth.asked('/api/account/logout'),
    calls: () => api.asked('/api/home'),
    /** From now on the API calls these tokens expired. */
    expire(...tokens) {
      api.rule = (passed, pass) => (tokens.includes(passed.token) ? expiredAnswer : pass());
    },
    /** The service's count of refreshes with this outcome, from now on. */
    async countFrom(outcome) {
      const before = await this.counted(outcome);
      return async () => (await this.counted(outcome)) - before;
    },
  };
};

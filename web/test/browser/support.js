/** A real Chromium against the real services, with the tools that only it has: requests caught on their way, its clock, its processes. */
import { after } from 'node:test';
import { startClient } from '../in-page.js';
import { launchChromium } from '../engines/drivers/chromium.js';
import { expiredAnswer, peopleOf, startServers } from '../services.js';

export { startClient, stored } from '../in-page.js';
export { PASSWORD, expiredAnswer, gate } from '../services.js';

/**
 * What a file of tests shares: servers and browser, stopped at its end. Called at the top level of the file.
 * @param {Record<string, string>} [settings]
 */
export const stage = async (settings) => {
  const [servers, browser] = await Promise.all([startServers(settings), launchChromium()]);
  after(async () => {
    await browser.close();
    servers.stop();
  });
  const { authUrl, resourceUrl } = servers;
  const home = `${resourceUrl}/api/home`;

  const self = {
    servers,
    browser,
    authUrl,
    resourceUrl,
    home,
    refreshUrl: `${authUrl}/api/account/refresh-token`,
    ...peopleOf(servers),

    /** A new profile with a watch on everything it sends, closed after the test. */
    async profile(t, options) {
      const context = await browser.newContext(options);
      t.after(() => context.close());
      const sent = [];
      const times = new Map();
      context.on('request', (request) => times.set(request, performance.now()) && sent.push(request));
      const of = (url, method) => sent.filter((request) => request.url() === url && (!method || request.method() === method));
      return {
        context,
        sent,
        /** Milliseconds between two requests. */
        between: (first, second) => times.get(second) - times.get(first),
        refreshes: () => of(self.refreshUrl, 'POST'),
        calls: () => of(home, 'GET'),
        logouts: () => of(`${authUrl}/api/account/logout`, 'POST'),
        /** A tab with a client of its own on the page's origin, but without the page: `window.client`, `window.events`. */
        tab: (clientOptions) => bareTab(self, context, clientOptions),
      };
    },
  };
  return self;
};

/** A plain document of the auth-server's origin with a client in it. A made-up one would not do: the browser lets only what came from this machine talk to it. */
const bareTab = async ({ authUrl, resourceUrl, home }, context, options = {}) => {
  const page = await context.newPage();
  await page.goto(`${authUrl}/healthz`);
  await startClient(page, { authority: authUrl, api: resourceUrl, ...options }, home);
  return page;
};

/** From now on the API calls these tokens expired; others go through to the real one. */
export const expire = (context, home, ...tokens) =>
  context.route(home, (route) => {
    const token = (route.request().headers().authorization ?? '').replace('Bearer ', '');
    return tokens.includes(token) ? route.fulfill(expiredAnswer) : route.fallback();
  });

/** Waits until a page has heard such an event. */
export const heard = (page, name, remote) =>
  page.waitForFunction(([name, remote]) => window.events.some((e) => e.name === name && (remote === undefined || e.remote === remote)), [name, remote]);

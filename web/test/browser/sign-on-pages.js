/** Sign-on as a visitor meets it: the hosted pages, and an app on another origin that sends people to them. */
import { readFile } from 'node:fs/promises';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { after } from 'node:test';
import { startClient } from '../in-page.js';

const CLIENT = new URL('../../token-client.js', import.meta.url);

/** A page that tells whoever opened it where it arrived. */
const PAGE = '<!doctype html><html lang="en"><title>An app</title><main><h1>An app</h1></main><script>opener?.postMessage(location.href, "*")</script>';

/**
 * An app's own server on an origin of its own, stopped at the end of the file; called at its top, before the services
 * are started. Every path is the same page.
 */
export const appServer = async () => {
  const module = await readFile(CLIENT);
  const server = createServer(({ url }, answer) => {
    const isModule = url === '/token-client.js';
    answer.setHeader('Content-Type', isModule ? 'text/javascript' : 'text/html; charset=utf-8');
    answer.setHeader('Cache-Control', 'no-store');
    answer.end(isModule ? module : PAGE);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  const origin = `http://127.0.0.1:${/** @type {any} */ (server.address()).port}`;
  return { origin, callback: `${origin}/cb` };
};

/** The address of a request as the app would make it. */
export const requestOf = (authUrl, params) => {
  const challenge = createHash('sha256').update(randomBytes(32)).digest('base64url');
  const query = new URLSearchParams({ response_type: 'code', scope: 'openid email', state: 'a-state', code_challenge: challenge, code_challenge_method: 'S256', ...params });
  return `${authUrl}/oauth/authorize?${query}`;
};

/** Fills in the log-in page and sends it. */
export const enter = async (page, { email, password }) => {
  await page.locator('#email').fill(email);
  await page.locator('#password').fill(password);
  await page.locator('form button[type=submit]').click();
};

export const decide = (page, decision) => page.locator(`button[name=decision][value=${decision}]`).click();

/** What stands on the page in the place of the heading. */
export const heading = (page) => page.locator('h1').innerText();

/** Waits until the tab is back at the app, and gives what it was sent. */
export const arrived = async (page, callback) => {
  await page.waitForURL((url) => url.href.startsWith(`${callback}?`));
  return Object.fromEntries(new URL(page.url()).searchParams);
};

/** The app's page with its client, as it is after every navigation: `window.client`, `window.events`. */
export const startApp = (s, page, options = {}) => startClient(page, { authority: s.authUrl, api: s.resourceUrl, ...options }, s.home);

/** A tab at the app. */
export const openApp = async (s, context, url, options) => {
  const page = await context.newPage();
  await page.goto(url);
  await startApp(s, page, options);
  return page;
};

/**
 * A real Chromium against the real services. The services come from `KEYTURN_AUTH_URL` and `KEYTURN_RESOURCE_URL`, or
 * are started by the command in `KEYTURN_SERVERS`, which prints one line of JSON and stops when its input ends.
 * Every test makes its own user, so tests and tabs of other tests do not meet.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const COMMAND = process.env.KEYTURN_SERVERS ?? 'cargo run -q -p e2e --bin browser-servers';
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const PASSWORD = 'a long enough password';

/** Both services with these settings: `{authUrl, resourceUrl, demo?, stop}`. */
export const startServers = async (settings = {}) => {
  const { KEYTURN_AUTH_URL: authUrl, KEYTURN_RESOURCE_URL: resourceUrl } = process.env;
  if (authUrl && resourceUrl) return { authUrl, resourceUrl, stop() {} };
  const env = { ...process.env, ACCESS_TOKEN_TTL: '60s', REFRESH_GRACE: '2s', LOGIN_LIMITS: 'off', RUST_LOG: 'warn', ...settings };
  const child = spawn(COMMAND, { cwd: ROOT, shell: true, env, stdio: ['pipe', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`“${COMMAND}” ended with ${code} before it was ready`)));
  });
  return { ...JSON.parse(line), child, stop: () => child.stdin.end() };
};

/** The browser; without it the tests fail and say what to do. */
export const startBrowser = async () => {
  assert.ok(existsSync(CHROMIUM), `no Chromium at ${CHROMIUM}: apt-get update && apt-get install -y chromium, or set CHROMIUM`);
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
};

/**
 * What a file of tests shares: servers and browser, stopped at its end. Called at the top level of the file.
 * @param {Record<string, string>} [settings]
 */
export const stage = async (settings) => {
  const [servers, browser] = await Promise.all([startServers(settings), startBrowser()]);
  after(async () => {
    await browser.close();
    servers.stop();
  });
  const { authUrl, resourceUrl } = servers;
  const home = `${resourceUrl}/api/home`;
  let users = 0;

  const self = {
    servers,
    browser,
    authUrl,
    resourceUrl,
    home,
    refreshUrl: `${authUrl}/api/account/refresh-token`,

    /** A fresh account: `{email, password, userName}`. */
    async register(userName = '王小明') {
      users += 1;
      const email = `u${process.pid}-${users}-${Date.now().toString(36)}@example.com`;
      const answer = await fetch(`${authUrl}/api/account/register`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ userName, email, password: PASSWORD }),
      });
      assert.equal(answer.status, 201, await answer.text());
      return { userName, email, password: PASSWORD };
    },

    /** The service's own count of refreshes with this outcome, since it started. */
    async counted(outcome) {
      const text = await (await fetch(`${authUrl}/metrics`)).text();
      return Number(new RegExp(`^keyturn_refreshes_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    },

    /** The service's own list of a user's sessions: the truth about their ends. */
    async sessions(accessToken) {
      const answer = await fetch(`${authUrl}/api/account/sessions`, { headers: { Authorization: `Bearer ${accessToken}` } });
      return answer.ok ? answer.json() : [];
    },

    /** Signs in from somewhere else than the browser. */
    async signIn({ email, password }) {
      const headers = { 'Content-Type': 'application/json' };
      const answer = await fetch(`${authUrl}/api/account/login`, { method: 'POST', headers, body: JSON.stringify({ email, password }) });
      assert.equal(answer.status, 200);
      return answer.json();
    },

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

/** Makes `window.client` in a page and keeps its events in `window.events`. */
export const startClient = (page, options, home) =>
  page.evaluate(
    async ([options, home]) => {
      const module = await import('/token-client.js');
      const watch = (client) => {
        const events = [];
        for (const name of ['signedIn', 'refreshed', 'signedOut', 'error']) {
          client.on(name, ({ remote, reason, error }) => events.push({ name, remote, reason, code: error?.code, at: performance.timeOrigin + performance.now() }));
        }
        return events;
      };
      const client = module.createTokenClient(options);
      /** A call of the API, with what came of it as plain data. */
      const call = async (init, url = home) => {
        try {
          const res = await client.fetch(url, init);
          return { status: res.status, act: res.headers.get('act'), bodyUsed: res.bodyUsed, text: await res.text() };
        } catch (error) {
          return { error: error.name, code: error.code, message: error.message };
        }
      };
      Object.assign(window, { module, client, events: watch(client), watch, call, home });
    },
    [options, home],
  );

/** The API's own words for an expired token: what a test says instead of waiting for one to expire. */
export const expiredAnswer = {
  status: 401,
  contentType: 'application/problem+json',
  headers: { act: 'expired', 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'act, retry-after, www-authenticate', 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  body: JSON.stringify({ type: 'about:blank', title: 'Unauthorized', status: 401, code: 'token_expired', requestId: 'test' }),
};

/** From now on the API calls these tokens expired; others go through to the real one. */
export const expire = (context, home, ...tokens) =>
  context.route(home, (route) => {
    const token = (route.request().headers().authorization ?? '').replace('Bearer ', '');
    return tokens.includes(token) ? route.fulfill(expiredAnswer) : route.fallback();
  });

/** The stored pair, as a page sees it. */
export const stored = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('token-session')));

/** Waits until a page has heard such an event. */
export const heard = (page, name, remote) =>
  page.waitForFunction(([name, remote]) => window.events.some((e) => e.name === name && (remote === undefined || e.remote === remote)), [name, remote]);

/** Lets a test hold an answer back: `reached` when the request is there, `go()` to let it on. */
export const gate = () => {
  let reach, go;
  const reached = new Promise((resolve) => (reach = resolve));
  const open = new Promise((resolve) => (go = resolve));
  return { reached, reach, open, go };
};

/**
 * Both services as an operator starts them: processes on free ports with a folder of their own, clients registered by
 * the command line. The programs come from KEYTURN_PROGRAMS or target/debug. Every file of tests starts its own, every
 * test makes its own user, so none meets another's.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { certificatesIn } from './certificates.js';

const programs = process.env.KEYTURN_PROGRAMS ?? fileURLToPath(new URL('../../../target/debug', import.meta.url));
const run = promisify(execFile);

/** `http` or `https`: what services and apps of this run speak. */
export const scheme = process.env.STOCK_SCHEME ?? 'http';
export const isHttps = scheme === 'https';
/** The authority's and the certificate's paths; only over https. */
export const certificates = isHttps ? certificatesIn(process.env.STOCK_CERTIFICATES) : undefined;
export const PASSWORD = 'correct horse battery staple';

/** What the kernel gives to nobody else a moment later. */
export const freePort = async () => {
  const server = createTcp().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
};

/** A web application of a test, which speaks what the services speak: `{url, close}`. On 127.0.0.1, so that it is of another site than the issuer's `localhost`. */
export const listen = async (handler) => {
  const server = isHttps
    ? createHttps({ cert: readFileSync(certificates.certificate), key: readFileSync(certificates.key) }, handler)
    : createHttp(handler);
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `${scheme}://127.0.0.1:${server.address().port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
};

/** Starts a service and waits until it says that it listens. */
const start = async (program, env) => {
  const child = spawn(join(programs, program), [], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const said = [];
  const lines = createInterface({ input: child.stderr });
  await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      said.push(line);
      if (process.env.STOCK_LOG) console.error(line);
      if (line.includes(' listens on ')) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}:\n${said.join('\n')}`)));
  });
  return child;
};

/**
 * @param {{clients?: Record<string, string[]>, settings?: Record<string, string>, apis?: number}} options the clients' words for
 *   `client add`; how many processes of resource-api, which all follow the feed
 * @returns services with `issuer`, `api`, `apis`, `secrets` by client id, and what a test does at them
 */
export const startServices = async ({ clients = {}, settings = {}, apis: count = 1 } = {}) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-services-'));
  const authPort = await freePort();
  const apiPorts = [];
  while (apiPorts.length < count) apiPorts.push(await freePort());
  const issuer = `${scheme}://localhost:${authPort}`;
  const apis = apiPorts.map((port) => `${scheme}://localhost:${port}`);
  const [api] = apis;
  const env = {
    PATH: process.env.PATH,
    RUST_LOG: 'info',
    AUTH_LISTEN: `127.0.0.1:${authPort}`,
    DATABASE_URL: `sqlite://${join(folder, 'keyturn.db')}`,
    JWT_ISSUER: issuer,
    JWT_AUDIENCE: api,
    JWT_KEYS_FILE: join(folder, 'jwt-keys.json'),
    REFRESH_KEYS_FILE: join(folder, 'refresh-keys.json'),
    ID_KEYS_FILE: join(folder, 'id-keys.json'),
    OAUTH: 'on',
    REGISTRATION: 'open',
    LOGIN_LIMITS: 'off',
    REVOCATION_FEED_URL: issuer,
    ...(isHttps && { TLS_CERT_FILE: certificates.certificate, TLS_KEY_FILE: certificates.key, SSL_CERT_FILE: certificates.authority }),
    ...settings,
  };
  const command = async (...words) => (await run(join(programs, 'auth-server'), words, { env })).stdout;
  const children = [];
  const close = () => {
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  const secrets = {};
  const addClient = async (id, words) => {
    const last = (await command('client', 'add', id, ...words)).trim().split('\n').at(-1);
    if (words[words.indexOf('--kind') + 1].match(/^(web|service)$/)) secrets[id] = last;
  };
  try {
    await command('keys', 'init');
    // One after the other: SQLite has one writer.
    for (const [id, words] of Object.entries(clients)) await addClient(id, words);
    children.push(await start('auth-server', env));
    for (const port of apiPorts) children.push(await start('resource-api', { ...env, RESOURCE_LISTEN: `127.0.0.1:${port}` }));
  } catch (error) {
    close();
    throw error;
  }

  let users = 0;
  return {
    issuer,
    api,
    apis,
    folder,
    secrets,
    command,
    close,

    /** Registers a client while the service runs. */
    async addClient(id, words) {
      await addClient(id, words);
      await this.known(id, secrets[id]);
    },

    /** Waits until the service knows a client, which is within a second. */
    async known(id, secret) {
      const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'none', client_id: id, ...(secret && { client_secret: secret }) });
      for (const until = Date.now() + 10_000; ; ) {
        const answer = await fetch(`${issuer}/oauth/token`, { method: 'POST', body });
        const { error } = await answer.json();
        if (error !== 'invalid_client') return;
        assert.ok(Date.now() < until, `the service knows ${id}`);
      }
    },

    /** A fresh account: `{email, password, userName, id}`. */
    async register(userName = 'Ada Lovelace') {
      users += 1;
      const email = `ada-${users}@example.com`;
      const answer = await fetch(`${issuer}/api/account/register`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ userName, email, password: PASSWORD }),
      });
      const body = await answer.json();
      assert.equal(answer.status, 201, JSON.stringify(body));
      return { userName, email, password: PASSWORD, id: body.id };
    },

    /** The service's own counts by outcome, since it started, of `refreshes` or `logout_deliveries`. */
    async counted(what) {
      const text = await (await fetch(`${issuer}/metrics`)).text();
      const rows = text.matchAll(new RegExp(`^keyturn_${what}_total\\{outcome="(\\w+)"\\} (\\d+)$`, 'gm'));
      return Object.fromEntries(Array.from(rows, ([, outcome, count]) => [outcome, Number(count)]));
    },
  };
};

/**
 * The real services and the people of a test. The services come from `KEYTURN_AUTH_URL` and `KEYTURN_RESOURCE_URL`, or
 * are started by the command in `KEYTURN_SERVERS`, which prints one line of JSON and stops when its input ends.
 * Every test makes its own user, so tests and tabs of other tests do not meet.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND = process.env.KEYTURN_SERVERS ?? 'cargo run -q -p e2e --bin browser-servers';
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

/** What a test does at the service from somewhere else than the browser. */
export const peopleOf = ({ authUrl }) => {
  let users = 0;
  return {
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
  };
};

/** The API's own words for an expired token: what a test says instead of waiting for one to expire. */
export const expiredAnswer = {
  status: 401,
  headers: { 'Content-Type': 'application/problem+json', act: 'expired', 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'act, retry-after, www-authenticate', 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  body: JSON.stringify({ type: 'about:blank', title: 'Unauthorized', status: 401, code: 'token_expired', requestId: 'test' }),
};

/** Lets a test hold an answer back: `reached` when the request is there, `go()` to let it on. */
export const gate = () => {
  let reach, go;
  const reached = new Promise((resolve) => (reach = resolve));
  const open = new Promise((resolve) => (go = resolve));
  return { reached, reach, open, go };
};

/**
 * The world of a client under test: a storage, a token service that follows the rotation rules, an API, and a `fetch`
 * between them that keeps an exact copy of every request. Nothing here knows how the client works.
 */
import { createHash } from 'node:crypto';
import { createTokenClient } from '../../token-client.js';

export const AUTHORITY = 'http://auth.test';
export const API = 'http://api.test';
export const HOME = `${API}/api/home`;
export const KEY = 'token-session';
export const PATHS = { login: '/api/account/login', refresh: '/api/account/refresh-token', logout: '/api/account/logout' };
/** What an app speaks to. */
export const OAUTH = { authorize: '/oauth/authorize', token: '/oauth/token', revoke: '/oauth/revoke', endSession: '/oauth/logout' };

const base64url = (text) => Buffer.from(text).toString('base64url');

/** An unsigned JWT: the client cannot tell. */
export const jwt = (claims) => `${base64url('{"alg":"HS256"}')}.${base64url(JSON.stringify(claims))}.c2ln`;

/** @param {number} [at] milliseconds */
export const seconds = (at = Date.now()) => Math.floor(at / 1000);

export const json = (body, status = 200, headers = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });

/** A refusal as the services write it. */
export const problem = (status, code, headers = {}, more = {}) =>
  json({ type: 'about:blank', title: code, status, code, requestId: 'r', ...more }, status, {
    'Content-Type': 'application/problem+json',
    ...headers,
  });

export const expired = () => problem(401, 'token_expired', { act: 'expired' });

/** A refusal of `/oauth/token`: OAuth's word, and the service's own. */
export const oauthProblem = (status, error, code, more = {}) => json({ error, error_description: error, ...(code && { code }), ...more }, status);

/** What `fetch` rejects with when nothing answers. */
export const networkError = () => new TypeError('fetch failed');

export const deferred = () => {
  let resolve, reject;
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
};

/** Waits until it is so, two seconds at most. @param {() => unknown} so */
export const until = async (so) => {
  for (const end = Date.now() + 2000; !so() && Date.now() < end; ) await new Promise((resolve) => setImmediate(resolve));
};

export const fakeStorage = () => {
  const values = new Map();
  return {
    log: [],
    getItem: (key) => values.get(key) ?? null,
    setItem(key, value) {
      this.log.push(['set', key]);
      values.set(key, value);
    },
    removeItem(key) {
      this.log.push(['remove', key]);
      values.delete(key);
    },
    keys: () => [...values.keys()],
  };
};

/** Web Locks, one at a time in order of asking, with what happened in `log`. */
export const fakeLocks = (log = []) => {
  let tail = Promise.resolve();
  return {
    log,
    request(name, { signal } = {}, work) {
      const turn = tail.then(async () => {
        signal?.throwIfAborted();
        log.push('locked');
        try {
          return await work();
        } finally {
          log.push('released');
        }
      });
      tail = turn.catch(() => {});
      return new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
        turn.then(resolve, reject);
      });
    },
  };
};

/** The token service's rules, small: one successor a generation, the same one for a repeated question. */
const service = ({ life = 60, clock = Date.now }) => {
  let sessions = 0;
  const tokens = new Map(); // access token → session
  const codes = new Map(); // code → what was asked for
  const self = {
    sessions: [],
    issue(sub, more = {}) {
      const session = { sid: `s${(sessions += 1)}`, sub, more, generation: 0, ended: null, live: null };
      self.sessions.push(session);
      return self.pair(session);
    },
    pair(session) {
      const now = seconds(clock());
      const { sid, sub, more, generation } = session;
      const accessToken = jwt({ sub, sid, jti: `${Math.random()}`, iat: now, exp: now + life, name: '王小明', ...more });
      session.live = accessToken;
      tokens.set(accessToken, session);
      return { accessToken, refreshToken: `secret-${sid}-${generation}`, tokenType: 'Bearer', expiresIn: life, refreshExpiresIn: 99 };
    },
    find: (accessToken) => tokens.get(accessToken),
    /** For an app: a code that is good for one exchange. */
    code(query, sub = 'u1') {
      const code = `code-${codes.size + 1}`;
      codes.set(code, { ...query, sub });
      return code;
    },
    /** The answer of `/oauth/token`. */
    grant({ more: { client_id }, ...session }, full) {
      const { accessToken, refreshToken } = full;
      const id_token = jwt({ aud: client_id, sub: session.sub });
      return { access_token: accessToken, token_type: 'Bearer', expires_in: life, scope: 'openid', refresh_token: refreshToken, refresh_expires_in: 99, id_token };
    },
    token(form) {
      const session = (name) => self.sessions.find(({ sid }) => sid === /^secret-(s\d+)-/.exec(form[name])?.[1]);
      if (form.grant_type === 'refresh_token') {
        const found = session('refresh_token');
        if (found?.more.client_id !== form.client_id) return oauthProblem(400, 'invalid_grant', 'invalid_refresh_token');
        if (found.ended) return oauthProblem(400, 'invalid_grant', 'session_revoked', { reason: found.ended });
        const generation = Number(form.refresh_token.split('-').at(-1));
        if (found.generation - generation > 1) return oauthProblem(400, 'invalid_grant', 'refresh_token_reused');
        if (found.generation === generation) found.generation += 1;
        return json(self.grant(found, self.pair(found)));
      }
      const asked = codes.get(form.code);
      codes.set(form.code, null);
      const challenge = createHash('sha256').update(form.code_verifier ?? '').digest('base64url');
      const right = asked?.client_id === form.client_id && asked.redirect_uri === form.redirect_uri && asked.code_challenge === challenge;
      if (form.grant_type !== 'authorization_code' || !right) return oauthProblem(400, 'invalid_grant', 'invalid_code');
      const full = self.issue(asked.sub, { client_id: form.client_id, scope: asked.scope });
      return json(self.grant(self.sessions.at(-1), full));
    },
    /** By either token of the session. */
    revoke({ token, client_id }) {
      const found = tokens.get(token) ?? self.sessions.find(({ sid }) => token.startsWith(`secret-${sid}-`));
      if (found && found.more.client_id !== client_id) return oauthProblem(400, 'invalid_grant');
      if (found) found.ended ??= 'logout';
      return new Response(null);
    },
    rotate({ accessToken, refreshToken }) {
      const session = tokens.get(accessToken);
      const [, sid, generation] = /^secret-(s\d+)-(\d+)$/.exec(refreshToken) ?? [];
      if (!session || session.sid !== sid) return problem(401, 'invalid_refresh_token');
      if (session.ended) return problem(401, 'session_revoked', {}, { reason: session.ended });
      if (session.generation - Number(generation) > 1) return problem(401, 'refresh_token_reused');
      if (session.generation === Number(generation)) session.generation += 1;
      return json(self.pair(session));
    },
  };
  return self;
};

/**
 * Everything together. `on.refresh`, `on.login`, `on.logout`, `on.token`, `on.revoke` and `on.api` may replace an answer:
 * they get the request and the usual answer as a function.
 */
export const world = (settings = {}) => {
  const auth = service(settings);
  const storage = settings.storage ?? fakeStorage();
  const requests = [];
  const waiting = new Set();
  const on = {};

  const usual = {
    refresh: ({ body }) => auth.rotate(JSON.parse(body)),
    login: ({ body }) => json(auth.issue(JSON.parse(body).email)),
    logout: ({ body }) => {
      const session = auth.find(JSON.parse(body).accessToken);
      if (session) session.ended = 'logout';
      return new Response(null, { status: 204 });
    },
    token: ({ body }) => auth.token(formOf(body)),
    revoke: ({ body }) => auth.revoke(formOf(body)),
    api: ({ token, body }) => {
      if (!token) return problem(401, 'token_missing');
      const session = auth.find(token);
      return session?.live === token && !session.ended ? new Response(body || '2026-01-01') : expired();
    },
  };

  const fetch = async (input, init) => {
    const direct = new Request(input, init?.body && !(input instanceof Request) ? { ...init, duplex: 'half' } : init);
    const { url, method, headers, signal, keepalive } = direct;
    const seen = { url, method, headers, init, input, keepalive: keepalive || init?.keepalive === true };
    seen.token = headers.get('Authorization')?.replace('Bearer ', '');
    requests.push(seen);
    seen.bytes = Buffer.from(await direct.arrayBuffer());
    seen.body = seen.bytes.toString();
    const { pathname } = new URL(url);
    const paths = { ...PATHS, ...OAUTH };
    const kind = Object.keys(paths).find((name) => pathname === paths[name]) ?? 'api';
    seen.kind = kind;
    for (const look of [...waiting]) look();
    const answer = (async () => (on[kind] ? on[kind](seen, () => usual[kind](seen)) : usual[kind](seen)))();
    const aborted = new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason));
    });
    return Promise.race([answer, aborted]);
  };

  const self = {
    auth,
    storage,
    requests,
    on,
    fetch,
    /** Resolves with the request of that kind that fits, now or when it comes. */
    arrival: (kind, fits = () => true) =>
      new Promise((resolve) => {
        const look = () => {
          const found = self.of(kind).find(fits);
          if (!found) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    of: (kind) => requests.filter((request) => request.kind === kind),
    client: (options = {}) =>
      createTokenClient({ authority: AUTHORITY, api: API, storage, fetch, locks: null, timeout: 3000, ...options }),
    stored: () => JSON.parse(storage.getItem(KEY)),
    store: (pair) => storage.setItem(KEY, JSON.stringify(pair)),
    /** Puts a fresh pair of a new session in storage. */
    signIn(sub = 'u1', more) {
      const pair = auth.issue(sub, more);
      self.store(pair);
      return pair;
    },
    /** Puts a fresh pair of a new session of an app in storage, as the client would. */
    signInApp(sub = 'u1', clientId = 'spa') {
      const { accessToken, refreshToken } = auth.issue(sub, { client_id: clientId });
      const pair = { accessToken, refreshToken, clientId, idToken: 'the.id.token' };
      self.store(pair);
      return pair;
    },
    /** The API says `act: expired` to every token issued until now. */
    expire: () => auth.sessions.forEach((session) => (session.live = null)),
    /** All events of a client, in order. */
    listen(client) {
      const events = [];
      for (const name of ['signedIn', 'refreshed', 'signedOut', 'error']) client.on(name, (event) => events.push([name, event]));
      return events;
    },
  };
  return self;
};

/** The fields of a form. */
export const formOf = (body) => Object.fromEntries(new URLSearchParams(body));

/**
 * A tab at this address: where it was sent, what its address bar was set to, and its `sessionStorage`, whose names are
 * its own keys as in a browser.
 */
export const installTab = (t, start, { secure = true } = {}) => {
  let at = new URL(start);
  const tab = {
    gone: [],
    replaced: [],
    /** The page is loaded anew, at this address. */
    load: (href) => (at = new URL(href, at)),
    get href() {
      return at.href;
    },
    values: () => ({ ...globalThis.sessionStorage }),
  };
  const location = { assign: (url) => void tab.gone.push(new URL(url, at)) };
  for (const name of ['href', 'origin', 'pathname', 'search', 'hash']) Object.defineProperty(location, name, { get: () => at[name] });
  const history = {
    state: { of: 'the router' },
    replaceState(state, title, url) {
      const next = new URL(url, document.baseURI ?? at);
      if (next.origin !== at.origin) throw new DOMException('another origin', 'SecurityError');
      tab.replaced.push([state, next.href]);
      at = next;
    },
  };
  const methods = {
    getItem: (name) => globalThis.sessionStorage[name] ?? null,
    setItem: (name, value) => void (globalThis.sessionStorage[name] = `${value}`),
    removeItem: (name) => void delete globalThis.sessionStorage[name],
  };
  const document = { baseURI: undefined };
  const globals = { location, history, document, sessionStorage: Object.create(methods) };
  if (!secure) globals.crypto = { getRandomValues: (array) => array };
  for (const [name, value] of Object.entries(globals)) {
    const own = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    t.after(() => (own ? Object.defineProperty(globalThis, name, own) : delete globalThis[name]));
  }
  return Object.assign(tab, { document });
};

/** A page at this address, with a `<base>` somebody put into it. */
export const installPage = (t, href, baseURI = href) => {
  Object.assign(globalThis, { location: { href, origin: new URL(href).origin }, document: { baseURI } });
  t.after(() => {
    delete globalThis.location;
    delete globalThis.document;
  });
};

/** What another tab does to the same storage: the write, then the event in this one. */
export const installWindow = (t) => {
  const target = new EventTarget();
  let count = 0;
  globalThis.addEventListener = (...args) => (count++, target.addEventListener(...args));
  globalThis.removeEventListener = (...args) => (count--, target.removeEventListener(...args));
  t.after(() => {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  });
  return {
    listeners: () => count,
    elsewhere(storage, key, newValue) {
      const oldValue = storage.getItem(key);
      if (newValue === null) storage.removeItem(key);
      else storage.setItem(key, newValue);
      target.dispatchEvent(Object.assign(new Event('storage'), { key, oldValue, newValue, storageArea: storage }));
    },
  };
};

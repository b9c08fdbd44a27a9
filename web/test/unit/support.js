/**
 * The world of a client under test: a storage, a token service that follows the rotation rules, an API, and a `fetch`
 * between them that keeps an exact copy of every request. Nothing here knows how the client works.
 */
import { createTokenClient } from '../../token-client.js';

export const AUTHORITY = 'http://auth.test';
export const API = 'http://api.test';
export const HOME = `${API}/api/home`;
export const KEY = 'token-session';
export const PATHS = { login: '/api/account/login', refresh: '/api/account/refresh-token', logout: '/api/account/logout' };

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
 * Everything together. `on.refresh`, `on.login`, `on.logout` and `on.api` may replace an answer: they get the request
 * and the usual answer as a function.
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
    const kind = Object.keys(PATHS).find((name) => pathname === PATHS[name]) ?? 'api';
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

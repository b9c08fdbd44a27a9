/**
 * Keeps a browser signed in with a short-lived access token and a refresh token that turns over at every use.
 *
 * `fetch` of the client is the platform's: it adds the access token, and when the API answers `401 act: expired`
 * (or `act: revoked`) it refreshes once for every waiting call of every tab and repeats the request.
 *
 * Storage is the only truth: no token is kept in memory between calls, so what another tab does is seen at once.
 * Correctness rests on two things: an answer is stored only over the pair that was sent (compare and write), and the
 * service answers the same pair again with the same successor. The Web Lock only saves requests. While it is held
 * there is one reading of storage, one POST with a deadline and one write, and no code of the application.
 *
 * @module
 */

/**
 * What the service hands out; further members are ignored.
 * @typedef {{accessToken: string, refreshToken: string, expiresIn?: number}} Pair
 */

/**
 * A pair as it lies in storage: `skew` in milliseconds, `id` a random mark of the write, to know one's own again.
 * @typedef {Pair & {skew?: number, id?: number}} Stored
 */

/**
 * The claims of an access token. They are read, not verified: show them, never decide by them.
 * @typedef {{sub?: string, sid?: string, exp?: number, iat?: number, name?: string, email?: string, email_verified?: boolean, roles?: string[], [claim: string]: unknown}} Claims
 */

/**
 * `expiresAt`: when the token is over *by this machine's clock*, in milliseconds since 1970 (`NaN` without `exp`).
 * `skew`: by how many milliseconds the service's clock was ahead of this machine's when the token arrived.
 * @typedef {{accessToken: string, claims: Claims, expiresAt: number, skew: number}} Session
 */

/**
 * `remote`: it happened in another tab. `reason`: `logout`, what the service said (`session_expired`, `idle`,
 * `reuse`, …), `refused` when it said nothing, or `elsewhere` when another tab was signed out.
 * @typedef {{
 *   signedIn: {remote: boolean},
 *   refreshed: {remote: boolean},
 *   signedOut: {remote: boolean, reason: string},
 *   error: {remote: false, error: TokenError}
 * }} Events
 */

/**
 * @typedef {object} Options
 * @property {string} [authority] The token service; the page's own origin unless given.
 * @property {string | string[]} [api] The APIs whose origins get the access token.
 * @property {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} [storage] `localStorage` unless given.
 * @property {string} [key] The key of the pair in storage; `token-session`.
 * @property {number} [timeout] Milliseconds that a refresh, a log-in or a log-out may take; 8000.
 * @property {number} [refreshBefore] Refresh before a call when the token has less than this many milliseconds to live; 0: never.
 * @property {typeof globalThis.fetch} [fetch] The platform's unless given.
 * @property {Pick<LockManager, 'request'> | null} [locks] `navigator.locks` unless given; `null`: none.
 * @property {{login?: string, refresh?: string, logout?: string}} [paths] Below `authority`.
 */

/**
 * Why there is no session, or no fresh one. `code` is `refused` (the service said no) or `unavailable` (it did not
 * answer, or said "later": whoever was signed in still is). `status` is the HTTP status, 0 when there was no answer;
 * `problem` what the service calls it, `retryAfter` the seconds it asked for.
 */
export class TokenError extends Error {
  /**
   * @param {'refused' | 'unavailable'} code
   * @param {{status?: number, problem?: string, retryAfter?: number}} [facts]
   */
  constructor(code, { status = 0, problem, retryAfter } = {}) {
    super(code === 'refused' ? 'the token service refused' : 'the token service is not available');
    this.name = 'TokenError';
    this.code = code;
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/**
 * The claims of a JWT, unverified; `{}` for anything else.
 * @param {unknown} token
 * @returns {Claims}
 */
export const decode = (token) => {
  try {
    const [, payload, signature] = /** @type {string} */ (token).split('.');
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return signature !== undefined && typeof claims === 'object' && !Array.isArray(claims) ? claims ?? {} : {};
  } catch {
    return {};
  }
};

/**
 * Settles as the promise does, or rejects at once when the signal is aborted; what the promise stands for goes on.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<T>}
 */
const orAborted = (promise, signal) =>
  new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort));
  });

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {any} pair @returns {Pair | null} */
const asPair = (pair) =>
  pair && typeof pair.accessToken === 'string' && typeof pair.refreshToken === 'string' && pair.accessToken && pair.refreshToken
    ? pair
    : null;

/**
 * Creates a client. It does no input or output and never throws; all clients of an origin with the same `key` share
 * one session.
 * @param {Options} [options]
 */
export const createTokenClient = (options = {}) => {
  const { authority = '', api = [], storage, key = 'token-session', timeout = 8000, refreshBefore = 0, locks, paths } = options;
  const { login = '/api/account/login', refresh = '/api/account/refresh-token', logout = '/api/account/logout' } = paths ?? {};
  /** @type {Map<keyof Events, Set<(event: any) => void>>} */
  const listeners = new Map();
  /** Refreshes under way, by the refresh token they send. @type {Map<string, Promise<Stored | null>>} */
  const flights = new Map();
  /** The pair, only where storage cannot be written; `undefined` means that storage is the truth. @type {string | null | undefined} */
  let memory;
  /** The `id` of the state whose event went out last; `null`: signed out, `undefined`: nobody looked yet. @type {number | null | undefined} */
  let known;
  /** No refresh before this moment of the monotonic clock, for this reason. @type {[number, TokenError | undefined]} */
  let pause = [0, undefined];

  const base = () => authority.replace(/\/$/, '');
  const store = () => storage ?? localStorage;
  /** @type {typeof globalThis.fetch} */
  const call = (input, init) => {
    const { fetch } = options.fetch ? options : globalThis; // called bare: the platform's is not a method
    return /** @type {typeof globalThis.fetch} */ (fetch)(input, init);
  };

  /** @returns {Stored | null} */
  const read = () => {
    /** @type {Stored | null} */
    let pair = null;
    try {
      pair = asPair(JSON.parse(/** @type {string} */ (memory === undefined ? store().getItem(key) : memory)));
    } catch {} // no storage, or rubbish in it: signed out
    if (known === undefined) known = pair ? pair.id : null;
    return pair;
  };

  /** @param {Stored | null} pair */
  const write = (pair) => {
    const value = pair && JSON.stringify(pair);
    known = pair ? pair.id : null;
    try {
      if (value) store().setItem(key, value);
      else store().removeItem(key);
      memory = undefined;
    } catch {
      memory = value;
    }
  };

  /** @param {Pair} pair */
  const keep = ({ accessToken, refreshToken, expiresIn }) => {
    const { iat, exp } = decode(accessToken);
    const issued = iat ?? Number(exp) - Number(expiresIn);
    const pair = { accessToken, refreshToken, skew: issued * 1000 - Date.now() || 0, id: Math.random() };
    write(pair);
    pause = [0, undefined];
    return pair;
  };

  /** @param {Stored | null} pair @returns {Session | null} */
  const sessionOf = (pair) => {
    if (!pair) return null;
    const { accessToken, skew = 0 } = pair;
    const claims = decode(accessToken);
    return { accessToken, claims, expiresAt: Number(claims.exp) * 1000 - skew, skew };
  };

  /** @template {keyof Events} K @param {K} name @param {Events[K]} event */
  const emit = (name, event) => {
    for (const listener of [...(listeners.get(name) ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        console.error(error);
      }
    }
  };

  /**
   * One POST to the service: a pair or a refusal; `unavailable` for every answer that decides nothing. Rejects when no
   * answer arrived whole. A redirect is no answer: it would carry the tokens elsewhere.
   * @param {string} path @param {object} body @param {AbortSignal} signal @param {RequestInit} [init]
   * @returns {Promise<{pair?: Pair, error?: TokenError, reason?: string}>}
   */
  const post = async (path, body, signal, init) => {
    const headers = { 'Content-Type': 'application/json' };
    const answer = call(base() + path, { method: 'POST', headers, body: JSON.stringify(body), redirect: 'error', signal, ...init });
    const res = await orAborted(answer, signal);
    const text = await orAborted(res.text(), signal);
    const { ok, status } = res;
    const denied = [400, 401, 403].includes(status);
    /** @type {any} */
    let json;
    try {
      json = JSON.parse(text || (denied ? '{}' : ''));
    } catch {} // a proxy's page, not the service's word
    const pair = ok && asPair(json);
    if (pair) return { pair };
    const problem = !ok && json?.code;
    if (json !== undefined && (ok || denied)) {
      return { error: new TokenError('refused', { status, problem }), reason: (!ok && json?.reason) || problem || 'refused' };
    }
    const after = res.headers.get('Retry-After') ?? '';
    // A date is the service's: compare it with the service's clock.
    const seconds = /^\d+$/.test(after) ? Number(after) : (Date.parse(after) - Date.now() - (read()?.skew ?? 0)) / 1000;
    return { error: new TokenError('unavailable', { status, problem, retryAfter: Math.min(60, Math.max(1, seconds || 1)) }) };
  };

  /**
   * What happens under the lock. Never rejects, runs nothing of the application, ends within `timeout`.
   * @param {Stored} failed
   * @returns {Promise<{pair?: Stored | null, error?: TokenError, reason?: string, done?: boolean}>}
   */
  const exchange = async (failed) => {
    const sent = read();
    if (sent?.accessToken !== failed.accessToken) return { pair: sent };
    const deadline = AbortSignal.timeout(timeout);
    const current = () => read()?.refreshToken === sent.refreshToken;
    const { accessToken, refreshToken } = sent;
    const attempt = () => post(refresh, { accessToken, refreshToken }, deadline);
    /** @type {Awaited<ReturnType<typeof post>>} */
    let answer;
    try {
      // A lost answer may be a rotation that happened: the service answers the same pair once more.
      answer = await attempt().catch(async () => {
        await orAborted(sleep(250 + Math.random() * 500), deadline);
        return current() ? attempt() : {};
      });
    } catch {
      answer = { error: new TokenError('unavailable') };
    }
    // Overtaken by another tab whose write has not arrived here yet: give it the time.
    if (answer.error?.problem === 'refresh_token_superseded' && current()) await orAborted(sleep(250), deadline).catch(() => {});
    const { pair, error, reason } = answer;
    if (!current()) {
      const stored = read();
      // Signed out meanwhile: what this refresh brought must not live on.
      if (pair && !stored) post(logout, pair, AbortSignal.timeout(timeout), { keepalive: true }).catch(() => {});
      return { pair: stored };
    }
    if (pair) return { pair: keep(pair), done: true };
    if (reason) write(null);
    return { error, reason };
  };

  /** @param {Stored} failed @returns {Promise<Stored | null>} */
  const turn = async (failed) => {
    /** @type {ReturnType<typeof exchange> | undefined} */
    let started;
    const begin = () => (started ??= exchange(failed));
    const { sid, sub } = decode(failed.accessToken);
    try {
      // Longer than the longest hold; whoever holds it longer is suspended, and not waited for.
      const signal = AbortSignal.timeout(timeout + 2000);
      await (locks === undefined ? globalThis.navigator?.locks : locks)?.request(`${key}/${sid ?? sub}`, { signal }, async () => {
        // Locks and storage reach the other tabs on different ways. Whoever gets the lock next shall see the pair.
        if ((await begin()).done) await sleep(25);
      });
    } catch {} // no lock to be had: go on without
    const { pair = null, error, reason, done } = await begin();
    flights.delete(failed.refreshToken);
    if (done) emit('refreshed', { remote: false });
    if (!error) return pair;
    if (reason) {
      emit('signedOut', { remote: false, reason });
      return null;
    }
    pause = [performance.now() + (error.retryAfter ?? 1) * 1000, error];
    emit('error', { remote: false, error });
    throw error;
  };

  /**
   * The pair to go on with after this one failed; `null` when signed out. Rejects with `unavailable`.
   * @param {Stored} failed
   * @returns {Promise<Stored | null>}
   */
  const renew = async (failed) => {
    const stored = read();
    if (stored?.accessToken !== failed.accessToken) return stored;
    const { refreshToken } = failed;
    if (!flights.has(refreshToken)) {
      if (performance.now() < pause[0]) throw pause[1];
      flights.set(refreshToken, turn(failed));
    }
    return /** @type {Promise<Stored | null>} */ (flights.get(refreshToken));
  };

  /** Like `renew`, but where a call can go on without a fresh token. @param {Stored} pair @param {AbortSignal | null} [signal] */
  const tryToRenew = (pair, signal) =>
    orAborted(renew(pair), signal).catch((error) => {
      if (!(error instanceof TokenError)) throw error;
      return null;
    });

  /** @param {Stored | null} a @param {Stored | null} b */
  const sameUser = (a, b) => !!a && !!b && decode(a.accessToken).sub === decode(b.accessToken).sub;

  /** @param {string} href @returns {boolean} whether the token may go there */
  const trusted = (href) => {
    const here = globalThis.document?.baseURI ?? globalThis.location?.href;
    /** @param {string} url */
    const parse = (url) => new URL(url, here);
    const { origin, pathname } = parse(href);
    if ([login, refresh, logout].some((path) => parse(base() + path).href === origin + pathname)) return false;
    return [authority, ...[api].flat()].some((url) => parse(url).origin === origin);
  };

  /**
   * The platform's `fetch`, signature and types; see the table of outcomes in the README.
   * @param {RequestInfo | URL} input @param {RequestInit} [init] @returns {Promise<Response>}
   */
  const clientFetch = async (input, init) => {
    let pair = read();
    // Not instanceof: a Request of another realm must not be taken for a relative URL.
    const isRequest = typeof input === 'object' && 'url' in input;
    const headers = new Headers(init?.headers ?? (isRequest ? input.headers : undefined));
    if (!pair || headers.has('Authorization') || !trusted(isRequest ? input.url : String(input))) return call(input, init);

    // Taken now, as the platform does: a later change of the caller's objects does not reach the repeat.
    const request = isRequest ? new Request(input, init) : null;
    const rest = { ...init };
    const signal = rest.signal ?? request?.signal;
    const { body } = rest;
    const stream = typeof body === 'object' && body !== null && (Symbol.asyncIterator in body || 'getReader' in body);

    /** @param {Stored} pair @param {boolean} last @returns {Promise<Response>} */
    const send = (pair, last) => {
      const copy = request && (last ? request : request.clone());
      const sent = copy ? copy.headers : new Headers(headers);
      sent.set('Authorization', `Bearer ${pair.accessToken}`);
      return copy ? call(copy) : call(input, { ...rest, headers: sent });
    };

    const { expiresAt, claims } = /** @type {Session} */ (sessionOf(pair));
    const margin = Math.max(stream ? 5000 : 0, Math.min(refreshBefore, (Number(claims.exp) - Number(claims.iat)) * 500) || 0);
    if (margin && expiresAt - Date.now() < margin) {
      const fresh = await tryToRenew(pair, signal);
      if (sameUser(fresh, pair)) pair = /** @type {Stored} */ (fresh);
    }

    const res = await send(pair, stream);
    if (res.status !== 401 || !/^(expired|revoked)$/.test(res.headers.get('act') ?? '')) return res;
    if (stream) {
      await tryToRenew(pair, signal);
      return res;
    }
    const fresh = await orAborted(renew(pair), signal);
    if (!sameUser(fresh, pair)) return res;
    res.body?.cancel().catch(() => {});
    return send(/** @type {Stored} */ (fresh), true);
  };

  /** @param {StorageEvent} event */
  const heard = ({ key: changed, oldValue, storageArea }) => {
    try {
      if (storageArea !== store() || (changed !== key && changed !== null)) return;
    } catch {
      return;
    }
    memory = undefined;
    const before = known;
    const pair = read();
    known = pair ? pair.id : null;
    // Events come late and in crowds; only a state that differs from the last one told is news.
    if (known === before && known !== undefined) return;
    if (!pair) return emit('signedOut', { remote: true, reason: 'elsewhere' });
    const { sid, sub } = decode(pair.accessToken);
    /** @type {Claims} */
    let old = {};
    try {
      old = decode(JSON.parse(oldValue ?? '').accessToken);
    } catch {} // there was nobody
    emit(old.sub === sub && old.sid === sid ? 'refreshed' : 'signedIn', { remote: true });
  };
  globalThis.addEventListener?.('storage', heard);

  const client = {
    fetch: clientFetch,

    /** Who is signed in, read from storage now. @returns {Session | null} */
    get session() {
      return sessionOf(read());
    },

    /**
     * Signs in. Rejects with a {@link TokenError}.
     * @param {{email: string, password: string}} credentials
     * @returns {Promise<Session>}
     */
    async login(credentials) {
      const { pair, error } = await post(login, credentials, AbortSignal.timeout(timeout)).catch(() => ({
        pair: undefined,
        error: new TokenError('unavailable'),
      }));
      if (!pair) throw error;
      return client.adopt(pair);
    },

    /**
     * Signs in with a pair that came another way, such as the answer to a change of password.
     * @param {Pair} pair
     * @returns {Session}
     */
    adopt(pair) {
      if (!asPair(pair)) throw new TokenError('refused');
      const stored = keep(pair);
      emit('signedIn', { remote: false });
      return /** @type {Session} */ (sessionOf(stored));
    },

    /**
     * Refreshes now. Rejects with a {@link TokenError}: `refused` also when nobody is signed in.
     * @returns {Promise<Session>}
     */
    async refresh() {
      const pair = read();
      const session = pair && sessionOf(await renew(pair));
      if (!session) throw new TokenError('refused');
      return session;
    },

    /** Signs out here at once, then tells the service. Never rejects. @returns {Promise<void>} */
    async logout() {
      const pair = read();
      write(null);
      if (!pair) return;
      emit('signedOut', { remote: false, reason: 'logout' });
      const { accessToken, refreshToken } = pair;
      await post(logout, { accessToken, refreshToken }, AbortSignal.timeout(timeout), { keepalive: true }).catch(() => {});
    },

    /**
     * Calls the listener at every such event, until the returned function is called.
     * @template {keyof Events} K
     * @param {K} name
     * @param {(event: Events[K]) => void} listener
     * @returns {() => void}
     */
    on(name, listener) {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set.add(listener));
      return () => void set.delete(listener);
    },

    /** Stops listening to the other tabs. */
    close() {
      globalThis.removeEventListener?.('storage', heard);
    },
  };
  return client;
};

/** @typedef {ReturnType<typeof createTokenClient>} TokenClient */

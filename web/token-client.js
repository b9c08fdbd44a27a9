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
 * A session begins by `login` (the service's own JSON endpoints, for pages of the account) or by `loginWithRedirect` and
 * `handleRedirect` (OAuth 2.1: authorization code and PKCE, for an app that shares the sign-on). The second kind has a
 * `clientId` beside the pair. That decides which endpoints it is refreshed and ended at, and nothing else.
 *
 * In this order: the types; the judgements, which are functions of what they are given and the clock (what a pair says,
 * what an answer means, where things go, how long to wait); what has a memory or sends something, which are functions of
 * a client, `self` (storage, events, the service, log-outs, refreshes, redirects, calls); then `createTokenClient`, which
 * makes one.
 *
 * @module
 */

/**
 * What the service hands out; further members are ignored. `deviceToken` comes with the answer to a log-in: it tells
 * the service at the next one that this browser is no stranger to the account. `clientId`: the app that the pair was
 * given to; its `refreshToken` may be `''` (the service gave it none), and its `idToken` is kept as the hint for a
 * log-out, never read.
 * @typedef {{accessToken: string, refreshToken: string, expiresIn?: number, deviceToken?: string, clientId?: string, idToken?: string}} Pair
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
 * @property {string} [authority] The token service; the page's own origin unless given. A path such as `/auth` is of the page's origin.
 * @property {string | string[]} [api] The APIs whose origins get the access token.
 * @property {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} [storage] `localStorage` unless given.
 * @property {string} [key] The key of the pair in storage; `token-session`.
 * @property {number} [timeout] Milliseconds that a refresh, a log-in or a log-out may take; 8000.
 * @property {number} [refreshBefore] Refresh before a call when the token has less than this many milliseconds to live; 0: never.
 * @property {typeof globalThis.fetch} [fetch] The platform's unless given.
 * @property {Pick<LockManager, 'request'> | null} [locks] `navigator.locks` unless given; `null`: none.
 * @property {Partial<Record<Path, string>>} [paths] Below `authority`.
 * @property {string} [issuer] What the `iss` of a redirect must be, to the letter; the origin of `authority` unless given.
 */

/**
 * What is asked for at the log-in page. `redirectUri` must be one that the client is registered with, to the letter; the
 * page's address without query and fragment unless given. `returnTo` is where in this origin the address bar is put
 * afterwards; where it is now unless given. All others go to the page as they are, under the names that OAuth gives them.
 * @typedef {object} RedirectOptions
 * @property {string} clientId
 * @property {string} [scope] `openid` unless given.
 * @property {string} [redirectUri]
 * @property {string} [returnTo]
 * @property {string} [prompt] `none`: show no page, come back with `login_required` if one was needed. `login`: ask again.
 * @property {string} [loginHint] The e-mail address to begin with.
 * @property {string} [uiLocales] Languages of the page, by blanks, the best first.
 * @property {number} [maxAge] Ask again when the log-in is older than this many seconds.
 * @property {string} [acrValues]
 * @property {string} [resource]
 */

/**
 * What is remembered of a redirect until it comes back, and when it began.
 * @typedef {{verifier: string, redirectUri: string, clientId: string, returnTo: string, at: number}} Begun
 */

/**
 * One client: its options, and what it remembers from one call to the next. That is no token but those in `memory`.
 * @typedef {Options & {
 *   key: string,
 *   timeout: number,
 *   memory: Map<string, string>,
 *   told?: number | false | null,
 *   listeners: Set<[keyof Events, (event: any) => void]>,
 *   flights: Map<string, Promise<any>>,
 *   tired?: (() => TokenError | false) | null
 * }} Self
 *
 * - `memory`: only what storage did not take. For all other names storage is the truth.
 * - `told`: the `id` of the state whose event went out last; `false`: signed out. Without a value nobody has looked yet.
 * - `listeners`: with the name of the event that each waits for.
 * - `flights`: refreshes under way, by refresh token, log-outs, by access token, and the return of a redirect.
 * - `tired`: why the service is left alone now, that is: no refresh, and no word of former log-outs.
 */

/**
 * Why there is no session, or no fresh one. `code` is `refused` (the service said no) or `unavailable` (it did not
 * answer, or said "later": whoever was signed in still is). `status` is the HTTP status, 0 when there was no answer;
 * `problem` what the service calls it, `retryAfter` the seconds it asked for. `reason` is OAuth's word for what became of
 * a redirect (`access_denied`, `login_required`, `invalid_grant`, …), or `issuer_mismatch`: another service's answer.
 */
export class TokenError extends Error {
  /**
   * @param {'refused' | 'unavailable'} code
   * @param {number} [status] @param {string} [problem] @param {number} [retryAfter] @param {string} [reason]
   */
  constructor(code, status = 0, problem, retryAfter = 1, reason) {
    super(`token service ${code}`);
    this.name = 'TokenError';
    this.code = code;
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
    this.reason = reason;
  }
}

/**
 * What the work gives; nothing when it throws. For what strangers wrote, and for storage.
 * @template T
 * @param {() => T} work
 * @returns {T | undefined}
 */
const attempt = (work) => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

// What a pair says

/**
 * The claims of a JWT, unverified; `{}` for anything else.
 * @param {unknown} token
 * @returns {Claims}
 */
export const decode = (token) =>
  attempt(() => {
    const [, payload, signature] = /** @type {string} */ (token).split('.');
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return signature !== undefined && Object(claims) === claims && !Array.isArray(claims) && claims;
  }) || {};

/** @param {any} text */
const isText = (text) => text && typeof text === 'string';

/** Only an app may be without a refresh token. @param {any} pair @returns {Stored | null} */
const asPair = (pair) => (isText(pair?.accessToken) && isText(pair.refreshToken || pair.clientId) ? pair : null);

/**
 * The answer of `/oauth/token` as a pair. What it does not renew stays: a refresh token may go on (RFC 6749 §6), as does
 * the hint for a log-out.
 * @param {any} json @param {Partial<Stored>} app
 */
const ofApp = (json, app) => ({
  ...app,
  accessToken: json?.access_token,
  refreshToken: json?.refresh_token || app.refreshToken,
  expiresIn: json?.expires_in,
  idToken: json?.id_token || app.idToken,
});

/** A pair that arrives now, as it will lie in storage: with the difference of the clocks. @param {Pair} pair @returns {Stored} */
const arrived = ({ accessToken, refreshToken, expiresIn, clientId, idToken }) => {
  const { iat, exp } = /** @type {any} */ (decode(accessToken));
  const skew = (iat ?? exp - /** @type {any} */ (expiresIn)) * 1000 - Date.now() || 0;
  return { accessToken, refreshToken, skew, id: Math.random(), ...(clientId && { clientId, idToken }) };
};

/** @param {Stored | null} pair @returns {Session | null} */
const sessionOf = (pair) => {
  if (!pair) return pair;
  const { accessToken, skew = 0 } = pair;
  const claims = decode(accessToken);
  return { accessToken, claims, expiresAt: /** @type {number} */ (claims.exp) * 1000 - skew, skew };
};

/**
 * Whether so little of the token's life is left that it is refreshed before a call: `refreshBefore`, at most half of
 * its life; 5 seconds where the body cannot be sent twice. Never where nothing can refresh it.
 * @param {Stored} pair @param {number | undefined} refreshBefore @param {unknown} stream
 */
const isDue = (pair, refreshBefore, stream) => {
  const { expiresAt, claims } = /** @type {Session} */ (sessionOf(pair));
  const { iat, exp } = /** @type {any} */ (claims);
  const margin = Math.max(stream ? 5000 : 0, Math.min(/** @type {number} */ (refreshBefore), (exp - iat) * 500) || 0);
  return margin && pair.refreshToken && expiresAt - Date.now() < margin;
};

/** @param {Stored | null} a @param {Stored} b */
const sameUser = (a, b) => a && decode(a.accessToken).sub === decode(b.accessToken).sub;

// What an answer means

/** The words for a refused refresh. Only the service has them, and only they and OAuth's `invalid_grant` end a session. */
const OVER = /^(invalid_(access|refresh)_token|session_(expired|revoked)|refresh_token_(superseded|reused))$/;

/**
 * What became of a question to the service: a pair, or an error. `reason` is there when the session is over.
 * @typedef {{pair?: Pair, error?: TokenError, reason?: string}} Verdict
 */

/**
 * Judges an answer: a pair or a refusal; `unavailable` for everything that decides nothing, such as a proxy's page.
 * `skew`: how far the service's clock is ahead, in milliseconds. `app`: what is known of the session of an app, whose
 * answers are OAuth's.
 * @param {Pick<Response, 'ok' | 'status' | 'headers'>} answer @param {string} text @param {unknown} isLogin @param {number} [skew]
 * @param {Partial<Stored>} [app]
 * @returns {Verdict}
 */
const judge = ({ ok, status, headers }, text, isLogin, skew = 0, app) => {
  /** @type {any} */
  const json = attempt(() => JSON.parse(text));
  const pair = ok && asPair(app ? ofApp(json, app) : json);
  if (pair) return { pair };
  const problem = json?.code;
  const denied = /^40[013]$/.test(/** @type {any} */ (status));
  // The articles' server says no with 200 `false`. A gateway's JSON decides nothing.
  const over = ok ? json === false : denied && (OVER.test(problem) || (app && json?.error === 'invalid_grant'));
  const reason = over && (json.reason || problem || 'refused');
  // No session depends on a log-in, and other services refuse one in their own words, or without any.
  if (reason || (denied && isLogin && (json || !text))) {
    return { error: new TokenError('refused', status, problem, 1, json?.error), reason };
  }
  const after = /** @type {string} */ (headers.get('Retry-After'));
  // A date is the service's: compare it with the service's clock.
  const seconds = +after || (Date.parse(after) - Date.now() - skew) / 1000 || 0;
  return { error: new TokenError('unavailable', status, problem, Math.max(1, Math.min(60, seconds))) };
};

// Where things go

/**
 * Options given without an origin are of the page's own. Not of `document.baseURI`: whoever gets a `<base>` into the
 * page must not choose who hears the password.
 * @param {string | URL} url @param {string} [base]
 */
const absolute = (url, base = globalThis.location?.href) => new URL(url, base);

// Waiting

/** A signal that is aborted after so many milliseconds, where the platform has none (Safari before 16). @param {number} ms */
const limit = (ms) => {
  if (AbortSignal.timeout) return AbortSignal.timeout(ms);
  const control = new AbortController();
  setTimeout(() => control.abort(), ms);
  return control.signal;
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
    const abort = () => reject(signal?.reason ?? Object.assign(Error('aborted'), { name: 'AbortError' }));
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort));
  });

/** Ends early when the signal is aborted. @param {number} ms @param {AbortSignal} [signal] */
const sleep = (ms, signal) => orAborted(new Promise((resolve) => setTimeout(resolve, ms)), signal).catch(() => {});

// Storage

/** Within `attempt` only: it throws where a page is denied its storage. @param {Self} self */
const area = (self) => self.storage ?? localStorage;

/**
 * What lies under this name; nothing when it is rubbish, or when there is no storage.
 * @param {Self} self @param {string} name @returns {any}
 */
const load = (self, name) =>
  attempt(() => JSON.parse(/** @type {string} */ (self.memory.get(name) ?? area(self).getItem(name))));

/**
 * What storage does not take is kept in memory. What lay there before is removed in any case: whoever found a spent
 * pair would present it, and be taken for a thief.
 * @param {Self} self @param {string} name @param {any} value
 */
const save = (self, name, value) => {
  const text = value && JSON.stringify(value);
  /** @param {string} [text] */
  const put = (text) => attempt(() => (text ? area(self).setItem(name, text) : area(self).removeItem(name), true));
  self.memory.delete(name);
  // The second time there is the room that the old value took.
  if (!put(text) && (put(), !put(text))) self.memory.set(name, `${text}`);
};

/** @param {Self} self @returns {Stored | null} */
const read = (self) => {
  const pair = asPair(load(self, self.key));
  self.told ??= pair ? pair.id : false;
  return pair;
};

/** @param {Self} self @param {Stored | null} pair */
const write = (self, pair) => {
  self.told = pair ? pair.id : false;
  save(self, self.key, pair);
};

/** Stores a pair that arrives: whoever gave it is there. @param {Self} self @param {Pair} fresh */
const keep = (self, fresh) => {
  const pair = arrived(fresh);
  write(self, pair);
  self.tired = null;
  return pair;
};

/**
 * What outlives the session lies beside it: of the last five, the latest last.
 * @param {Self} self @param {string} name @returns {Map<string, string | string[]>}
 */
const recall = (self, name) => attempt(() => new Map(load(self, `${self.key}-${name}`))) ?? new Map();

/**
 * Puts the value at the end, or takes it away.
 * @param {Self} self @param {string} name @param {string} id @param {string | string[]} [value]
 */
const remember = (self, name, id, value) => {
  const map = recall(self, name);
  map.delete(id);
  if (value) map.set(id, value);
  save(self, `${self.key}-${name}`, map.size && [...map].slice(-5));
};

// Events

/** What another tab wrote. @param {Self} self @param {StorageEvent} event */
const hear = (self, { key, oldValue, storageArea }) => {
  if (storageArea !== attempt(() => area(self)) || (key ?? self.key) !== self.key) return;
  self.memory.delete(self.key);
  const before = self.told;
  self.told = null;
  const pair = read(self);
  // Events come late and in crowds; only a state that differs from the last one told is news.
  if (self.told === before && before != null) return;
  if (!pair) return emit(self, 'signedOut', { remote: true, reason: 'elsewhere' });
  const { sid, sub } = decode(pair.accessToken);
  const old = decode(attempt(() => JSON.parse(/** @type {string} */ (oldValue)).accessToken)); // {}: there was nobody
  emit(self, old.sub === sub && old.sid === sid ? 'refreshed' : 'signedIn', { remote: true });
};

/** @template {keyof Events} K @param {Self} self @param {K} name @param {Partial<Events[K]>} [facts] */
const emit = (self, name, facts) => {
  for (const [wanted, listener] of [...self.listeners]) {
    try {
      if (wanted === name) listener({ remote: false, ...facts });
    } catch (error) {
      (globalThis.reportError ?? console.error)(error);
    }
  }
};

// The service

/** @typedef {keyof typeof PATHS} Path */

const PATHS = {
  login: '/api/account/login',
  refresh: '/api/account/refresh-token',
  logout: '/api/account/logout',
  authorize: '/oauth/authorize',
  token: '/oauth/token',
  revoke: '/oauth/revoke',
  endSession: '/oauth/logout',
};

/** The address of one of them at the service. @param {Self} self @param {Path} name */
const at = (self, name) => absolute((self.authority ?? '').replace(/\/$/, '') + (self.paths?.[name] ?? PATHS[name])).href;

/**
 * Called bare: the platform's is not a method.
 * @param {Self} self @param {RequestInfo | URL} input @param {RequestInit} [init]
 */
const call = (self, input, init) => (self.fetch ?? globalThis.fetch)(input, init);

/** @param {Self} self @param {URL} target @returns {boolean} whether the token may go there */
const trusted = (self, { origin, pathname }) =>
  !(/** @type {Path[]} */ (Object.keys(PATHS)).some((name) => at(self, name) === origin + pathname)) &&
  [self.authority ?? '', self.api ?? []].flat().some((url) => absolute(url).origin === origin);

/** What has a value, under the names that OAuth gives it: `clientId` is `client_id`. @param {object} fields */
const form = (fields) => {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value != null) params.set(name.replace(/[A-Z]/g, '_$&').toLowerCase(), value);
  }
  return params;
};

/**
 * One POST, for an app of a form. Never rejects: without a whole answer the error's status is 0. A redirect is no answer:
 * it would carry the tokens elsewhere.
 * @param {Self} self @param {Path} name @param {any} body @param {Partial<Stored>} [app] @param {boolean} [keepalive]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Verdict>}
 */
const post = (self, name, body, app, keepalive, signal = limit(self.timeout)) => {
  const ask = async () => {
    const res = await call(self, at(self, name), {
      method: 'POST',
      headers: app ? {} : { 'Content-Type': 'application/json' },
      body: app ? form(body) : JSON.stringify(body),
      redirect: 'error',
      signal,
      keepalive,
    });
    // The exchange of a code is a log-in, too.
    return judge(res, await res.text(), name === 'login' || body.code, read(self)?.skew, app);
  };
  return orAborted(ask(), signal).catch(() => ({ error: new TokenError('unavailable') }));
};

/** By the monotonic clock. @param {Self} self @param {TokenError} error */
const rest = (self, error) => {
  const until = performance.now() + error.retryAfter * 1000;
  self.tired = () => performance.now() < until && error;
};

/**
 * Everybody who asks for the same work while it is under way shares it.
 * @template T @param {Self} self @param {string} id @param {() => Promise<T>} work @returns {Promise<T>}
 */
const once = ({ flights }, id, work) => {
  if (!flights.has(id)) flights.set(id, work().finally(() => flights.delete(id)));
  return /** @type {Promise<T>} */ (flights.get(id));
};

// Log-outs

/** Ends a session at the service, now or at the next chance. Never rejects. @param {Self} self @param {Pair} pair */
const leave = (self, { accessToken, refreshToken, clientId }) =>
  once(self, accessToken, async () => {
    remember(self, 'logouts', accessToken, clientId ? [refreshToken, clientId] : refreshToken);
    const { error } = await (clientId
      ? post(self, 'revoke', { token: refreshToken || accessToken, clientId }, {}, true)
      : post(self, 'logout', { accessToken, refreshToken }, undefined, true));
    // Done, or not a pair of its own: that is the service's last word. Others may stand in between and say theirs.
    if (error && !/^(2..|40[01])$/.test(/** @type {any} */ (error.status))) rest(self, error);
    else remember(self, 'logouts', accessToken);
  });

/** A page that does something anyway is the chance to tell the service of former log-outs. @param {Self} self */
const chance = (self) => {
  if (self.tired?.()) return;
  for (const [accessToken, left] of recall(self, 'logouts')) {
    const [refreshToken, clientId] = [left].flat();
    leave(self, { accessToken, refreshToken, clientId });
  }
};

// Refreshes

/**
 * What happens under the lock. Never rejects, runs nothing of the application, ends within `timeout`.
 * @param {Self} self @param {Stored} failed
 * @returns {Promise<{pair?: Stored | null, error?: TokenError, reason?: string, done?: boolean}>}
 */
const exchange = async (self, failed) => {
  const sent = read(self);
  if (sent?.accessToken !== failed.accessToken) return { pair: sent };
  const { accessToken, refreshToken, clientId } = sent;
  const deadline = limit(self.timeout);
  const current = () => read(self)?.refreshToken === refreshToken;
  /** @returns {Promise<Verdict>} */
  const ask = async () =>
    !clientId
      ? post(self, 'refresh', { accessToken, refreshToken }, undefined, false, deadline)
      : refreshToken
        ? post(self, 'token', { grantType: 'refresh_token', refreshToken, clientId }, sent, false, deadline)
        : { reason: 'session_expired' }; // by the API, for there is nothing to ask with
  let answer = await ask();
  // A lost answer may be a rotation that happened: the service answers the same pair once more.
  if (answer.error?.status === 0) {
    await sleep(250 + Math.random() * 500, deadline);
    if (current()) answer = await ask();
  }
  // Overtaken by another tab whose write has not arrived here yet: give it the time.
  if (answer.error?.problem === 'refresh_token_superseded' && current()) await sleep(250, deadline);
  const { pair, error, reason } = answer;
  if (!current()) {
    const stored = read(self);
    // Signed out meanwhile: what this refresh brought must not live on.
    if (pair && !stored) leave(self, pair);
    return { pair: stored };
  }
  if (pair) return { pair: keep(self, pair), done: true };
  if (!reason) return { error };
  write(self, null);
  return { reason };
};

/**
 * The pair to go on with after this one failed; `null` when signed out. Rejects with `unavailable`.
 * @param {Self} self @param {Stored} failed
 * @returns {Promise<Stored | null>}
 */
const renew = async (self, failed) => {
  const stored = read(self);
  if (stored?.accessToken !== failed.accessToken) return stored;
  return once(self, failed.refreshToken, async () => {
    const tired = self.tired?.();
    if (tired) throw tired;
    const { locks = globalThis.navigator?.locks } = self;
    /** @type {ReturnType<typeof exchange> | undefined} */
    let started;
    const { sid, sub } = decode(failed.accessToken);
    const begin = () => (started ??= exchange(self, failed));
    try {
      // Longer than the longest hold; whoever holds it longer is suspended, and not waited for.
      const signal = limit(self.timeout + 2000);
      await locks?.request(`${self.key}/${sid ?? sub}`, { signal }, async () => {
        // Locks and storage reach the other tabs on different ways. Whoever gets the lock next shall see the pair.
        if ((await begin()).done) await sleep(25);
      });
    } catch {} // no lock to be had: go on without
    const { pair = null, error, reason, done } = await begin();
    if (reason) emit(self, 'signedOut', { reason });
    if (done) emit(self, 'refreshed');
    if (error) {
      rest(self, error);
      emit(self, 'error', { error });
      throw error;
    }
    return pair;
  });
};

// Redirects

/** @param {Uint8Array} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');

/** 256 bits that nobody guesses. */
const secret = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** Where the page is, without query and fragment. */
const here = () => location.origin + location.pathname;

/** Navigates. @param {Self} self @param {Path} name @param {object} query */
const go = (self, name, query) => location.assign(`${at(self, name)}?${form(query)}`);

/**
 * Every redirect has a place of its own, of this tab: neither a second click nor another tab takes away what the answer
 * to the first is checked by.
 * @param {Self} self @param {string | null} state
 */
const slot = (self, state) => `${self.key}-redirect-${state}`;

/** @param {string} name @returns {Begun | undefined} */
const begun = (name) => attempt(() => JSON.parse(/** @type {string} */ (sessionStorage.getItem(name))));

/** @param {Self} self @param {RedirectOptions} options */
const begin = async (self, { clientId, scope = 'openid', redirectUri = here(), returnTo = location.href, ...more }) => {
  const [state, verifier] = [secret(), secret()];
  const text = JSON.stringify({ clientId, redirectUri, verifier, returnTo: absolute(returnTo), at: Date.now() });
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  for (const name of Object.keys(sessionStorage)) {
    // Those that never came back. Not at once: it may be the former of two clicks, and somebody at its page.
    const old = name.startsWith(slot(self, '')) && !(/** @type {Begun} */ (begun(name))?.at > Date.now() - 36e5);
    if (old) sessionStorage.removeItem(name);
  }
  sessionStorage.setItem(slot(self, state), text);
  const codeChallenge = base64url(new Uint8Array(hash));
  const known = { responseType: 'code', clientId, redirectUri, scope, state, codeChallenge, codeChallengeMethod: 'S256' };
  go(self, 'authorize', { ...more, ...known });
};

/**
 * What a redirect brought: the pair, or `null` when the page's address is no answer to one of ours. Takes what it was
 * checked by and what it brought out of sight before it sends anything: each is good for one time.
 * @param {Self} self @returns {Promise<Pair | null>}
 */
const end = async (self) => {
  const query = new URLSearchParams(globalThis.location?.search);
  const code = query.get('code');
  const error = query.get('error');
  const name = slot(self, query.get('state'));
  const known = (code || error) && begun(name);
  if (!known) return null;
  sessionStorage.removeItem(name);
  // The second where it can be: the address bar takes none of another origin.
  for (const url of [here(), known.returnTo]) attempt(() => history.replaceState(history.state, '', url));
  // An answer of another service must not make its codes go to this one, nor the other way round (RFC 9207).
  const alien = query.get('iss') !== (self.issuer ?? absolute(self.authority ?? '').origin);
  if (alien || error) throw new TokenError('refused', 0, undefined, 1, alien ? 'issuer_mismatch' : `${error}`);
  const { clientId, redirectUri, verifier: codeVerifier } = known;
  const body = { grantType: 'authorization_code', code, redirectUri, codeVerifier, clientId };
  // Once. A code is good for one exchange, so whoever lost the answer has to come back with another one.
  const answer = await post(self, 'token', body, { clientId, refreshToken: '' });
  if (!answer.pair) throw answer.error;
  return answer.pair;
};

// Calls

/**
 * What `fetch` of the client does; see the table of outcomes in the README.
 * @param {Self} self @param {any} input @param {RequestInit} [init] @returns {Promise<Response>}
 */
const fetchWithToken = async (self, input, init) => {
  chance(self);
  let pair = read(self);
  // Of a Request only. Not instanceof: one of another realm must not be taken for a relative URL.
  const url = input.url;
  const headers = new Headers(init?.headers ?? input.headers);
  if (!pair || headers.has('Authorization')) return call(self, input, init);
  // Where the platform would send it now. The token goes there and nowhere else, whatever becomes of the page's base.
  const target = absolute(url ?? input, globalThis.document?.baseURI);
  if (!trusted(self, target)) return call(self, input, init);

  // Taken now, as the platform does: a later change of the caller's objects does not reach the repeat.
  const request = url && new Request(input, init);
  const rest = { ...init };
  const { body, signal = request?.signal } = /** @type {any} */ (rest);
  const stream = body?.getReader || body?.[Symbol.asyncIterator];
  // Where the call can go on without a fresh token.
  const tryToRenew = () => orAborted(renew(self, /** @type {Stored} */ (pair)).catch(() => null), signal);

  /** @param {Stored} pair @param {unknown} last @returns {Promise<Response>} */
  const send = (pair, last) => {
    const copy = last ? request : request?.clone();
    const sent = copy?.headers ?? new Headers(headers);
    sent.set('Authorization', `Bearer ${pair.accessToken}`);
    return copy ? call(self, copy) : call(self, target.href, { ...rest, headers: sent });
  };

  if (isDue(pair, self.refreshBefore, stream)) {
    const fresh = await tryToRenew();
    if (sameUser(fresh, pair)) pair = /** @type {Stored} */ (fresh);
  }

  const res = await send(pair, stream);
  if (res.status !== 401 || !/^(expired|revoked)$/.test(/** @type {string} */ (res.headers.get('act')))) return res;
  if (stream) {
    await tryToRenew();
    return res;
  }
  const fresh = await orAborted(renew(self, pair), signal);
  if (!sameUser(fresh, pair)) return res;
  res.body?.cancel().catch(() => {});
  return send(/** @type {Stored} */ (fresh), true);
};

/**
 * Creates a client. It does no input or output and never throws; all clients of an origin with the same `key` share
 * one session.
 * @param {Options} [options]
 */
export const createTokenClient = (options = {}) => {
  const { key = 'token-session', timeout = 8000 } = options;
  /** @type {Self} */
  const self = { ...options, key, timeout, memory: new Map(), listeners: new Set(), flights: new Map() };
  /** @param {StorageEvent} event */
  const heard = (event) => hear(self, event);
  globalThis.addEventListener?.('storage', heard);

  const client = {
    /**
     * The platform's `fetch`, signature and types; see the table of outcomes in the README.
     * @param {RequestInfo | URL} input @param {RequestInit} [init] @returns {Promise<Response>}
     */
    fetch: (input, init) => fetchWithToken(self, input, init),

    /** Who is signed in, read from storage now. @returns {Session | null} */
    get session() {
      return sessionOf(read(self));
    },

    /**
     * Signs in. Rejects with a {@link TokenError}.
     * @param {{email: string, password: string}} credentials
     * @returns {Promise<Session>}
     */
    async login(credentials) {
      chance(self);
      const account = String(credentials.email).trim().toLowerCase();
      const deviceToken = recall(self, 'devices').get(account)?.toString();
      const { pair, error } = await post(self, 'login', { deviceToken, ...credentials });
      if (!pair) throw error;
      if (pair.deviceToken) remember(self, 'devices', account, pair.deviceToken);
      return client.adopt(pair);
    },

    /**
     * Goes to the service's log-in page, or through it where the browser is signed on already. Whoever comes back is
     * signed in by {@link handleRedirect}. Needs a secure context (https, or localhost) and `sessionStorage`; rejects
     * with the platform's error, and stays, without.
     * @param {RedirectOptions} options
     * @returns {Promise<void>}
     */
    loginWithRedirect: (options) => begin(self, options),

    /**
     * Signs in with what {@link loginWithRedirect} comes back with, and puts the address bar where it was. `null` when
     * the page's address is no such answer: call it at every start. Calls at once are one, with one result. Rejects with
     * a {@link TokenError}: `refused` with its `reason`, or `unavailable`. Both leave whoever was signed in signed in.
     * @returns {Promise<Session | null>}
     */
    handleRedirect: () =>
      once(self, 'redirect', async () => {
        chance(self);
        const pair = await end(self);
        return pair && client.adopt(pair);
      }),

    /**
     * Signs in with a pair that came another way, such as the answer to a change of password.
     * @param {Pair} pair
     * @returns {Session}
     */
    adopt(pair) {
      if (!asPair(pair)) throw new TokenError('refused');
      keep(self, pair);
      emit(self, 'signedIn');
      return /** @type {Session} */ (client.session);
    },

    /**
     * Refreshes now. Rejects with a {@link TokenError}: `refused` also when nobody is signed in, or without a refresh token.
     * @returns {Promise<Session>}
     */
    async refresh() {
      chance(self);
      const pair = read(self);
      const session = pair?.refreshToken && sessionOf(await renew(self, pair));
      if (!session) throw new TokenError('refused');
      return session;
    },

    /**
     * Signs out here at once, then tells the service. Never rejects. A session of {@link loginWithRedirect} is ended
     * alone: the browser stays signed on, and so do other apps. With `redirect` the page goes on to where the service
     * ends them all, and from there to that address (`true`: this one, without query and fragment) if the client is
     * registered with it.
     * @param {{redirect?: boolean | string}} [options]
     * @returns {Promise<void>}
     */
    async logout({ redirect } = {}) {
      const pair = read(self);
      write(self, null);
      if (!pair) return;
      emit(self, 'signedOut', { reason: 'logout' });
      const left = leave(self, pair);
      const { clientId, idToken } = pair;
      if (redirect && clientId) {
        attempt(() => {
          const postLogoutRedirectUri = redirect === true ? here() : redirect;
          go(self, 'endSession', { clientId, idTokenHint: idToken, postLogoutRedirectUri });
        });
      }
      await left;
    },

    /**
     * Calls the listener at every such event, until the returned function is called.
     * @template {keyof Events} K
     * @param {K} name
     * @param {(event: Events[K]) => void} listener
     * @returns {() => void}
     */
    on(name, listener) {
      /** @type {[K, typeof listener]} */
      const entry = [name, listener];
      read(self); // WebKit tells a page of other tabs' writes only once it has looked into storage
      self.listeners.add(entry);
      return () => void self.listeners.delete(entry);
    },

    /** Stops listening to the other tabs. */
    close() {
      globalThis.removeEventListener?.('storage', heard);
    },
  };
  return client;
};

/** @typedef {ReturnType<typeof createTokenClient>} TokenClient */

/**
 * A `fetch` that tells the diagram what goes over the wire. Tokens become fingerprints here and leave in no other
 * form. It can also lose an answer on purpose: after the service gave it, as a bad line would.
 */
import { fingerprint } from './dom.js';

/**
 * @typedef {{lane: 'auth' | 'api', back: boolean, label: string, access?: string, refresh?: string, note?: string, good?: boolean}} Message
 */

/** @param {any} body @returns {{refresh?: string, note?: string}} */
const sentTokens = (body) => {
  try {
    // An app's is a form; what it revokes is a refresh token as well.
    const isForm = body instanceof URLSearchParams;
    const refreshToken = isForm ? (body.get('refresh_token') ?? body.get('token')) : JSON.parse(body).refreshToken;
    if (isForm && body.has('code')) return { note: 'code, verifier' };
    return refreshToken ? { refresh: fingerprint(refreshToken) } : {};
  } catch {
    return {};
  }
};

/** What an answer says in a few characters. @param {string} text @returns {Partial<Message>} */
const gist = (text) => {
  try {
    const json = JSON.parse(text);
    const { accessToken = json.access_token, refreshToken = json.refresh_token, code } = json;
    if (accessToken && refreshToken) return { access: fingerprint(accessToken), refresh: fingerprint(refreshToken) };
    return { note: code };
  } catch {
    return { note: text.length <= 24 ? text : undefined };
  }
};

/**
 * @param {{authority: string, show: (message: Message) => (more: Partial<Message>) => void}} options
 */
export const createTraffic = ({ authority, show }) => {
  let losing = false;
  let cut = false;
  let requests = 0;

  /** To show the lists and the account is the page's own housekeeping. @param {string} method @param {string} path */
  const isHousekeeping = (method, path) => method === 'GET' && /\/account(\/sessions|\/apps)?$/.test(path);

  return {
    /** How many requests went out. */
    get requests() {
      return requests;
    },

    /** The next answer to a refresh will be lost on its way back. */
    loseNextAnswer() {
      losing = true;
    },

    /** While cut, nothing reaches the auth-server. @param {boolean} now */
    cutLine(now) {
      cut = now;
    },

    /** @param {RequestInfo | URL} input @param {RequestInit} [init] */
    async fetch(input, init = {}) {
      const { href, origin, pathname } = new URL(String(input), location.href);
      const method = init.method ?? 'GET';
      if (isHousekeeping(method, pathname)) return fetch(href, init);
      requests += 1;
      const lane = origin === authority ? 'auth' : 'api';
      const bearer = new Headers(init.headers).get('Authorization')?.replace(/^Bearer /, '');
      const isRefresh = pathname.endsWith('/refresh-token') || (pathname === '/oauth/token' && !!sentTokens(init.body).refresh);
      show({ lane, back: false, label: `${method} ${pathname.replace('/api/account', '…')}`, access: bearer && fingerprint(bearer), ...sentTokens(init.body) });
      try {
        if (cut && lane === 'auth') throw new TypeError('the line is cut');
        const res = await fetch(href, init);
        if (losing && isRefresh) {
          losing = false;
          throw new TypeError('lost on the way');
        }
        const act = res.headers.get('act');
        const more = show({ lane, back: true, label: `${res.status}${act ? ` act: ${act}` : ''}`, good: res.ok });
        res.clone().text().then((text) => more(gist(text)), () => {});
        return res;
      } catch (error) {
        show({ lane, back: true, label: init.signal?.aborted ? 'given up' : 'no answer', good: false });
        throw error;
      }
    },
  };
};

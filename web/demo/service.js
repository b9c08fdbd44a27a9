/** The account's part of the service: its requests, and what it says against them. */
import { mailTrouble, trouble } from './words.js';

const headers = { 'Content-Type': 'application/json' };

/** @typedef {import('./form.js').Complaint} Complaint */

/** @param {{client: import('../token-client.js').TokenClient, authority: string, send: typeof fetch}} page */
export const createService = ({ client, authority, send }) => {
  const account = `${authority}/api/account`;

  return {
    /** Without a token. @param {string} path @param {any} body */
    post: (path, body) => send(account + path, { method: 'POST', headers, body: JSON.stringify(body) }),

    /** In the name of who is signed in. @param {string} method @param {string} path @param {any} [body] */
    ask: (method, path, body) => client.fetch(account + path, body ? { method, headers, body: JSON.stringify(body) } : { method }),

    /**
     * What the service says against it; `null` when it is done.
     * @param {Response} res @param {(told: any) => string} [words]
     * @returns {Promise<Complaint | null>}
     */
    async complaint(res, words = trouble) {
      if (res.ok) return null;
      const problem = await res.json().catch(() => ({}));
      const text = words({ ...problem, status: res.status, retryAfter: Number(res.headers.get('Retry-After')) });
      return { text, at: problem.code === 'weak_password' ? 'new-password' : undefined };
    },

    /** The same of what sends a mail. @param {Response} res */
    mailComplaint(res) {
      return this.complaint(res, mailTrouble);
    },

    /** What a rejected call says against it. @param {any} error @returns {Complaint} */
    failed: (error) => ({ text: trouble(error) }),
  };
};
/** @typedef {ReturnType<typeof createService>} Service */

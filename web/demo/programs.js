/** The programs that have something of the account, as the auth-server keeps them, and how it is taken away from one. */
import { byId, el } from './dom.js';
import { dayAndTime, lastUse, scopeWords } from './words.js';

/**
 * @typedef {{client: {id: string, name: string}, scope: string, grantedAt?: number, lastUsedAt?: number,
 *   sessions: {id: string, current: boolean, kind?: string}[]}} Program
 */

const section = byId('programs');
const list = byId('programs-list');

/** @param {number} count */
const places = (count) => (count === 1 ? 'signed in once' : `signed in ${count} times`);

/** @param {Program} program */
const state = ({ sessions, lastUsedAt }) =>
  sessions.length ? `${places(sessions.length)}, last used ${lastUse(Number(lastUsedAt))}` : 'signed in nowhere';

/** @param {Program} program */
const agreed = ({ grantedAt }) => (grantedAt === undefined ? 'one of this server’s own: it does not ask' : `you agreed ${dayAndTime(grantedAt)}`);

/**
 * @param {{client: import('../token-client.js').TokenClient, service: import('./service.js').Service, signOn?: boolean,
 *   tell: (text: string, kind?: string) => void, begin: (title: string) => void, reload: () => Promise<unknown>}} page
 */
export const createPrograms = ({ client, service, signOn, tell, begin, reload }) => {
  /** @param {string} method @param {string} path */
  const ask = async (method, path) => {
    try {
      return await service.ask(method, path);
    } catch (error) {
      tell(`${service.failed(error).text} You are still signed in.`, 'bad');
      return null;
    }
  };

  /** @param {Program} program */
  const draw = (program) => {
    const { id, name } = program.client;
    const end = el('button', { type: 'button', class: 'small danger', 'aria-label': `Take access away from ${name}` }, 'Take access away');
    end.addEventListener('click', () => takeAway(program));
    return el(
      'li',
      { 'data-id': id },
      el('div', {}, el('b', {}, name), el('p', {}, scopeWords(program.scope)), el('p', { class: 'hint' }, `${state(program)} · ${agreed(program)}`)),
      end,
    );
  };

  /** Who is signed in decides whether there is a list; what is in it, the service. */
  const load = async () => {
    section.hidden = !signOn || !client.session;
    if (section.hidden) {
      list.replaceChildren();
      return;
    }
    const res = await ask('GET', '/apps');
    if (!res?.ok) return;
    /** @type {Program[]} */
    const programs = await res.json();
    list.replaceChildren(...(programs.length ? programs.map(draw) : [el('li', { class: 'hint' }, 'No program has anything of your account.')]));
  };

  /** @param {Program} program */
  const takeAway = async ({ client: { id, name }, sessions, grantedAt }) => {
    begin('Take access away from a program');
    const res = await ask('DELETE', `/apps/${encodeURIComponent(id)}`);
    if (!res) return;
    const wrong = await service.complaint(res);
    if (wrong) tell(wrong.text, 'bad');
    else if (sessions.some(({ current }) => current)) tell(`This page is ${name}: its own session is over, too. Your next call signs you out.`, 'warn');
    else tell(`${name} is signed out everywhere${grantedAt === undefined ? '' : ', and asks you again the next time'}. Its next call is refused.`);
    await reload();
    byId('programs-title').focus();
  };

  return { load };
};

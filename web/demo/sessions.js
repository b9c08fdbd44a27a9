/** The list of sessions, as the auth-server keeps it: where one is signed in, and the end of each. */
import { byId, el, unseen } from './dom.js';
import { dayAndTime, device, duration, kindOf, lastUse, trouble } from './words.js';

/**
 * Times of use are an hour coarse: the list must not tell a thief when the owner refreshes.
 * @typedef {{id: string, kind?: string, client?: {id: string, name: string}, parentId?: string, current: boolean, device: string, address: string, createdAt: number, lastUsedAt: number,
 *   alsoUsedFrom?: {address: string, device: string, at: number}, idleExpiresAt: number, absoluteExpiresAt: number}} Row
 */

const section = byId('sessions');
const body = byId('sessions-rows');

/** Ended ones that this page saw alive, to strike them out. @type {Map<string, Row>} */
const seen = new Map();

/**
 * Each browser, and below it the programs that it opened. One whose browser is not there stands for itself.
 * @param {Row[]} rows
 * @returns {{row: Row, opener?: Row}[]}
 */
export const grouped = (rows) => {
  const above = new Map(rows.map((row) => [row.id, row]));
  const opener = (/** @type {Row} */ row) => above.get(row.parentId ?? '');
  return rows
    .filter((row) => !opener(row))
    .flatMap((row) => [{ row }, ...rows.filter(({ parentId }) => parentId === row.id).map((below) => ({ row: below, opener: row }))]);
};

/** Where else its tokens were asked for: the owner knows whether that was himself. @param {Row} row */
const elsewhere = ({ alsoUsedFrom: seen }) =>
  seen && el('small', { class: 'also' }, `Also used from ${seen.address}, ${device(seen.device)}, about ${dayAndTime(seen.at)}`);

/** @param {string} label @param {...any} children */
const cell = (label, ...children) => el('td', { role: 'cell', 'data-label': label }, ...children);

/**
 * @param {{client: import('../token-client.js').TokenClient, authority: string, tell: (text: string, kind?: string) => void,
 *   begin: (title: string) => void, reload: () => Promise<unknown>}} page
 */
export const createSessions = ({ client, authority, tell, begin, reload }) => {
  const url = `${authority}/api/account/sessions`;

  /** @param {string} path @param {RequestInit} [init] */
  const ask = async (path, init) => {
    try {
      return await client.fetch(url + path, init);
    } catch (error) {
      tell(`${trouble(/** @type {any} */ (error))} You are still signed in.`, 'bad');
      return null;
    }
  };

  /** What its button says, and what a screen reader says beside it. @param {Row} row */
  const ending = (row) => {
    const since = `signed in ${dayAndTime(row.createdAt)}`;
    const on = device(row.device);
    if (row.kind === 'browser') return ['Sign out', `Sign out of this browser and its programs: ${on}, ${since}`];
    if (row.client) return ['End', `End the session of ${row.client.name} on ${on}, ${since}`];
    return ['Revoke', `Revoke the session on ${on}, ${since}`];
  };

  /** @param {Row} row @param {boolean} live @param {Row} [opener] */
  const draw = (row, live, opener) => {
    const [label, said] = ending(row);
    const end = el('button', { type: 'button', class: 'small danger', 'aria-label': said }, label);
    end.addEventListener('click', () => revoke(row));
    const state = !live ? 'ended' : row.current ? 'this session' : 'active';
    const marks = [!live && 'ended', live && row.current && 'current', opener && 'opened'].filter(Boolean);
    return el(
      'tr',
      { role: 'row', class: marks.join(' '), 'data-id': row.id },
      el(
        'th',
        { role: 'rowheader', scope: 'row', 'data-label': 'Device', title: row.device },
        opener && unseen('opened by the browser above: '),
        device(row.device),
        el('small', {}, ` ${row.address ?? ''}`),
        elsewhere(row),
      ),
      cell('Kind', kindOf(row)),
      cell('Signed in', dayAndTime(row.createdAt)),
      cell('Last used', row.current ? 'now' : lastUse(row.lastUsedAt)),
      cell('Ends', live ? `in ${duration(Math.min(row.idleExpiresAt, row.absoluteExpiresAt) - Date.now() / 1000)}` : '–'),
      cell('State', el('span', { class: `state ${state.replace(' ', '-')}` }, state)),
      cell('Action', live ? end : ''),
    );
  };

  const load = async () => {
    section.hidden = !client.session;
    if (!client.session) {
      seen.clear();
      return;
    }
    const res = await ask('');
    if (!res?.ok) return;
    /** @type {Row[]} */
    const rows = await res.json();
    const live = new Set(rows.map(({ id }) => id));
    for (const row of rows) seen.set(row.id, row);
    const ended = [...seen.values()].filter(({ id }) => !live.has(id)).slice(-3);
    body.replaceChildren(...grouped(rows).map(({ row, opener }) => draw(row, true, opener)), ...ended.map((row) => draw(row, false)));
  };

  /** @param {Row} row */
  const revoke = async (row) => {
    begin('Revoke a session');
    const res = await ask(`/${row.id}`, { method: 'DELETE' });
    if (!res) return;
    if (!res.ok) tell(trouble({ ...(await res.json().catch(() => ({}))), status: res.status }), 'bad');
    else if (row.current) tell('This session is over. The API refuses its token within a second; your next call signs you out.', 'warn');
    else if (row.kind === 'browser') tell(`${device(row.device)} is signed out, and so is every program that it had opened: the next call there is refused.`);
    else if (row.client) tell(`${row.client.name} is signed out on ${device(row.device)}: its next call is refused. It may come back; below, its access can be taken away.`);
    else tell(`The session on ${device(row.device)} is over. Wherever it was, the next call there is refused.`);
    await reload();
    byId('sessions-reload').focus();
  };

  const endAll = async () => {
    begin('End all sessions');
    const res = await ask('', { method: 'DELETE' });
    if (!res?.ok) return;
    tell('All sessions are over, this one too. Every device is asked to log in again.', 'warn');
    await client.logout();
  };

  byId('sessions-reload').addEventListener('click', reload);
  byId('sessions-end-all').addEventListener('click', endAll);
  return { load };
};

/** The sequence diagram: a list of clicks, each a list of messages between this tab and the two services. */
import { byId, chip, el, unseen } from './dom.js';
import { timeOfDay } from './words.js';

const NAMES = { auth: 'auth-server', api: 'resource-api' };
/** Milliseconds between two messages, so that an eye can follow. */
const STEP = 210;
const MOST_GROUPS = 12;

const list = byId('flow');
const scroll = byId('flow-scroll');
const count = byId('flow-count');
const still = matchMedia('(prefers-reduced-motion: reduce)');

/** @type {{rows: HTMLElement, sent: number, last: Map<string, any>} | null} */
let group = null;
let revealedAt = 0;

const follow = () => scroll.scrollTo({ top: scroll.scrollHeight });

/** When the next row may appear, in milliseconds from now. */
const delay = () => {
  if (still.matches) return 0;
  const now = performance.now();
  revealedAt = Math.max(now, revealedAt + STEP);
  return revealedAt - now;
};

/** @param {HTMLElement} row */
const reveal = (row) => {
  const wait = delay();
  row.style.setProperty('--wait', `${Math.round(wait)}ms`);
  setTimeout(follow, wait);
};

/** Starts the messages of another click. @param {string} title @param {number} [at] in seconds since 1970 */
export const begin = (title, at = Date.now() / 1000) => {
  const rows = el('ol', { class: 'messages' });
  const head = el('p', { class: 'group-title' }, el('b', {}, title), ' ', el('time', {}, timeOfDay(at)));
  list.append(el('li', { class: 'group' }, head, rows));
  while (list.children.length > MOST_GROUPS) list.firstElementChild.remove();
  for (const old of list.children) old.classList.toggle('past', old !== list.lastElementChild);
  group = { rows, sent: 0, last: new Map() };
  revealedAt = 0;
  count.textContent = '';
  follow();
};

/** A sentence across all lanes: what happened without a request of this tab. @param {string} text */
export const remark = (text) => {
  if (!group) begin('Elsewhere');
  const row = el('li', { class: 'remark' }, text);
  /** @type {any} */ (group).rows.append(row);
  reveal(row);
};

/**
 * Draws a message; equal ones of one click become one arrow with a number. What it gives takes later knowledge.
 * @param {import('./traffic.js').Message} message
 */
export const show = ({ lane, back, label, access, refresh, note, good }) => {
  if (!group) begin('This page');
  const { rows, last } = /** @type {NonNullable<typeof group>} */ (group);
  if (!back) {
    /** @type {any} */ (group).sent += 1;
    const { sent } = /** @type {any} */ (group);
    count.textContent = `${sent} request${sent === 1 ? '' : 's'}`;
  }
  const key = [lane, back, label, access, refresh].join();
  // Calls of the API are counted, what is said to the auth-server is told word by word: a repeated refresh is the story.
  const known = lane === 'api' ? last.get(key) : undefined;
  if (known) {
    known.times += 1;
    known.number.textContent = `× ${known.times}`;
    return () => {};
  }
  const number = el('span', { class: 'times' });
  const details = el('span', { class: 'details' });
  const from = unseen(back ? `${NAMES[lane]} answers: ` : `this tab asks ${NAMES[lane]}: `);
  const mark = back ? el('span', { class: 'mark', 'aria-hidden': 'true' }, good ? '✓' : '✕') : null;
  const text = el('span', { class: 'label' }, from, mark, el('code', {}, label), details, ' ', number);
  const row = el('li', { class: `message ${lane} ${back ? 'back' : 'out'} ${back ? (good ? 'good' : 'bad') : ''}` }, text, el('span', { class: 'arrow', 'aria-hidden': 'true' }));
  /** @param {Partial<import('./traffic.js').Message>} more */
  const add = (more) => {
    if (more.note) details.append(' ', el('span', { class: 'note' }, more.note));
    if (more.access) details.append(' ', chip(more.access, 'access token'));
    if (more.refresh) details.append(' ', chip(more.refresh, 'refresh token'));
  };
  add({ note, access, refresh });
  rows.append(row);
  last.set(key, { row, number, times: 1 });
  reveal(row);
  return add;
};

/** The access token: its raw text in three colours, what the parts say, and how long it lives. */
import { decode } from '../token-client.js';
import { byId, el, unseen } from './dom.js';
import { clockDifference, duration, timeOfDay } from './words.js';

const card = byId('token');
const raw = byId('raw');
const parts = byId('parts');
const left = byId('left');
const clock = byId('clock');
const bars = { valid: byId('life-valid'), over: byId('life-over'), skew: byId('life-skew') };

const NAMES = ['header', 'payload', 'signature'];
const TITLES = { header: 'how it is signed', payload: 'who you are, readable by anyone', signature: 'only the server can make it' };
/** What will be there, while nothing is. */
const PROMISES = {
  header: 'The algorithm, and the name of the key that the services share.',
  payload: 'Your name, your roles, who issued it and for whom, and when it ends. It is encoded, not encrypted: keep no secrets in it.',
  signature: 'Change one letter above, and it fits no more. The API checks it by itself, without asking anyone.',
};
const MEANINGS = { iat: 'issued', nbf: 'from', exp: 'until' };
/** Claims in the order in which a person asks for them. */
const ORDER = ['name', 'email', 'email_verified', 'roles', 'exp', 'iat', 'nbf', 'iss', 'aud', 'sub', 'sid', 'client_id', 'scope', 'jti'];

/** Marks one part here and in the raw text. @param {string} name @param {boolean} on */
const mark = (name, on) => {
  for (const element of card.querySelectorAll('[data-part]')) element.classList.toggle('marked', on && element.dataset.part === name);
  card.classList.toggle('marking', on);
};

/** @param {string} part @returns {Record<string, any>} */
const readPart = (part) => decode(`.${part}.`);

/** @param {string} name @param {any} value */
const show = (name, value) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const meaning = MEANINGS[/** @type {keyof typeof MEANINGS} */ (name)];
  const local = meaning && Number.isFinite(value) ? `${meaning} ${timeOfDay(value)}` : null;
  return el('div', {}, el('dt', {}, name), el('dd', { title: text }, local ?? text, local ? el('small', {}, ` ${text}`) : null));
};

/** @param {string} name @param {Node} body */
const part = (name, body) => {
  const button = el('button', { type: 'button', class: 'part-name', 'aria-pressed': 'false' }, name);
  const section = el('div', { class: `part ${name}`, 'data-part': name }, el('h3', {}, button, el('span', {}, TITLES[/** @type {keyof typeof TITLES} */ (name)])), body);
  let pinned = false;
  const update = (/** @type {boolean} */ on) => mark(name, on);
  section.addEventListener('pointerenter', () => update(true));
  section.addEventListener('pointerleave', () => update(false));
  button.addEventListener('focus', () => update(true));
  button.addEventListener('blur', () => update(false));
  button.addEventListener('click', () => {
    pinned = !pinned;
    for (const other of parts.querySelectorAll('.part-name')) other.setAttribute('aria-pressed', String(other === button && pinned));
    update(pinned);
  });
  return section;
};

const empty = () => {
  card.classList.add('empty');
  // Its shape, so that the eye knows what will come.
  const ghost = [70, 330, 43].map((length, at) => el('span', { class: NAMES[at], 'aria-hidden': 'true' }, (at < 2 ? 'eyJ' : '').padEnd(length, '·')));
  raw.replaceChildren(unseen('No token yet.'), ghost[0], '.', ghost[1], '.', ghost[2]);
  parts.replaceChildren(...NAMES.map((name) => part(name, el('p', { class: 'line' }, PROMISES[/** @type {keyof typeof PROMISES} */ (name)]))));
};

/** Shows a token. @param {string | null} token @param {boolean} [forged] */
export const draw = (token, forged = false) => {
  card.classList.toggle('forged', forged);
  card.classList.toggle('app', 'client_id' in decode(token));
  if (!token) return empty();
  card.classList.remove('empty');
  const pieces = token.split('.');
  raw.replaceChildren(
    unseen(forged ? 'A forged access token: ' : 'The access token: '),
    ...pieces.flatMap((text, at) => [at ? '.' : '', el('span', { class: NAMES[at], 'data-part': NAMES[at] }, text)]),
  );
  const [header, payload] = pieces.map(readPart);
  const names = [...ORDER.filter((name) => name in payload), ...Object.keys(payload).filter((name) => !ORDER.includes(name))];
  const verdict = forged ? '✕ does not fit the payload any more' : '✓ fits; change one letter and it does not';
  parts.replaceChildren(
    part('header', el('code', { class: 'line' }, JSON.stringify(header))),
    part('payload', el('dl', {}, ...names.map((name) => show(name, payload[name])))),
    part('signature', el('p', { class: 'line verdict' }, verdict)),
  );
};

/**
 * Moves the countdown on.
 * @param {import('../token-client.js').Session | null} session @param {number} skew seconds that the API allows
 */
export const tick = (session, skew) => {
  card.classList.remove('dying', 'dead', 'skewed');
  if (!session) {
    left.textContent = clock.textContent = '';
    bars.valid.style.width = bars.over.style.width = '0';
    return;
  }
  const { claims, expiresAt } = session;
  const life = Number(claims.exp) - Number(claims.iat ?? claims.nbf);
  const rest = (expiresAt - Date.now()) / 1000;
  bars.skew.style.flexGrow = String(skew > 0 ? Math.max(skew / life, 0.15) : 0);
  bars.valid.style.width = `${Math.max(0, Math.min(1, rest / life)) * 100}%`;
  bars.over.style.width = `${Math.max(0, Math.min(1, (rest + skew) / skew || 0)) * 100}%`;
  clock.textContent = clockDifference(session.skew);
  if (rest > 0) {
    left.textContent = `${duration(Math.ceil(rest))} to live`;
    card.classList.toggle('dying', rest < Math.min(10, life / 4));
  } else if (rest + skew > 0) {
    left.textContent = `over; the API still allows ${duration(Math.ceil(rest + skew))}`;
    card.classList.add('skewed');
  } else {
    left.textContent = `expired ${duration(-rest - skew)} ago`;
    card.classList.add('dead');
  }
};

/** The refresh tokens that this tab has seen, in order: one works, the others are spent. Only fingerprints are kept. */
import { byId, chip, el, fingerprint, unseen } from './dom.js';

const SHOWN = 8;
const list = byId('chain');

/** @type {string[]} */
let prints = [];
let session = '';
let over = false;

const draw = () => {
  const skipped = Math.max(0, prints.length - SHOWN);
  const items = prints.slice(skipped).map((print, at) => {
    const number = skipped + at + 1;
    const spent = over || number < prints.length;
    const token = chip(print, 'refresh token');
    return el(
      'li',
      { class: spent ? 'spent' : 'current' },
      el('span', { class: 'number' }, unseen('number '), String(number)),
      spent ? el('del', {}, token) : token,
      spent ? unseen(' spent') : el('span', { class: 'tag' }, 'works once'),
    );
  });
  if (skipped) items.unshift(el('li', { class: 'spent more' }, `${skipped} spent`));
  if (!items.length) items.push(el('li', { class: 'none' }, 'none yet'));
  if (over) items.push(el('li', { class: 'none' }, 'signed out'));
  list.replaceChildren(...items);
};

/** Takes note of the refresh token in use. @param {string} id the session's @param {string} token */
export const turn = (id, token) => {
  const print = fingerprint(token);
  if (id !== session) prints = [];
  session = id;
  over = false;
  if (prints.at(-1) !== print) prints.push(print);
  draw();
};

/** The last one is worth nothing any more. */
export const end = () => {
  over = prints.length > 0;
  draw();
};

draw();

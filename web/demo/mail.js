/**
 * The mails of a development server, which sends none: the newest to an address, as a mail program would show it. Text
 * stays text, whatever is in it; only the link becomes one.
 */
import { byId, el } from './dom.js';

/** A mail goes out within a second. Milliseconds between two looks, and how many. */
const EVERY = 500;
const LOOKS = 20;
/** Looks after which the mail before it is shown, if there is one. */
const PATIENCE = 6;

const LIMIT = 'An account gets one mail a minute, and five an hour.';

/** @typedef {{to: string, subject: string, text: string, link?: string}} Mail */

/** The text with its link in the place where it stands; after it, if it is not in there. @param {Mail} mail */
export const pieces = ({ text, link = '' }) => {
  if (!/^https?:\/\//.test(link)) return { before: text, link: '', after: '' };
  const at = text.indexOf(link);
  return at < 0 ? { before: `${text}\n\n`, link, after: '' } : { before: text.slice(0, at), link, after: text.slice(at + link.length) };
};

/** @param {Mail} mail */
const body = (mail) => {
  const { before, link, after } = pieces(mail);
  const anchor = link && el('a', { href: link, target: '_blank', rel: 'noopener noreferrer', translate: false }, link);
  // It scrolls, so the keyboard must be able to.
  return el('p', { class: 'mail-text', tabIndex: 0, role: 'group', 'aria-label': 'Text of the mail' }, before, anchor || null, after);
};

/** @param {Mail | null} a @param {Mail | null} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** @param {{authority: string, showsMail?: boolean}} page */
export const createMails = ({ authority, showsMail }) => {
  const section = byId('mail');
  const news = byId('mail-news');
  const content = byId('mail-content');
  /** Which watch is the last one: the ones before it end. */
  let watch = 0;

  // Not by the diagram's fetch: a mail program has no part in the story.
  /** @param {string} address @returns {Promise<Mail | null>} */
  const newest = async (address) => {
    const res = await fetch(`${authority}/demo/mail.json?to=${encodeURIComponent(address)}`).catch(() => null);
    return res?.ok ? res.json().catch(() => null) : null;
  };

  /** @param {Mail} mail @param {string} said */
  const draw = (mail, said) => {
    news.textContent = said;
    content.replaceChildren(el('h3', {}, mail.subject), body(mail));
  };

  const close = () => {
    watch += 1;
    section.hidden = true;
    content.replaceChildren();
    news.textContent = '';
  };
  /** What had the focus when a mail was asked for. @type {any} */
  let from = null;
  byId('mail-close').addEventListener('click', () => {
    close();
    (from?.checkVisibility?.() ? from : byId('act')).focus();
  });

  return {
    close,

    /**
     * Looked up before something is done that sends a mail, so that the one before is not taken for it.
     * @param {string} address
     */
    before: (address) => (showsMail ? newest(address.trim()) : Promise.resolve(null)),

    /**
     * Waits for a mail to this address, and shows it.
     * @param {string} address @param {Mail | null} before @param {HTMLElement} place of the card
     */
    async show(address, before, place) {
      if (!showsMail) return;
      close();
      const mine = watch;
      from = document.activeElement;
      const to = address.trim();
      byId('mail-title').textContent = `Mail to ${to}`;
      news.textContent = 'It is on its way …';
      if (section.parentElement !== place) place.append(section);
      section.hidden = false;
      for (let look = 1; look <= LOOKS; look += 1) {
        const mail = await newest(to);
        if (mine !== watch) return;
        if (mail && !same(mail, before)) {
          draw(mail, 'A mail came:');
          section.scrollIntoView({ block: 'nearest' });
          return;
        }
        if (mail && look === PATIENCE) draw(mail, `No newer one came yet. ${LIMIT} The last one:`);
        await new Promise((resolve) => setTimeout(resolve, EVERY));
        if (mine !== watch) return;
      }
      if (!content.hasChildNodes()) news.textContent = `None came. Perhaps no account has this address. ${LIMIT}`;
    },
  };
};
/** @typedef {ReturnType<typeof createMails>} Mails */

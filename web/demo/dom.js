/** Making and finding elements. Text goes in as text, never as markup: the page's policy allows nothing else. */

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * An element with properties (`class`, `on…` and attributes with a dash go where they belong) and children.
 * @param {string} name
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export const el = (name, properties = {}, ...children) => {
  const element = /** @type {any} */ (document.createElement(name));
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key === 'class') element.className = value;
    else if (key.includes('-') || key === 'role') element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

/** Text that only a screen reader gets. @param {string} text */
export const unseen = (text) => el('span', { class: 'unseen' }, text);

/** A short number for a token: enough to tell two apart, nothing to get in with. @param {string} token */
export const fingerprint = (token) => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < token.length; i += 1) hash = Math.imul(hash ^ token.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash >>> 0).toString(16).padStart(8, '0').slice(0, 4);
};

/** A fingerprint with a colour of its own. @param {string} print @param {string} [what] */
export const chip = (print, what = 'access token') => {
  const dot = el('i', { 'aria-hidden': 'true' });
  dot.style.setProperty('--hue', String(Math.round(parseInt(print, 16) * 137.508) % 360));
  return el('span', { class: `print ${what.split(' ')[0]}`, title: `${what} with the fingerprint ${print}` }, dot, unseen(`${what} `), print);
};

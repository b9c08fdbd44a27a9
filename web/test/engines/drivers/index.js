/**
 * What the scenarios want of a browser, and who gives it. Nothing here but what all three can do the same way: whoever
 * needs more (caught requests, a moved clock) is a test of Chromium alone.
 *
 * @typedef {object} Tab
 * @property {(url: string) => Promise<unknown>} goto Comes back when the page is loaded.
 * @property {() => Promise<unknown>} reload
 * @property {<A, R>(work: (argument: A) => R | Promise<R>, argument?: A) => Promise<R>} evaluate Runs it in the page. What
 *   goes in and comes out is JSON.
 * @property {(selector: string) => Promise<void>} click As a mouse does.
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Profile Tabs that share their storage with each other and with nobody else.
 * @property {() => Promise<Tab>} tab
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Engine
 * @property {() => Promise<Profile>} profile
 * @property {() => Promise<void>} close
 */
import { launch as chromium } from './chromium.js';
import { launch as firefox } from './firefox.js';
import { launch as webkit } from './webkit.js';

/** @type {Record<string, () => Promise<Engine>>} */
const ALL = { chromium, firefox, webkit };

/** All of them, or those in `ENGINES`. @returns {[string, () => Promise<Engine>][]} */
export const engines = () => {
  const names = (process.env.ENGINES ?? Object.keys(ALL).join(' ')).split(/[\s,]+/);
  return names.map((name) => {
    if (!ALL[name]) throw new Error(`ENGINES: ${name} is none of ${Object.keys(ALL).join(', ')}`);
    return [name, ALL[name]];
  });
};

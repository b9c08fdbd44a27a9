/** The demo page as a visitor sees it: opening it, its parts by name, and an ear for everything it must not do. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Refusals are part of the story; the browser reports each as an error of its own. */
const STORY = /Failed to load resource: (the server responded with a status of 4\d\d|net::ERR_(FAILED|INTERNET_DISCONNECTED))/;

/**
 * Opens the page in a new tab of the profile. After the test it must have reported nothing: no error on the console,
 * no exception, no violation of its policy.
 */
export const openPage = async (t, { authUrl }, context, { clock } = {}) => {
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !STORY.test(message.text())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => console.error(`violation of ${event.violatedDirective}: ${event.blockedURI}`));
  });
  t.after(() => assert.deepEqual(faults, []));
  if (clock) await page.clock.install();
  await page.goto(authUrl);
  await page.waitForSelector('body[data-ready]');
  return page;
};

export const press = (page, name) => page.getByRole('button', { name }).click();

/** Waits until the one sentence of the last click says so. */
export const says = (page, words) => page.waitForFunction((words) => document.querySelector('#status').textContent.includes(words), words);

export const simulateLogin = async (page) => {
  await press(page, 'Simulate login');
  await page.waitForSelector('[data-signed-in="true"]');
  await page.waitForSelector('#sessions-rows tr');
};

/** The messages of the last click as the list says them, without the tokens. */
export const messages = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('#flow > li:last-child .messages > li')].map((row) => {
      const copy = row.cloneNode(true);
      for (const part of copy.querySelectorAll('.print, .mark, .arrow')) part.remove();
      return copy.textContent.replace(/\s+/g, ' ').trim();
    }),
  );

/** Waits until the last click's messages are these. */
export const shows = async (page, expected) => {
  await page
    .waitForFunction((count) => document.querySelectorAll('#flow > li:last-child .messages > li').length >= count, expected.length, { timeout: 10_000 })
    .catch(() => {});
  await page.waitForFunction(() => ![...document.querySelectorAll('#flow > li:last-child .message.back.bad.api .details')].some((d) => !d.textContent)).catch(() => {});
  assert.deepEqual(await messages(page), expected);
};

/** What axe finds against the page as it stands. */
export const axe = async (page) => {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary}`).join(' | ')}`);
};

/** Forms and mails of the demo page, as their reader uses them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/** A folder for the mails of a file of tests, as `MAIL_URL` says it. Called at the top level of the file. */
export const mailFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-mail-'));
  // The service may be writing into it still, and must be stopped by who comes next whatever becomes of this.
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return `file:${folder}`;
};

let people = 0;
export const freshAddress = () => `m${process.pid}-${(people += 1)}-${Date.now().toString(36)}@example.com`;

/** Fills a form in and sends it. */
export const fill = async (page, form, values) => {
  for (const [name, value] of Object.entries(values)) await page.locator(`#form-${form}-${name}`).fill(value);
  await page.locator(`#form-${form} .buttons button`).first().click();
};

/** Waits until a form says that this is wrong. */
export const problem = (page, form, words) => page.locator(`#form-${form}-problem`).filter({ hasText: words }).waitFor();

/** Waits for the mail with this subject, and gives its link. */
export const mailed = async (page, to, subject) => {
  await page.locator('#mail-title').filter({ hasText: to }).waitFor();
  await page.locator('#mail h3').filter({ hasText: subject }).waitFor();
  return page.locator('#mail a');
};

/** Opens the link as its reader would: in a tab of its own. */
export const follow = async (context, link) => {
  const [hosted] = await Promise.all([context.waitForEvent('page'), link.click()]);
  await hosted.waitForLoadState();
  return hosted;
};

/** The page again, after a while in another tab. The browser of a test has all its tabs in front. */
export const comeBack = (page) => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));

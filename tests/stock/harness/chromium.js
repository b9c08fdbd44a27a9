/** A real Chromium, and what a person does on the service's pages in it. */
import { chromium } from 'playwright-core';
import { spkiHash } from './certificates.js';
import { certificates, isHttps } from './services.js';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Starts it; of the authority of the tests it knows the one certificate. */
export const launchChromium = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...FLAGS, ...(isHttps ? [`--ignore-certificate-errors-spki-list=${spkiHash(certificates.certificate)}`] : [])],
  });

/** Fills the pages of the service. */
export const giveConsent = (page) => page.click('button[name=decision][value=allow]');
export const signIn = async (page, user) => {
  await page.fill('input[name=email]', user.email);
  await page.fill('input[name=password]', user.password);
  await page.click('form[action="/oauth/sign-in"] button[type=submit]');
};

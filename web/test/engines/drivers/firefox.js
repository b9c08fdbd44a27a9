/** Firefox by WebDriver BiDi. */
import puppeteer from 'puppeteer-core';
import { program } from './program.js';

/** @returns {Promise<import('./index.js').Engine>} */
export const launch = async () => {
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: program('FIREFOX', ['/usr/bin/firefox-esr', '/usr/bin/firefox'], 'firefox-esr'), headless: true });
  return {
    async profile() {
      const context = await browser.createBrowserContext();
      return { tab: () => context.newPage(), close: () => context.close() };
    },
    close: () => browser.close(),
  };
};

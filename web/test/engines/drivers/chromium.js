/** Chromium by the DevTools protocol. Its pages are as they are: the other drivers look like them. */
import { chromium } from 'playwright-core';
import { program } from './program.js';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const launchChromium = async () => chromium.launch({ executablePath: program('CHROMIUM', ['/usr/bin/chromium'], 'chromium'), args: FLAGS });

/** @returns {Promise<import('./index.js').Engine>} */
export const launch = async () => {
  const browser = await launchChromium();
  return {
    async profile() {
      const context = await browser.newContext();
      return { tab: () => context.newPage(), close: () => context.close() };
    },
    close: () => browser.close(),
  };
};

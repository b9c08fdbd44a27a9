/**
 * WebKitGTK by WebDriver: its MiniBrowser on a screen of its own. One session is one profile, and answers one command at
 * a time, for one tab at a time. So a piece of work is begun in the page and asked for until it is done; meanwhile other
 * tabs work, too.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { Builder, By } from 'selenium-webdriver';
import { program } from './program.js';

const LIBRARIES = '/usr/lib';
const PATIENCE = 30_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** MiniBrowser lies below the library's folder, whose name says machine and version. */
const miniBrowsers = () =>
  readdirSync(LIBRARIES)
    .filter((name) => name.endsWith('-linux-gnu'))
    .flatMap((machine) => ['webkit2gtk-4.1', 'webkitgtk-6.0', 'webkit2gtk-4.0'].map((version) => `${LIBRARIES}/${machine}/${version}/MiniBrowser`));

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
};

/** What runs until it is told to stop. */
const start = (command, args, options) => {
  const child = spawn(command, args, options);
  const ended = once(child, 'exit');
  return {
    child,
    async stop() {
      if (child.exitCode === null) child.kill();
      await ended;
    },
  };
};

/** @returns {Promise<import('./index.js').Engine>} */
export const launch = async () => {
  const webDriver = program('WEBKIT_DRIVER', ['/usr/bin/WebKitWebDriver'], 'webkit2gtk-driver');
  const binary = program('WEBKIT_MINIBROWSER', miniBrowsers(), 'webkit2gtk-driver');
  const xvfb = program('XVFB', ['/usr/bin/Xvfb'], 'xvfb');

  const screen = start(xvfb, ['-displayfd', '3', '-screen', '0', '1280x800x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const [display] = await once(createInterface(screen.child.stdio[3]), 'line', { signal: AbortSignal.timeout(PATIENCE) });
  const port = await freePort();
  const driver = start(webDriver, [`--port=${port}`], {
    env: { ...process.env, DISPLAY: `:${display}`, WEBKIT_DISABLE_COMPOSITING_MODE: '1' },
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}`;
  for (const end = Date.now() + PATIENCE; !(await fetch(`${url}/status`).then(({ ok }) => ok, () => false)); await pause(50)) {
    if (Date.now() > end) throw new Error('WebKitWebDriver does not answer');
  }
  return {
    profile: () => profile(url, binary),
    async close() {
      await driver.stop();
      await screen.stop();
    },
  };
};

const profile = async (url, binary) => {
  const options = { binary, args: ['--automation'] };
  const session = await new Builder()
    .usingServer(url)
    // Nobody waits for a page inside a command: the other tabs would wait with it.
    .withCapabilities({ browserName: 'MiniBrowser', pageLoadStrategy: 'none', 'webkitgtk:browserOptions': options })
    .build();
  let last = Promise.resolve();
  /** One command after the other, each in its tab. */
  const inTab = (handle, command) => {
    const turn = last.then(async () => {
      if (handle) await session.switchTo().window(handle);
      return command();
    });
    last = turn.catch(() => {});
    return turn;
  };
  let first = await session.getWindowHandle();
  /** From any tab that is open: the last one used may be closed. */
  const another = async () => {
    const [open] = await session.getAllWindowHandles();
    await session.switchTo().window(open);
    await session.switchTo().newWindow('tab');
    return session.getWindowHandle();
  };
  return {
    async tab() {
      const handle = first ?? (await inTab(null, another));
      first = undefined;
      return tab(session, (command) => inTab(handle, command));
    },
    close: () => inTab(null, () => session.quit()),
  };
};

/** @returns {import('./index.js').Tab} */
const tab = (session, inTab) => {
  let works = 0;
  /** Leaves the document, and comes back when the next one is there. */
  const leave = async (command) => {
    await inTab(() => session.executeScript('document.left = true'));
    await inTab(command);
    const arrived = () => inTab(() => session.executeScript('return !document.left && document.readyState === "complete"')).catch(() => false);
    for (const end = Date.now() + PATIENCE; !(await arrived()); await pause(20)) {
      if (Date.now() > end) throw new Error('the page does not load');
    }
  };
  return {
    goto: (url) => leave(() => session.get(url)),
    reload: () => leave(() => session.navigate().refresh()),
    click: (selector) => inTab(() => session.findElement(By.css(selector)).click()),
    close: () => inTab(() => session.close()),
    async evaluate(work, argument) {
      works += 1;
      const id = `work ${works}`;
      const begin = `const [id, argument] = arguments;
        const all = (window.works ??= {});
        all[id] = {};
        (async () => (${work})(argument))().then((value) => (all[id].told = JSON.stringify({ value })), (error) => (all[id].error = String(error)));`;
      await inTab(() => session.executeScript(begin, id, argument ?? null));
      for (;;) {
        const state = await inTab(() => session.executeScript('return window.works?.[arguments[0]] ?? null', id));
        if (!state) throw new Error('the page went away');
        if (state.error !== undefined) throw new Error(state.error);
        if (state.told) return JSON.parse(state.told).value;
        await pause(15);
      }
    },
  };
};

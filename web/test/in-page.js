/** A client inside a page, whatever drives the browser: all that is wanted of a page is `evaluate(work, argument)`. */

/** Makes `window.client` in a page and keeps its events in `window.events`. */
export const startClient = (page, options, home) =>
  page.evaluate(
    async ([options, home]) => {
      const module = await import('/token-client.js');
      const watch = (client) => {
        const events = [];
        for (const name of ['signedIn', 'refreshed', 'signedOut', 'error']) {
          client.on(name, ({ remote, reason, error }) => events.push({ name, remote, reason, code: error?.code, at: performance.timeOrigin + performance.now() }));
        }
        return events;
      };
      const client = module.createTokenClient(options);
      /** A call of the API, with what came of it as plain data. */
      const call = async (init, url = home) => {
        try {
          const res = await client.fetch(url, init);
          return { status: res.status, act: res.headers.get('act'), bodyUsed: res.bodyUsed, text: await res.text() };
        } catch (error) {
          return { error: error.name, code: error.code, message: error.message };
        }
      };
      Object.assign(window, { module, client, events: watch(client), watch, call, home });
    },
    [options, home],
  );

/** The stored pair, as a page sees it. */
export const stored = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('token-session')));

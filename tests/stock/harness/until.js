/** Waiting for what comes by itself: it is asked again and again, so that a test goes on at once when it is there. */
import assert from 'node:assert/strict';

/**
 * Asks until the answer is yes: the milliseconds that it took.
 * @param {string | (() => string)} what for the message of a test that has waited in vain
 * @param {() => unknown} ask each is a request or so, and lets others work meanwhile
 */
export const until = async (what, ask, { since = performance.now(), within = 10_000 } = {}) => {
  for (;;) {
    const begun = performance.now();
    if (await ask()) return performance.now() - since;
    if (begun - since >= within) assert.fail(`${what instanceof Function ? what() : what}, within ${within} ms`);
  }
};

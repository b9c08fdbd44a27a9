/** The things to try. Each tells its story in the diagram and in one sentence. */
import { byId, fingerprint } from './dom.js';
import { remark } from './diagram.js';
import { draw } from './token-card.js';
import { because, duration } from './words.js';

const PATIENCE = 3000;

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The token with more rights written into it, under the signature of the old one. @param {string} token */
export const tampered = (token) => {
  const [header, payload, signature] = token.split('.');
  const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const claims = JSON.parse(new TextDecoder().decode(bytes));
  const text = new TextEncoder().encode(JSON.stringify({ ...claims, roles: ['admin'] }));
  const forged = btoa(String.fromCharCode(...text)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  return [header, forged, signature].join('.');
};

/**
 * @param {{client: import('../token-client.js').TokenClient, traffic: ReturnType<typeof import('./traffic.js').createTraffic>,
 *   authority: string, home: string, grace: number, pair: () => import('../token-client.js').Pair | null,
 *   tell: (text: string, kind?: string) => void, begin: (title: string) => void}} page
 */
export const createExperiments = ({ client, traffic, authority, home, grace, pair, tell, begin }) => {
  let busy = false;

  /** Why somebody was signed out in the meantime. */
  let reason = '';
  client.on('signedOut', (event) => (reason = event.reason));

  /** @param {string} id @param {string} title @param {() => Promise<void>} work */
  const experiment = (id, title, work) => {
    const button = byId(id);
    button.addEventListener('click', async () => {
      if (busy) return;
      if (!client.session) return tell('Log in first: there is no token to try this with.', 'warn');
      busy = true;
      button.setAttribute('aria-busy', 'true');
      begin(title);
      try {
        await work();
      } catch (error) {
        if (/** @type {any} */ (error).code === 'unavailable') tell('The service does not answer; you are still signed in.', 'warn');
        else if (!client.session) tell(`Signed out: ${because(reason)}.`, 'bad');
        else tell(`It did not work: ${/** @type {Error} */ (error).message}.`, 'bad');
      } finally {
        busy = false;
        button.removeAttribute('aria-busy');
      }
    });
  };

  experiment('try-ten', '10 calls at once', async () => {
    const before = traffic.requests;
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.fetch(home)));
    const good = answers.filter(({ ok }) => ok).length;
    const sent = traffic.requests - before;
    if (good < 10) tell(`${good} of 10 calls were answered; ${because(reason)}.`, 'bad');
    else if (sent === 10) tell('10 calls, 10 answers. The token still lived; try it again once it has expired.');
    else tell(`10 calls met an expired token: one refresh served them all, and all 10 were answered.`);
  });

  experiment('try-tamper', 'Tamper with the token', async () => {
    const forged = tampered(/** @type {any} */ (pair()).accessToken);
    draw(forged, true);
    const res = await traffic.fetch(home, { headers: { Authorization: `Bearer ${forged}` } });
    const { code } = await res.json().catch(() => ({}));
    tell(`You made yourself an admin, and the API said ${res.status} ${code}: the signature does not fit. Reading is easy, forging is not.`, 'bad');
  });

  experiment('try-lose', 'Lose the next answer', async () => {
    traffic.loseNextAnswer();
    await client.refresh();
    tell('The answer with the new tokens was lost. The client asked again with the same refresh token and got the same successor.');
  });

  experiment('try-cut', 'Cut the line', async () => {
    traffic.cutLine(true);
    try {
      await client.refresh();
    } finally {
      traffic.cutLine(false);
    }
  });

  experiment('try-refresh', 'Refresh early', async () => {
    await client.refresh();
    tell('A new pair. The old refresh token is spent; the old access token would live until its end.');
  });

  experiment('try-thief', 'Play the thief', async () => {
    const stolen = /** @type {NonNullable<ReturnType<typeof pair>>} */ (pair());
    remark(`A thief copies the refresh token ${fingerprint(stolen.refreshToken)}. The owner goes on, and refreshes twice.`);
    await client.refresh();
    await client.refresh();
    for (let rest = grace + 1; rest > 0; rest -= 1) {
      tell(`The owner refreshed twice. The thief waits out the grace time: ${duration(rest)} …`, 'warn');
      await pause(1000);
    }
    const { refreshToken, clientId } = stolen;
    const res = clientId
      ? await traffic.fetch(`${authority}/oauth/token`, {
          method: 'POST',
          body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId }),
        })
      : await traffic.fetch(`${authority}/api/account/refresh-token`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(stolen),
        });
    const { code } = await res.json().catch(() => ({}));
    remark(`The thief gets ${res.status} ${code ?? ''}. The service has found him, and ends this session.`);
    await refusedSoon();
    tell(`The thief was found: ${because(code)}. Only this session ended; log in again.`, 'bad');
  });

  experiment('try-revoke', 'Revoke this session', async () => {
    const { sid } = /** @type {any} */ (client.session).claims;
    const res = await client.fetch(`${authority}/api/account/sessions/${sid}`, { method: 'DELETE' });
    if (!res.ok) throw new Error(`the service said ${res.status}`);
    const took = await refusedSoon();
    tell(`Revoked. ${Math.round(took)} ms later the API refused the token, although it asks nobody and the token had not expired.`, 'bad');
  });

  /** Calls the API until it refuses. The client finds out by itself that the session is over. */
  const refusedSoon = async () => {
    const start = performance.now();
    while (performance.now() - start < PATIENCE) {
      const res = await client.fetch(home);
      if (!res.ok) return performance.now() - start;
      await pause(60);
    }
    throw new Error('the API still accepts the token');
  };
};

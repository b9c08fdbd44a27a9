/**
 * The demo page: wires the client to what is seen. The story is told by the diagram (what is sent), the token card
 * (what it says and how long it lives) and one sentence per click.
 */
import { createTokenClient } from './token-client.js';
import { createAccount } from './demo/account.js';
import * as chain from './demo/chain.js';
import * as diagram from './demo/diagram.js';
import { byId, el } from './demo/dom.js';
import { createEnter } from './demo/enter.js';
import { createExperiments } from './demo/experiments.js';
import { createMails } from './demo/mail.js';
import { createPrograms } from './demo/programs.js';
import { createService } from './demo/service.js';
import { createSessions } from './demo/sessions.js';
import { createSignOn } from './demo/sign-on.js';
import * as card from './demo/token-card.js';
import { createTraffic } from './demo/traffic.js';
import { because, duration, trouble } from './demo/words.js';

const KEY = 'token-session';
const authority = location.origin;
const LEFT = 'Logged out. The tokens are gone from this browser and the session is over at the service.';
const LEFT_APP = 'Logged out of this page. The browser is still signed on at the log-in page, which lets you in again without a password.';
const STILL = 'The service does not answer; you are still signed in.';

const status = byId('status');
/** One sentence for every click. @param {string} text @param {string} [kind] */
const tell = (text, kind = 'good') => {
  status.className = `status ${kind}`;
  status.textContent = text;
};

/** The pair as it lies in storage: for fingerprints, and for the thief. */
const pair = () => {
  try {
    return JSON.parse(/** @type {string} */ (localStorage.getItem(KEY)));
  } catch {
    return null;
  }
};

const start = async () => {
  const { resourceUrl, demo, demoClient, signOn: signsOn, mail, showsMail, clockSkew = 0, refreshGrace = 30 } = await (await fetch(`${authority}/config.json`)).json();
  const home = `${resourceUrl}/api/home`;
  const traffic = createTraffic({ authority, show: diagram.show });
  const client = createTokenClient({ authority, api: resourceUrl, key: KEY, fetch: traffic.fetch });

  /** Begins another click; a forged token shown by the one before goes away. @param {string} title */
  const begin = (title) => {
    diagram.begin(title);
    card.draw(client.session?.accessToken ?? null);
  };
  const mails = createMails({ authority, showsMail });
  const service = createService({ client, authority, send: traffic.fetch });
  /** Both lists: what ends in one may be in the other. @returns {Promise<unknown>} */
  const reload = () => Promise.all([sessions.load(), programs.load()]);
  const page = { client, service, mails, mail, traffic, authority, home, demo, demoClient, signOn: signsOn, reload, grace: refreshGrace, send: traffic.fetch, pair, tell, begin };
  const sessions = createSessions(page);
  const programs = createPrograms(page);
  createEnter(page);
  const account = createAccount(page);
  createExperiments(page);
  const signOn = createSignOn(page);

  /** Whether who is signed in came by the log-in page. */
  let app = false;

  /** Everything that shows who is signed in. */
  const draw = () => {
    const { session } = client;
    document.body.dataset.signedIn = String(!!session);
    const name = session?.claims.name ?? session?.claims.email;
    byId('who').replaceChildren(...(session ? ['Signed in as ', el('b', {}, String(name))] : ['Signed out']));
    byId('logout').hidden = !session;
    byId('login').hidden = !!session && !demo;
    byId('sessions').hidden = !session;
    byId('programs').hidden = !session || !signsOn;
    signOn.draw(session);
    for (const button of document.querySelectorAll('#try > li > *')) button.classList.toggle('off', !session);
    card.draw(session?.accessToken ?? null);
    card.tick(session, clockSkew);
    account.draw();
    const stored = session && pair();
    app = !!stored?.clientId;
    if (stored) chain.turn(String(session.claims.sid ?? session.claims.sub), stored.refreshToken);
    else chain.end();
  };

  /** What the service knows of who is signed in. */
  const load = () => {
    reload();
    account.load();
  };

  client.on('signedIn', ({ remote }) => {
    mails.close();
    draw();
    load();
    if (!remote) return tell(`Signed in. The access token lives ${duration(life())}; the refresh token turns it in for a new one.`);
    begin('In another tab');
    diagram.remark('Another tab signed in, and so did this one: storage is shared.');
    tell('Signed in by another tab.');
  });
  client.on('refreshed', ({ remote }) => {
    draw();
    load();
    if (remote) diagram.remark('Another tab refreshed. This one uses the new tokens; it sent nothing.');
  });
  client.on('signedOut', ({ reason, remote }) => {
    mails.close();
    const out = app ? LEFT_APP : LEFT;
    draw();
    if (remote) diagram.remark('Another tab was signed out, and so was this one.');
    tell(reason === 'logout' ? out : `Signed out: ${because(reason)}.`, reason === 'logout' ? 'good' : 'bad');
  });

  const life = () => Number(client.session?.claims.exp) - Number(client.session?.claims.iat);

  byId('login').addEventListener('click', async () => {
    if (!demo) return byId('form-login').elements.email.focus();
    begin('Simulate login');
    try {
      await client.login(demo);
    } catch (error) {
      tell(`Nobody is signed in. ${trouble(/** @type {any} */ (error))}`, 'bad');
    }
  });

  byId('time').addEventListener('click', async () => {
    begin('Get current time');
    const was = client.session?.accessToken;
    try {
      const res = await client.fetch(home);
      const text = await res.text();
      if (res.ok && client.session?.accessToken === was) tell(`“${text}”, says the API. It checked the token by itself and asked nobody.`);
      else if (res.ok) tell(`“${text}”. The token had expired, so one click became three requests, and you noticed nothing.`);
      else if (!was) tell('401: the API wants a token, and there is none. Log in first.', 'warn');
      else if (client.session) tell(`The API refused: ${res.status}.`, 'bad');
    } catch (error) {
      if (/** @type {any} */ (error).code === 'unavailable') tell(STILL, 'warn');
      else tell(`The API at ${resourceUrl} does not answer. You are ${client.session ? 'still signed in' : 'signed out'}.`, 'bad');
    }
  });

  byId('logout').addEventListener('click', () => {
    begin('Log out');
    client.logout();
    byId(demo ? 'login' : 'form-login-email').focus();
  });

  if (!demo) byId('login').lastChild.textContent = 'Log in below';
  draw();
  const back = await signOn.finish();
  // Every button of the page's own text does something from here on.
  for (const button of document.querySelectorAll('button')) button.disabled = false;
  // With an expired token the lists can wait: the first refresh belongs to the user's first click.
  if (back !== 'signed in' && Number(client.session?.expiresAt) > Date.now()) load();
  setInterval(() => card.tick(client.session, clockSkew), 250);
  document.body.dataset.ready = 'true';
  if (back) return;
  if (client.session) tell(`Welcome back. Press “Get current time”${client.session.expiresAt < Date.now() ? ': the token has expired, so watch what one click does' : ''}.`);
  else tell(demo ? 'Press “Simulate login”: you get a token that lives a short time. Then press “Get current time”, now and after it has expired.' : 'Log in, or make an account: you get a token that lives a short time.', 'info');
};

start().catch((error) => tell(`The page could not start: ${error.message}`, 'bad'));

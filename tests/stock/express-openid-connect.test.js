/** express-openid-connect 3, whose middleware hears of log-outs by the back channel. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import express from 'express';
import session from 'express-session';
import { expressWords, mountExpressOpenidConnect } from './harness/express-openid-connect.js';
import { listen, scheme, startServices } from './harness/services.js';
import { until } from './harness/until.js';
import { Visitor } from './harness/visitor.js';

// `by-sid` remembers sessions alone, as the library's documentation lets a program do. `deaf` has no receiver.
const ids = ['stock', 'by-sid', 'deaf'];
let programs;
let services;

const bySid = () => {
  const store = new session.MemoryStore();
  return {
    store,
    onLogoutToken: ({ iss, sid }) => new Promise((resolve, reject) => store.set(`${iss}|${sid}`, { cookie: {} }, (error) => (error ? reject(error) : resolve()))),
  };
};

before(async () => {
  programs = {};
  const servers = {};
  for (const id of ids) {
    servers[id] = express();
    programs[id] = await listen(servers[id]);
  }
  const words = (id) => (id === 'deaf' ? expressWords(programs[id].url).slice(0, 4) : expressWords(programs[id].url));
  services = await startServices({ clients: Object.fromEntries(ids.map((id) => [id, ['--kind', 'web', '--trusted', ...words(id)]])) });
  const options = { 'by-sid': { backchannelLogout: bySid() }, deaf: { backchannelLogout: false } };
  for (const id of ids) {
    Object.assign(programs[id], mountExpressOpenidConnect(servers[id], { id, url: programs[id].url, services, options: options[id] }));
  }
});
after(() => {
  for (const program of Object.values(programs ?? {})) program.close();
  services?.close();
});

const isAway = () => false;
const open = (visitor, id, path = '/') => visitor.open(new URL(programs[id].url + path), isAway);
const isIn = async (visitor, id) => (await open(visitor, id)).status === 200;
/** Signs in to a program, by a password if this browser is not signed in. */
const signOn = async (visitor, id, user) => {
  const end = await visitor.signOn(new URL(`${programs[id].url}/login`), { user, isAway });
  assert.equal(end.status, 200, end.html);
  return JSON.parse(end.html);
};
/** Somebody who is signed in to these programs in one browser. */
const guest = async (user, ...into) => {
  const visitor = new Visitor(services.issuer);
  for (const id of into) await signOn(visitor, id, user);
  return visitor;
};
/** Waits until the program's session is over. */
const over = (visitor, id, since) => until(`${id} is told`, async () => !(await isIn(visitor, id)), { since });
/** Waits until the program's receiver has answered about this user. */
const told = (id, user) => until(`the receiver of ${id}`, async () => (await fetch(programs[id].url)) && programs[id].told.some(({ sub }) => sub === user.id));

const named = (name, body) => test(`${scheme}: express-openid-connect: ${name}`, body);

named('a log-in, userinfo and a refresh', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const found = await signOn(visitor, 'stock', user);
  assert.equal(found.sub, user.id);
  assert.equal(found.email, user.email);
  assert.equal(JSON.parse((await open(visitor, 'stock', '/userinfo')).html).sub, user.id);
  assert.equal((await open(visitor, 'stock', '/refreshed')).status, 200);
  const after = JSON.parse((await open(visitor, 'stock')).html);
  assert.notEqual(after.refreshToken, found.refreshToken);
  assert.equal(after.sid, found.sid);
});

named('who signs out of one program is signed out of all in this browser', async (t) => {
  const user = await services.register();
  const visitor = await guest(user, ...ids);
  const { sid } = JSON.parse((await open(visitor, 'stock')).html);
  const page = await open(visitor, 'deaf', '/logout');
  const since = performance.now();
  // Its own address, to which it comes back with nobody signed in.
  assert.equal(page.url.href, `${programs.deaf.url}/`);
  assert.equal(page.status, 401);
  for (const id of ['stock', 'by-sid']) {
    t.diagnostic(`${id}: over ${Math.round(await over(visitor, id, since))} ms after the program was back`);
    await told(id, user);
    const heard = programs[id].told.filter(({ sub }) => sub === user.id);
    assert.deepEqual(heard.map(({ sid, status }) => ({ sid, status })), [{ sid, status: 204 }]);
  }
  // The silent log-in of the library brings nobody back.
  const silent = await open(visitor, 'stock', '/silent');
  assert.equal(silent.url.origin, programs.stock.url);
  assert.equal(silent.status, 401, silent.html);
  const asked = await open(visitor, 'stock', '/login');
  assert.ok(asked.forms.some(({ action }) => action.pathname === '/oauth/sign-in'), asked.text);
});

named('its own log-out is told to the others, and the next log-in lives', async () => {
  const user = await services.register();
  const visitor = await guest(user, 'stock', 'by-sid');
  const page = await open(visitor, 'stock', '/logout');
  assert.equal(page.url.href, `${programs.stock.url}/`);
  assert.equal(page.status, 401);
  // It is told itself, too. What is told of the former session ends the next one where that is there already, by its `sub`.
  for (const id of ['stock', 'by-sid']) await told(id, user);
  assert.equal(await isIn(visitor, 'by-sid'), false);
  for (const id of ['stock', 'by-sid']) await signOn(visitor, id, user);
  assert.ok((await isIn(visitor, 'stock')) && (await isIn(visitor, 'by-sid')));
});

named('another browser of the user: the library ends its session as well, unless it remembers by sid', async () => {
  const user = await services.register();
  const [here, there] = [await guest(user, 'deaf', 'stock', 'by-sid'), await guest(user, 'stock', 'by-sid')];
  await open(here, 'deaf', '/logout');
  for (const id of ['stock', 'by-sid']) await over(here, id);
  assert.equal(await isIn(there, 'stock'), false);
  assert.equal(await isIn(there, 'by-sid'), true);
  // It is the program that forgot: Keyturn's own session there lives, and signs in without a page.
  await signOn(there, 'stock');
});

named('news that come late end the session that began meanwhile as well, unless it remembers by sid', async () => {
  const user = await services.register();
  const visitor = await guest(user, 'stock', 'by-sid');
  await open(visitor, 'stock', '/logout');
  for (const id of ['stock', 'by-sid']) await told(id, user);
  for (const id of ['stock', 'by-sid']) await signOn(visitor, id, user);
  for (const id of ['stock', 'by-sid']) {
    // As a try that comes after a while would.
    const { token } = programs[id].told.find(({ sub }) => sub === user.id);
    const answer = await fetch(`${programs[id].url}/backchannel-logout`, { method: 'POST', body: new URLSearchParams({ logout_token: token }) });
    assert.equal(answer.status, 204);
  }
  assert.equal(await isIn(visitor, 'stock'), false);
  assert.equal(await isIn(visitor, 'by-sid'), true);
});

named('a session that an operator ends is over in the program', async (t) => {
  const user = await services.register();
  const visitor = await guest(user, 'stock', 'by-sid');
  await services.command('sessions', 'revoke', '--user', user.email);
  const since = performance.now();
  for (const id of ['stock', 'by-sid']) t.diagnostic(`${id}: over ${Math.round(await over(visitor, id, since))} ms after the command`);
});

named('a button “Log out” of a page that was open too long leads to the page that says so', async () => {
  const visitor = await guest(await services.register(), 'deaf', 'stock');
  await open(visitor, 'deaf', '/logout');
  await over(visitor, 'stock');
  // The library has no id_token to show any more, so nobody can say that the user was ever there.
  const page = await open(visitor, 'stock', '/logout');
  assert.equal(page.url.origin, services.issuer);
  assert.equal(page.status, 200);
  assert.match(page.text, /signed out/i);
});

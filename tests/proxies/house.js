/** One proxy with everything around it: both services, the application behind it, and what a test does there. */
import assert from 'node:assert/strict';
import { freePort, PASSWORD, startServices } from '../stock/harness/services.js';
import { ask, serve, startApplication } from './application.js';
import { startProxy } from './proxies.js';
import { sign } from './tokens.js';

/** What the application may learn of the caller. */
const IDENTITY = ['x-user-id', 'x-user-name', 'x-user-roles', 'x-session-id'];
/** What a CGI makes of a header's name; PHP takes dots for underscores, too. */
const asCgi = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, '_');

/** Every header of a request that some application would take for one of ours: `[name, value]`, as often as it came. */
export const identityOf = (told) => told.headers.filter(([name]) => IDENTITY.map(asCgi).includes(asCgi(name)));

/** Our names as others write them, each with a value of an attacker's. */
export const SPOOFED = IDENTITY.flatMap((name) => {
  const [first, second, third] = name.split('-');
  const spelt = (join) => [first, second, third].join(join);
  const mixed = [`${first}-${second}_${third}`, `${first}_${second}-${third}`, `${first}.${second}-${third}`];
  return [name, name.toUpperCase(), 'X-User-Id', spelt('_'), spelt('_').toUpperCase(), spelt('.'), ...mixed].flatMap((it) => [it, 'spoofed']);
});

/** Answers of a resource-api in trouble, by the token that asks for them. */
const inTrouble = (req, res) => {
  const [, wish] = req.headers.authorization?.split(' ') ?? [];
  const problem = (status, code) => {
    const headers = { 'Content-Type': 'application/problem+json', 'X-Problem-Code': code, ...(status === 503 && { 'Retry-After': '1' }) };
    res.writeHead(status, headers).end(JSON.stringify({ status, code }));
  };
  if (wish === 'stale') problem(503, 'revocation_view_stale');
  else if (wish === 'misspelt') problem(400, 'invalid_request');
  else if (wish === 'broken') problem(500, 'internal');
  else if (wish === 'moved') res.writeHead(302, { Location: '/elsewhere', 'X-User-Id': 'nobody' }).end();
  else if (wish === 'reset') req.socket.destroy();
  // And whoever wants it to hang gets no answer.
};

export const start = async (name) => {
  const started = [];
  const close = async () => {
    for (const it of started.reverse()) await it.close();
  };
  try {
    const keep = (it) => (started.push(it), it);
    const services = keep(
      await startServices({
        clients: { nightly: ['--kind', 'service', '--api', '--scope', 'orders:read', '--role', 'reports'] },
        settings: { TRUSTED_PROXIES: '127.0.0.1' },
      }),
    );
    const application = keep(await startApplication());
    const peers = { application: application.port, issuer: services.issuer, audience: services.api, ring: `${services.folder}/jwt-keys.json` };
    const trouble = keep(await serve(inTrouble));
    const [proxy, troubled, alone] = await Promise.all(
      [Number(new URL(services.api).port), trouble.port, await freePort()].map(async (verify) => keep(await startProxy(name, { ...peers, verify }))),
    );
    let paths = 0;
    const post = async (path, body) => {
      const answer = await fetch(`${services.issuer}${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
      assert.equal(answer.status, 200, path);
      return answer.json();
    };
    return {
      services,
      application,
      close,

      /** A path that no other test asks for. */
      path: (below = '') => `${below}/page-${(paths += 1)}`,

      /** Asks the proxy. */
      ask: (path, options) => ask(proxy.port, path, options),
      /** Asks a proxy whose resource-api is in trouble: see `inTrouble`. */
      askTroubled: (path, options) => ask(troubled.port, path, options),
      /** Asks a proxy whose resource-api is not there. */
      askAlone: (path, options) => ask(alone.port, path, options),

      /** What the application got of a request that must pass. */
      async passes(path, options) {
        const answer = await ask(proxy.port, path, options);
        assert.equal(answer.status, 200, `${answer.status} ${answer.body}`);
        assert.equal(answer.headers['x-application'], 'here');
        return answer.json;
      },

      /** Checks that a request did not get through to the application, and gives its answer. */
      async refused(path, options, asked = ask.bind(undefined, proxy.port)) {
        const answer = await asked(path, options);
        assert.ok(answer.status >= 400, `${answer.status} ${answer.body}`);
        assert.equal(answer.headers['x-application'], undefined);
        assert.equal(application.saw(path), false, 'the application did not hear of it');
        return answer;
      },

      /** A fresh account that has logged in: `{id, token, sid}`. */
      async user({ userName, roles = [] } = {}) {
        const user = await services.register(userName);
        if (roles.length) await services.command('user', 'set-roles', user.email, ...roles);
        const { accessToken } = await post('/api/account/login', { email: user.email, password: PASSWORD });
        const { sid } = JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url'));
        return { ...user, token: accessToken, sid };
      },

      /** A token of the registered service. */
      async serviceToken() {
        const basic = Buffer.from(`nightly:${services.secrets.nightly}`).toString('base64');
        const body = new URLSearchParams({ grant_type: 'client_credentials' });
        const answer = await fetch(`${services.issuer}/oauth/token`, { method: 'POST', headers: { Authorization: `Basic ${basic}` }, body });
        assert.equal(answer.status, 200);
        return (await answer.json()).access_token;
      },

      /** Ends all sessions of a user. */
      async end({ token }) {
        const answer = await fetch(`${services.issuer}/api/account/sessions`, { method: 'DELETE', headers: { Authorization: `Bearer ${token}` } });
        assert.equal(answer.status, 204);
      },

      /** A token of ours that nobody would be given. */
      sign: (claims) => sign(services, claims),
    };
  } catch (error) {
    await close();
    throw error;
  }
};

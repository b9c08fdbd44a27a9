/** What every proxy that asks /verify must do, whatever it is. */
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { identityOf, SPOOFED, start } from './house.js';

const decoded = (headers) => Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value.split(',').map(decodeURIComponent)]));

/** A problem of the contract, with all of it that proxies pass on. */
const assertProblem = (answer, status, code) => {
  assert.equal(answer.status, status, answer.body);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  assert.equal(answer.json.status, status);
  assert.equal(answer.json.code, code);
};
/** A refusal by resource-api, which a page of another origin can read, and which names its request. */
const assertRefusal = (answer, status, code) => {
  assertProblem(answer, status, code);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.ok(answer.json.requestId);
  assert.equal(answer.json.requestId, answer.headers['x-request-id']);
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  assert.match(answer.headers['access-control-expose-headers'], /\bact\b/);
  const challenges = answer.raw.filter((it, at) => at % 2 === 0 && it.toLowerCase() === 'www-authenticate');
  assert.equal(challenges.length, 1);
};

/**
 * @param {string} name the proxy, as `startProxy` knows it
 * @param {{down?: number, twice?: number, inner?: string[]}} words its own statuses, for want of an answer and for two tokens;
 *   and paths of its own that are closed to all
 */
export const holdsTheContract = (name, { down = 503, twice = 401, inner = [] } = {}) => {
  describe(name, { concurrency: 8 }, () => {
    let house;
    before(async () => (house = await start(name)));
    after(() => house?.close());

    test('a request without a token is 401 and never gets through', async () => {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const answer = await house.refused(house.path(), { method });
        assertRefusal(answer, 401, 'token_missing');
        assert.equal(answer.headers['www-authenticate'], 'Bearer realm="keyturn"');
        assert.equal(answer.headers.act, undefined);
      }
    });

    test('a token that is none is 401 without act', async () => {
      const answer = await house.refused(house.path(), { token: 'x.y.z' });
      assertRefusal(answer, 401, 'token_malformed');
      assert.match(answer.headers['www-authenticate'], /error="invalid_token"/);
      assert.equal(answer.headers.act, undefined);
    });

    test('two tokens are none', async () => {
      const { token } = await house.user();
      const answer = await house.refused(house.path(), { token, headers: ['Authorization', `Bearer ${token}`] });
      assert.equal(answer.status, twice);
      if (twice === 401) assertRefusal(answer, 401, 'token_malformed');
    });

    test('an expired token is told to refresh', async () => {
      const token = house.sign({ exp: Math.floor(Date.now() / 1000) - 3600 });
      const answer = await house.refused(house.path(), { token, headers: ['Origin', 'https://page.example'] });
      assertRefusal(answer, 401, 'token_expired');
      assert.equal(answer.headers.act, 'expired');
    });

    test('an ended session is refused within moments, and told to refresh', async () => {
      const user = await house.user();
      await house.passes(house.path(), { token: user.token });
      await house.end(user);
      const path = house.path();
      const until = Date.now() + 5_000;
      let answer;
      do answer = await house.ask(path, { token: user.token });
      while (answer.status === 200 && Date.now() < until);
      assertRefusal(answer, 401, 'token_revoked');
      assert.equal(answer.headers.act, 'revoked');
    });

    test('the application learns who asks, and gets the request as it was', async () => {
      const user = await house.user({ userName: '王 小明, "x"' });
      const body = 'a body';
      for (const [method, sent] of [['GET', ''], ['POST', body], ['PUT', body], ['DELETE', '']]) {
        const path = `${house.path()}?role=admin&x=1`;
        const told = await house.passes(path, { method, token: user.token, ...(sent && { body: sent }) });
        assert.deepEqual([told.method, told.url, told.body], [method, path, sent]);
        const said = { 'x-user-id': [user.id], 'x-user-name': [], 'x-session-id': [user.sid] };
        assert.deepEqual(decoded(identityOf(told)), { ...said, 'x-user-name': ['王 小明, "x"'] });
        const [, encoded] = identityOf(told).find(([it]) => it.toLowerCase() === 'x-user-name');
        assert.equal(encoded, '%E7%8E%8B%20%E5%B0%8F%E6%98%8E%2C%20%22x%22');
      }
      const head = await house.ask(house.path(), { method: 'HEAD', token: user.token });
      assert.deepEqual([head.status, head.headers['x-application']], [200, 'here']);
    });

    test('roles come as they are, each by itself', async () => {
      const roles = ['admin', 'a, "role"', 'orders:read', '王'];
      const user = await house.user({ roles });
      assert.deepEqual(decoded(identityOf(await house.passes(house.path(), { token: user.token })))['x-user-roles'], roles);
    });

    test('a name of line breaks ends no header, and the longest name and roles get through', async () => {
      const name = 'Ada\r\nX-User-Roles: admin\r\n\r\nGET / HTTP/1.1';
      const told = await house.passes(house.path(), { token: house.sign({ name }) });
      assert.deepEqual(decoded(identityOf(told))['x-user-name'], [name]);
      assert.equal(identityOf(told).length, 3, 'id, name and session');
      const long = { name: '𠀀'.repeat(64), roles: Array.from({ length: 40 }, (_, at) => `${'王'.repeat(15)}${at}`) };
      const learnt = decoded(identityOf(await house.passes(house.path(), { token: house.sign(long) })));
      assert.deepEqual([learnt['x-user-name'], learnt['x-user-roles']], [[long.name], long.roles]);
    });

    test('nothing of our names comes in from outside, however it is spelt', async () => {
      const user = await house.user();
      const told = await house.passes(house.path(), { token: user.token, headers: SPOOFED });
      assert.deepEqual(
        identityOf(told).map(([it]) => it.toLowerCase()).sort(),
        ['x-session-id', 'x-user-id', 'x-user-name'],
        'each once, and no roles',
      );
      assert.equal(JSON.stringify(identityOf(told)).includes('spoofed'), false);
      await house.refused(house.path(), { headers: SPOOFED });
    });

    test('what a service has not, nobody gives it', async () => {
      const token = await house.serviceToken();
      const told = await house.passes(house.path(), { token, headers: SPOOFED });
      const { 'x-session-id': session, ...learnt } = decoded(identityOf(told));
      assert.deepEqual(learnt, { 'x-user-id': ['nightly'], 'x-user-roles': ['reports'] });
      assert.ok(session);
    });

    test('a client that calls our headers hop by hop takes none away', async () => {
      const user = await house.user({ roles: ['member'] });
      for (const named of ['X-User-Id, X-User-Roles, X-User-Name, X-Session-Id', 'close, x-user-id', 'Authorization']) {
        const answer = await house.ask(house.path(), { token: user.token, headers: ['Connection', named] });
        if (answer.status >= 400) continue;
        const learnt = decoded(identityOf(answer.json));
        assert.deepEqual([learnt['x-user-id'], learnt['x-user-roles']], [[user.id], ['member']], named);
      }
    });

    test('a role is asked for, however the path is disguised', async () => {
      const [user, admin] = [await house.user(), await house.user({ roles: ['admin'] })];
      const answer = await house.refused(house.path('/admin'), { token: user.token });
      assertRefusal(answer, 403, 'insufficient_role');
      assert.match(answer.headers['www-authenticate'], /error="insufficient_scope"/);
      await house.passes(house.path('/admin'), { token: admin.token });
      assertRefusal(await house.refused(house.path('/admin')), 401, 'token_missing');
      for (const disguise of ['//admin', '/./admin', '/x/../admin', '/x/%2e%2e/admin', '/%61dmin', '/x/..%2fadmin', '/%2561dmin', '/admin/..;', '/x//../admin']) {
        const { status, json } = await house.ask(house.path(disguise), { token: user.token });
        if (status !== 200) continue;
        // What passed must not lead there for an application that decodes a path once, and then tidies it.
        assert.doesNotMatch(posix.normalize(decodeURIComponent(json.url)), /^\/admin/, `${disguise} became ${json.url}`);
      }
    });

    test('a preflight passes without a token, and names nobody', async () => {
      const user = await house.user();
      const preflight = ['Origin', 'https://page.example', 'Access-Control-Request-Method', 'PUT'];
      for (const token of [undefined, user.token]) {
        for (const path of [house.path(), house.path('/admin')]) {
          const told = await house.passes(path, { method: 'OPTIONS', token, headers: [...preflight, ...SPOOFED] });
          assert.deepEqual([told.method, identityOf(told)], ['OPTIONS', []]);
        }
      }
    });

    if (inner.length) {
      test('paths of its own are closed to all', async () => {
        const { token } = await house.user({ roles: ['admin'] });
        for (const path of inner) assert.equal((await house.refused(path, { token })).status, 404, path);
      });
    }

    test('what the application refuses itself stays as it is', async () => {
      const { token } = await house.user();
      for (const status of [401, 403, 500, 503]) {
        const answer = await house.ask(`${house.path()}?answer=${status}`, { token });
        assert.deepEqual([answer.status, answer.body, answer.headers['x-application']], [status, 'in its own words', 'here']);
      }
    });

    test('no header makes a request a preflight', async () => {
      const names = ['X-Forwarded-Method', 'X-Original-Method', 'X-HTTP-Method-Override', 'X-HTTP-Method', 'Access-Control-Request-Method'];
      const headers = ['Origin', 'https://page.example', ...names.flatMap((it) => [it, 'OPTIONS'])];
      for (const method of ['GET', 'POST']) assertRefusal(await house.refused(house.path(), { method, headers }), 401, 'token_missing');
    });

    test('while resource-api is in trouble nobody passes', async () => {
      for (const wish of ['stale', 'misspelt', 'broken', 'moved', 'reset']) {
        const answer = wish === 'moved' ? await house.askTroubled(house.path(), { token: wish }) : await house.refused(house.path(), { token: wish }, house.askTroubled);
        assert.equal(answer.headers['x-application'], undefined, wish);
        assert.ok(answer.status >= 300, `${wish}: ${answer.status}`);
        if (wish !== 'stale') continue;
        assert.equal(answer.status, 503);
        assert.equal(answer.headers['retry-after'], '1');
        assert.match(answer.headers['content-type'], /^application\/problem\+json/);
      }
    });

    test('without resource-api, and without an answer of it, nobody passes, and nobody is signed out', async () => {
      const { token } = await house.user();
      const hanging = house.refused(house.path(), { token: 'hang' }, house.askTroubled);
      const answers = [await house.refused(house.path(), { token }, house.askAlone), await house.refused(house.path(), {}, house.askAlone), await hanging];
      for (const answer of answers) {
        assert.ok(down === answer.status || answer.status === 504, `${answer.status}`);
        if (answer.status === 503) assert.equal(answer.headers['retry-after'], '1');
        assert.equal(answer.headers.act, undefined);
      }
    });
  });
};

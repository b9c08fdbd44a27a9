/** Envoy's own judge of tokens, on the key ring as it is: what it does, and what it cannot know. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { identityOf, SPOOFED, start } from './house.js';

const NAME = 'envoy jwt_authn';

/** A refusal in the words of the contract. */
const assertRefusal = (answer, status, code) => {
  assert.equal(answer.status, status, answer.body);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  assert.equal(answer.json.code, code);
  assert.ok(answer.json.requestId);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  assert.match(answer.headers['access-control-expose-headers'], /\bact\b/);
  assert.equal(answer.headers.act, code === 'token_expired' ? 'expired' : undefined);
};
const past = () => Math.floor(Date.now() / 1000) - 3600;

describe(NAME, { concurrency: 8 }, () => {
  let house;
  before(async () => (house = await start(NAME)));
  after(() => house?.close());

  test('a request without a good token is 401 and never gets through', async () => {
    const { token } = await house.user();
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await house.refused(house.path(), { method, headers: SPOOFED });
      assertRefusal(answer, 401, 'token_missing');
      assert.match(answer.headers['www-authenticate'], /^Bearer /);
    }
    const forged = `${token.slice(0, -4)}AAAA`;
    for (const bad of ['x.y.z', forged, house.sign({ iss: 'somebody' }), house.sign({ exp: undefined }), house.sign({ nbf: past() + 7200 })]) {
      // One code for all: Envoy has more words, and none of them helps a client.
      assertRefusal(await house.refused(house.path(), { token: bad }), 401, 'token_malformed');
    }
    assertRefusal(await house.refused(house.path(), { token: house.sign({ aud: 'others' }) }), 401, 'token_wrong_audience');
    await house.refused(`${house.path()}?access_token=${token}`);
  });

  test('an expired token is told to refresh', async () => {
    const answer = await house.refused(house.path(), { token: house.sign({ exp: past() }) });
    assertRefusal(answer, 401, 'token_expired');
  });

  test('the application learns ids, and nothing of our names comes in from outside', async () => {
    const user = await house.user({ userName: '王小明', roles: ['admin'] });
    const told = await house.passes(house.path('/admin'), { token: user.token, headers: SPOOFED });
    const learnt = identityOf(told).map(([name, value]) => [name.toLowerCase(), value]);
    assert.deepEqual(learnt.sort(), [['x-session-id', user.sid], ['x-user-id', user.id]]);
    const service = identityOf(await house.passes(house.path(), { token: await house.serviceToken(), headers: SPOOFED }));
    assert.deepEqual(service.find(([name]) => name.toLowerCase() === 'x-user-id')?.[1], 'nightly');
    assert.equal(service.length, 2);
  });

  test('a subject of line breaks ends no header', async () => {
    const answer = await house.refused(house.path(), { token: house.sign({ sub: 'a\r\nX-User-Roles: admin' }) });
    assert.equal(answer.status, 503);
  });

  test('a role is asked for', async () => {
    const [user, admin] = [await house.user(), await house.user({ roles: ['admin'] })];
    for (const path of [house.path('/admin'), house.path('//admin'), house.path('/x/../admin'), house.path('/%61dmin')]) {
      const answer = await house.ask(path, { token: user.token });
      assertRefusal(answer, 403, 'insufficient_role');
      await house.passes(path, { token: admin.token });
    }
    assertRefusal(await house.refused(house.path('/admin')), 401, 'token_missing');
  });

  test('a preflight passes without a token, and names nobody', async () => {
    const { token } = await house.user();
    for (const sent of [undefined, token]) {
      const told = await house.passes(house.path('/admin'), { method: 'OPTIONS', token: sent, headers: SPOOFED });
      assert.deepEqual([told.method, identityOf(told)], ['OPTIONS', []]);
    }
  });

  test('it never hears of an ended session', async () => {
    const user = await house.user();
    await house.end(user);
    // resource-api has heard of it; Envoy has nobody to hear it from.
    const until = Date.now() + 5_000;
    let status;
    do ({ status } = await fetch(`${house.services.api}/verify`, { headers: { Authorization: `Bearer ${user.token}` } }));
    while (status === 200 && Date.now() < until);
    assert.equal(status, 401);
    await house.passes(house.path(), { token: user.token });
  });
});

test(`${NAME}: it reads the key ring at its start alone`, async (t) => {
  const house = await start(NAME);
  t.after(() => house.close());
  const before = await house.user();
  await house.services.command('keys', 'rotate', '--in', '0s');
  const kid = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
  const until = Date.now() + 5_000;
  let user;
  do user = await house.user();
  while (kid(user.token) === kid(before.token) && Date.now() < until);
  await house.passes(house.path(), { token: before.token });
  await house.refused(house.path(), { token: user.token });
});

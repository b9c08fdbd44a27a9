/** Statements 20–24: what is sent, how often, and to whom. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { API, AUTHORITY, HOME, OAUTH, PATHS, deferred, expired, installPage, json, jwt, seconds, world } from './support.js';

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 256);
const form = () => {
  const data = new FormData();
  data.append('名', '王小明');
  data.append('file', new Blob([bytes], { type: 'image/png' }), 'a.png');
  return data;
};

const bodies = {
  string: () => 'grüße "\u0000" 王',
  'empty string': () => '',
  Blob: () => new Blob([bytes], { type: 'application/x-bytes' }),
  ArrayBuffer: () => bytes.buffer.slice(0),
  'typed array': () => bytes.subarray(10, 500),
  DataView: () => new DataView(bytes.buffer, 5, 20),
  URLSearchParams: () => new URLSearchParams({ a: 'ä b', c: '+' }),
  FormData: form,
};

/** Without the boundary, which the platform draws anew for every request. */
const plain = ({ bytes, headers }) => {
  const type = headers.get('Content-Type') ?? '';
  const boundary = /boundary=(.*)$/.exec(type)?.[1];
  const text = bytes.toString('latin1');
  return boundary ? [type.replaceAll(boundary, ''), text.replaceAll(boundary, '')] : [type, text];
};

test('20. string, Blob, ArrayBuffer, typed array, FormData, URLSearchParams and Request bodies are repeated byte for byte', async () => {
  const init = (body) => ({ method: 'POST', body, headers: { 'X-Own': 'kept' } });
  for (const [name, body] of Object.entries(bodies)) {
    const inputs = [
      [HOME, init(body())],
      [new URL(HOME), init(body())],
      [new Request(HOME, init(body())), undefined],
      [new Request(HOME, { method: 'POST', body: 'not this one' }), init(body())],
    ];
    for (const [input, options] of inputs) {
      const w = world();
      w.signIn();
      w.expire();
      const answer = await w.client().fetch(input, options);
      assert.equal(answer.status, 200, name);
      const [first, second] = w.of('api');
      assert.deepEqual(plain(second), plain(first), name);
      assert.equal(second.method, 'POST');
      assert.equal(second.headers.get('X-Own'), 'kept');
      assert.notEqual(second.token, first.token);
      const expected = await new Request(HOME, init(body())).arrayBuffer();
      assert.equal(first.bytes.length, expected.byteLength, `${name}: nothing was lost`);
    }
  }
});

test('20. … a Request is used up as the platform does', async () => {
  const w = world();
  w.signIn();
  const request = new Request(HOME, { method: 'POST', body: 'once' });
  const client = w.client();
  assert.equal(await (await client.fetch(request)).text(), 'once');
  assert.equal(request.bodyUsed, true);
  await assert.rejects(client.fetch(request), TypeError);
});

test('21. no body is cloned but that of a Request', async (t) => {
  const clone = t.mock.method(Request.prototype, 'clone');
  for (const [name, body] of Object.entries(bodies)) {
    const w = world();
    w.signIn();
    w.expire();
    const own = body();
    await w.client().fetch(HOME, { method: 'POST', body: own });
    assert.deepEqual(w.of('api').map(({ init }) => init.body === own), [true, true], name);
  }
  assert.equal(clone.mock.callCount(), 0);
  const w = world();
  w.signIn();
  w.expire();
  await w.client().fetch(new Request(HOME, { method: 'POST', body: 'x' }));
  assert.equal(clone.mock.callCount(), 1);
});

const stream = () => new Blob(['streamed']).stream();
async function* generated() {
  yield Buffer.from('streamed');
}

test('22. a stream is never sent twice: with less than 5 s to live the token is refreshed before it; a 401 all the same refreshes and is returned', async () => {
  for (const body of [stream, generated]) {
    const init = () => ({ method: 'POST', body: body(), duplex: 'half' });

    const healthy = world();
    healthy.signIn();
    assert.equal(await (await healthy.client().fetch(HOME, init())).text(), 'streamed');
    assert.deepEqual(healthy.requests.map(({ kind }) => kind), ['api']);

    const old = world({ life: 4 });
    old.signIn();
    assert.equal(await (await old.client().fetch(HOME, init())).text(), 'streamed');
    assert.deepEqual(old.requests.map(({ kind }) => kind), ['refresh', 'api']);

    const early = world();
    early.signIn();
    early.expire();
    const client = early.client();
    const answer = await client.fetch(HOME, init());
    assert.equal(answer.status, 401);
    assert.equal(answer.bodyUsed, false);
    assert.deepEqual(early.requests.map(({ kind }) => kind), ['api', 'refresh']);
    assert.equal((await client.fetch(HOME, init())).status, 200, 'and the next call has the fresh token');
  }
});

test('23. aborting a call that waits rejects that call at once with the signal’s reason; the refresh goes on for the others', async () => {
  for (const make of [(signal) => [HOME, { signal }], (signal) => [new Request(HOME, { signal })]]) {
    const w = world();
    w.signIn();
    w.expire();
    const go = deferred();
    w.on.refresh = async (request, usual) => {
      await go.promise;
      return usual();
    };
    const client = w.client();
    const control = new AbortController();
    const leaves = client.fetch(...make(control.signal));
    const stays = client.fetch(HOME);
    await w.arrival('refresh');
    const reason = new Error('the user went on');
    control.abort(reason);
    await assert.rejects(leaves, reason);
    go.resolve();
    assert.equal((await stays).status, 200);
    assert.equal(w.of('refresh').length, 1);
    assert.equal(w.of('api').length, 3);
  }
});

test('23. … also when it is the only one, and when the refresh comes before the call', async () => {
  const w = world({ life: 10 });
  w.store({ ...w.signIn(), skew: 8000 });
  w.on.refresh = () => new Promise(() => {});
  const control = new AbortController();
  const call = w.client({ refreshBefore: 60_000, timeout: 200 }).fetch(HOME, { signal: control.signal });
  await w.arrival('refresh');
  control.abort();
  await assert.rejects(call, { name: 'AbortError' });
  assert.equal(w.of('api').length, 0);
});

test('24. the token goes only to the origins in api and to authority (its paths of log-in, refresh and log-out, an app’s too, excepted)', async () => {
  const w = world();
  const { accessToken } = w.signIn();
  for (const kind of Object.keys({ ...PATHS, ...OAUTH, api: 1 })) w.on[kind] = () => json({});
  const client = w.client({ api: [`${API}/v1/`, 'https://other.test:8443'] });
  const goes = async (url) => {
    await client.fetch(url);
    return w.requests.at(-1).token === accessToken;
  };
  for (const url of [HOME, `${API}/else?where`, 'https://other.test:8443/x', `${AUTHORITY}/api/account/sessions`, `${AUTHORITY}/oauth/userinfo`, 'HTTP://API.TEST:80/x']) {
    assert.ok(await goes(url), url);
  }
  const elsewhere = [
    'http://evil.test/',
    'https://api.test/',
    'http://api.test:8080/',
    'http://api.test.evil.test/',
    'https://other.test/',
    'http://auth.test.:80/',
    ...Object.values({ ...PATHS, ...OAUTH }).flatMap((path) => [AUTHORITY + path, `${AUTHORITY}${path}?x`, `${AUTHORITY}/a/..${path}#y`]),
  ];
  for (const url of elsewhere) assert.ok(!(await goes(url)), url);
});

test('24. … other URLs, calls with their own Authorization, and calls while signed out pass through untouched', async () => {
  const w = world();
  const given = [];
  const answer = json({}, 401, { act: 'expired' });
  const client = w.client({
    fetch: async (...args) => {
      given.push(args);
      return answer;
    },
  });
  const passes = async (input, init) => {
    assert.equal(await client.fetch(input, init), answer);
    const [gotInput, gotInit] = given.pop();
    assert.equal(gotInput, input);
    assert.equal(gotInit, init);
    assert.equal(given.length, 0);
  };
  await passes(HOME, { method: 'POST', body: 'signed out' });
  w.signIn();
  await passes('http://elsewhere.test/', { headers: { 'X-A': '1' } });
  await passes(HOME, { headers: { authorization: 'Basic eA==' } });
  await passes(HOME, { headers: [['Authorization', 'Bearer mine']] });
  await passes(new Request(HOME, { headers: { Authorization: 'Bearer mine' } }));
  await passes(new Request('http://elsewhere.test/'), { signal: null });
  w.storage.setItem('token-session', 'rubbish');
  await passes(HOME);
});

test('24. … something that only looks like a request to the token’s origins gets none', async () => {
  const w = world();
  w.signIn();
  w.on.api = () => json({});
  // A Request of another realm (a frame, a library): its url counts, not its text, which would read as a relative URL.
  const foreign = { url: 'http://evil.test/', headers: new Headers(), toString: () => '[object Request]' };
  const given = [];
  const client = w.client({ fetch: async (...args) => (given.push(args), json({})) });
  await client.fetch(foreign);
  assert.deepEqual(given, [[foreign, undefined]]);
});

test('24. … a <base> put into the page gets neither bearer nor log-in, refresh and log-out', async (t) => {
  for (const base of ['http://evil.test/', 'http://evil.test/api/account/', 'http://user:pass@evil.test/x?y']) {
    installPage(t, `${AUTHORITY}/app/index.html`, base);
    for (const options of [{ authority: undefined }, { authority: '' }, { authority: '/' }, { api: '/' }, { api: ['/v1', API] }, { authority: undefined, api: '' }]) {
      const w = world();
      const client = w.client(options);
      await client.login({ email: 'u1', password: 'geheim' });
      // Where the platform sends a relative address is the platform's matter. The token stays here.
      w.on.api = () => json({});
      for (const url of ['x', '/x', '//evil.test/x', '?x', `${base}x`, 'http://evil.test', new URL('http://evil.test/x'), new Request('http://evil.test/x')]) {
        await client.fetch(url).catch(() => {}); // Node's own Request knows no page: a relative address ends there
      }
      assert.equal((await client.fetch(`${AUTHORITY}/own`)).status, 200);
      assert.ok(w.requests.at(-1).token);
      await client.refresh();
      await client.logout();
      const told = w.requests.filter(({ url, token, body }) => new URL(url).hostname === 'evil.test' && (token || body));
      assert.deepEqual(told, [], JSON.stringify(options));
      for (const kind of ['login', 'refresh', 'logout']) assert.deepEqual(w.of(kind).map(({ url }) => url), [AUTHORITY + PATHS[kind]]);
    }
  }
});

test('24. … nor a <base> that comes while the call waits for a refresh', async (t) => {
  const home = `${AUTHORITY}/app/`;
  installPage(t, home);
  const w = world();
  w.signIn();
  w.expire();
  w.on.refresh = (request, usual) => {
    document.baseURI = 'http://evil.test/';
    return usual();
  };
  assert.equal((await w.client().fetch('x')).status, 200);
  assert.deepEqual(w.of('api').map(({ url }) => url), [`${home}x`, `${home}x`]);
});

test('24. … a page’s own <base> moves relative addresses as it does for fetch', async (t) => {
  installPage(t, `${AUTHORITY}/app/users/7`, `${API}/v1/`);
  const w = world();
  w.signIn();
  assert.equal((await w.client().fetch('../api/home')).status, 200);
  assert.equal(w.requests[0].url, HOME);
});

test('24. … options with an origin hold where the page has none (a file, a sandboxed frame)', async (t) => {
  for (const href of ['file:///app/index.html', 'about:srcdoc']) {
    installPage(t, href, 'about:blank');
    const w = world();
    w.signIn();
    assert.equal((await w.client().fetch(HOME)).status, 200);
    await w.client().refresh();
  }
});

test('26. refreshBefore > 0 refreshes a token near its end before the call; capped at half its life', async () => {
  const now = seconds();
  const refreshes = async (left, life, refreshBefore) => {
    const w = world();
    const pair = w.signIn();
    const accessToken = jwt({ sub: 'u1', sid: 's1', iat: now + left - life, exp: now + left });
    w.auth.find = () => w.auth.sessions[0];
    w.on.refresh = () => json(w.auth.pair(w.auth.sessions[0]));
    w.on.api = () => json({});
    w.store({ ...pair, accessToken });
    assert.equal((await w.client({ refreshBefore }).fetch(HOME)).status, 200);
    return w.requests.map(({ kind }) => kind).join();
  };
  assert.equal(await refreshes(20, 300, 30_000), 'refresh,api');
  assert.equal(await refreshes(40, 300, 30_000), 'api');
  assert.equal(await refreshes(20, 300, 0), 'api');
  assert.equal(await refreshes(-20, 300, 0), 'api', 'without refreshBefore the API decides');
  assert.equal(await refreshes(20, 60, 3_600_000), 'refresh,api');
  assert.equal(await refreshes(40, 60, 3_600_000), 'api', 'capped at half of 60 s');
});

test('26. … and a token that cannot be refreshed early is used as long as it works', async () => {
  const w = world({ life: 10 });
  w.store({ ...w.signIn(), skew: 8000 });
  w.on.refresh = () => new Response('', { status: 503 });
  const client = w.client({ refreshBefore: 60_000 });
  assert.equal((await client.fetch(HOME)).status, 200);
  assert.equal((await client.fetch(HOME)).status, 200);
  assert.equal(w.of('refresh').length, 1);
  w.on.api = expired;
  await assert.rejects(client.fetch(HOME), { code: 'unavailable' });
});

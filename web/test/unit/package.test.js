/** Statement 36: the gates on what is published. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import test from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { transform } from 'esbuild';
import { installPacked } from '../consumer/install.js';
import { jwt, seconds } from './support.js';

const start = promisify(execFile);
const source = readFileSync(new URL('../../token-client.js', import.meta.url), 'utf8');

test('36. one file, no imports, at most 4.5 KB minified and gzipped', async (t) => {
  assert.doesNotMatch(source.replace(/\/\*[\s\S]*?\*\//g, ''), /\bimport\b|\brequire\b|\bexport\b[^;]*\bfrom\b/);
  const { code } = await transform(source, { minify: true, format: 'esm', target: 'es2022' });
  const size = gzipSync(code, { level: 9 }).length;
  t.diagnostic(`${size} bytes`);
  assert.ok(size <= 4608, `${size} bytes`);
});

test('36. no handler but one of storage, no timer but a retry’s: nothing of the source polls, and one place navigates', () => {
  assert.equal(source.match(/addEventListener\?\.\('storage'/g)?.length, 1);
  assert.doesNotMatch(source, /setInterval|requestIdleCallback|visibilitychange|'focus'|onLine|location\.(replace|reload|href *=)|steal/);
  assert.equal(source.match(/location\.assign/g)?.length, 1);
});

test('the lock file names no registry', () => {
  const lock = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
  assert.doesNotMatch(lock, /"resolved": "(?!https:\/\/registry\.npmjs\.org\/)/);
});

/** The two services in twenty lines: what the consumer asks for. */
const services = () =>
  createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const reply = (status, value, type = 'application/json') =>
      response.writeHead(status, { 'Content-Type': type }).end(typeof value === 'string' ? value : JSON.stringify(value));
    const now = seconds();
    const accessToken = jwt({ sub: 'u1', sid: 's1', jti: `${Math.random()}`, iat: now, exp: now + 60, name: '王小明' });
    const pair = { accessToken, refreshToken: `${Math.random()}`, tokenType: 'Bearer', expiresIn: 60 };
    const routes = {
      '/api/account/login': () => (JSON.parse(body).password === 'pass' ? reply(200, pair) : reply(401, { code: 'invalid_credentials' })),
      '/api/account/refresh-token': () => reply(200, pair),
      '/api/account/logout': () => reply(204, ''),
      '/api/home': () => (request.headers.authorization ? reply(200, '2026-01-01', 'text/plain') : reply(401, {})),
    };
    (routes[request.url] ?? (() => reply(404, {})))();
  });

test('36. npm pack holds what a user needs; a TypeScript consumer of it type-checks under strict and logs in', async (t) => {
  const { files, manifest, compile, start: main } = installPacked(t);
  assert.deepEqual(files, ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json', 'token-client.js', 'types/token-client.d.ts']);
  assert.equal(manifest.license, 'MIT OR Apache-2.0');
  assert.equal(manifest.dependencies, undefined);
  assert.equal(compile(), '');
  const server = services().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.on('listening', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const { stdout } = await start(process.execPath, main(url, url, 'u@example.com', 'pass'));
  assert.deepEqual(JSON.parse(stdout), { sub: 'u1', name: '王小明', status: 200, today: '2026-01-01', turned: true, out: null, said: ['logout false'] });
});
